// Package node carries the JavaScript that runs inside a worker. The Node.js
// builds themselves are pinned by package.json and its lock beside this file.
package node

import "embed"

// Files are the worker's modules; bootstrap.cjs is the one to start.
//
//go:embed *.cjs
var Files embed.FS

// Entry is the name of the module that Node starts.
const Entry = "bootstrap.cjs"
