// Package api is the wire contract of the management and invocation API: the
// JSON bodies with the member names of the reference system
// (spec/api-surface.md 3 and 4), and the one table that turns error codes into
// HTTP statuses and into the spelling of the older dialect. The server, the
// Go client and the tests share it; it imports the root package only.
//
// Members that the reference does not have are Convoke's own and are only
// ever added. A client must ignore members it does not know.
package api
