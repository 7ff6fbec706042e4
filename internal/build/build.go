// Package build compiles the source of a version to the bundle that a worker
// loads: TypeScript and ES modules become one CommonJS file, the function's
// own files are linked in, and everything that is wrong is reported in the
// developer's own file and line.
//
// The compiler is esbuild. It was made for trusted code on the developer's own
// machine, and this package stands between it and the code of strangers:
//
//   - It would read files of this machine: through a source map comment, an
//     import whose path is put together at run time, or a tsconfig.json.
//     module.go gives it the function's files and nothing else.
//   - It needs exponential time for some sources of a hundred bytes, half a
//     gigabyte of stack for a hundred thousand exclamation marks, and more
//     stack than that ends the process, which Go cannot catch. So a server
//     compiles in child processes, see Stage.
package build

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"convoke"
)

// Source is what a version consists of, as far as it shapes the bundle.
type Source struct {
	Code     string            // of index.js or index.ts
	Files    map[string]string // further modules by relative path
	Language convoke.Language  // of Code; a file of Files says it with its extension
	Contract convoke.Contract  // "" detects it, see contract.go
	Runtime  string            // "" is convoke.DefaultRuntime
}

// Output is a bundle and what was found out on the way.
type Output struct {
	// ID is the SHA-256, in hexadecimal, of everything a worker sees of the
	// bundle and of the runtime it is for: same ID, same behaviour.
	ID string
	// Format is "cjs": Code is the body of a function (exports, require,
	// module, __filename, __dirname, __convoke_lambda). For a source with a
	// top-level await, which CommonJS cannot express, it is "esm".
	Format   string
	Contract convoke.Contract
	Code     []byte
	// SourceMap leads back to index.js or index.ts and the names in Files.
	SourceMap []byte
	Warnings  []convoke.Problem
	// Nameless says that the code has no word lambda and exports nothing, so
	// that loading it is sure to find no function to call.
	Nameless bool
}

// formatVersion changes when workers have to treat bundles differently.
const formatVersion = 1

// Compile compiles src. What the developer can mend is CodeBuildFailed, with
// the Problems unless the trouble is time, memory or depth.
//
// After Stage it works in a child process, of which few run at a time, and ends
// as soon as ctx does, with the error of ctx; CodeUnavailable says that no
// process could be started. Without Stage it works in this process and looks
// at ctx only between its steps, because esbuild cannot be interrupted.
func Compile(ctx context.Context, src Source) (*Output, error) {
	if isolated.Load() {
		return compileInChild(ctx, src, timeLimit)
	}
	return compile(ctx, src)
}

func (o *Output) setID(runtime string) {
	h := sha256.New()
	var size [8]byte
	for _, part := range [][]byte{{formatVersion}, []byte(runtime), []byte(o.Contract), []byte(o.Format), o.Code, o.SourceMap} {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	o.ID = hex.EncodeToString(h.Sum(nil))
}
