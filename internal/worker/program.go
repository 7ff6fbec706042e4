package worker

import (
	"encoding/json"
	"time"

	"convoke"
	"convoke/internal/wire"
)

// Program is what turns a blank worker into an instance of one version.
type Program struct {
	AccountID   string
	FunctionID  string
	Version     int
	Contract    convoke.Contract
	Format      string // of the bundle: "cjs" or "esm"
	Code        []byte
	SourceMap   []byte
	CodeCache   []byte // may be nil
	Environment map[string]string
	MemoryMiB   int
	// Domains narrow the account's allowed domains for this version; nil does not.
	Domains []string
	// What one invocation may use.
	ResultBytes   int
	LogEntries    int
	LogCharacters int
	// Serial runs one invocation at a time. Others may be sent ahead: they wait
	// in the worker, so that it need not wait for the server in between.
	Serial bool
	// WantCodeCache asks for V8's compiled form of the bundle in return.
	WantCodeCache bool
}

// Loaded is what a worker says of a program that it loaded.
type Loaded struct {
	Parameters int    // of lambda
	Node       string // the build that made CodeCache: "v26.10.0"
	CodeCache  []byte // nil unless asked for
}

func (p *Program) frame() ([]byte, error) {
	type limits struct {
		Result  int `json:"result"`
		Entries int `json:"entries"`
		Chars   int `json:"chars"`
	}
	meta, err := json.Marshal(struct {
		Contract  convoke.Contract  `json:"contract"`
		Format    string            `json:"format"`
		Env       map[string]string `json:"env"`
		Limits    limits            `json:"limits"`
		Serial    bool              `json:"serial"`
		WantCache bool              `json:"wantCache"`
	}{p.Contract, p.Format, p.Environment, limits{p.ResultBytes, p.LogEntries, p.LogCharacters}, p.Serial, p.WantCodeCache})
	if err != nil {
		return nil, err
	}
	size := 64 + len(meta) + len(p.Code) + len(p.SourceMap) + len(p.CodeCache)
	return wire.AppendLoad(make([]byte, 0, size), meta, p.Code, p.SourceMap, p.CodeCache), nil
}

// Call is one invocation as the worker needs it.
type Call struct {
	RequestID string
	Input     []byte // JSON object {timestamp, headers, payload}
	Timeout   time.Duration
}

// Result is how an invocation went, also when it failed.
type Result struct {
	JSON []byte        // nil on failure
	Run  time.Duration // from the worker being sent the event to its answer
	// Own is the part of Run in the function itself, as the worker saw it: it
	// leaves out how long the answer took to get here.
	Own time.Duration
	// Waited is the part of Own in which the function waited for something.
	Waited     time.Duration
	CPU        time.Duration
	PeakMemory int64
	// Spent says that the worker must not be given another invocation.
	Spent bool
}
