// Package bench measures Convoke against other ways to run the same function
// on the same machine: node:http alone, functions-framework and workerd.
//
// Every figure is the median over rounds that take turns between the systems
// (A B C A B C ...), with the lowest and highest round beside it, so that
// whatever else the machine does falls on all of them alike. Ratios are formed
// within a round. Load comes from a process of its own. A measurement with a
// single wrong answer is reported as failed and makes the run fail.
//
// The package reads /proc and so runs on Linux. Only cmd/convoke-bench imports it.
package bench
