package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Usage heads every answer.
type Usage struct {
	Retire     bool          // give the worker nothing new after this
	Run        time.Duration // as the worker saw it
	Waited     time.Duration // of Run: the event loop had nothing to do
	CPU        time.Duration // of the whole process since the answer before
	PeakMemory int64         // bytes resident, the highest so far
}

const usageSize = 17

// Answer splits the body of a Result or Failed frame. The rest shares body's memory.
func Answer(body []byte) (Usage, []byte, error) {
	if len(body) < usageSize {
		return Usage{}, nil, fmt.Errorf("%w: answer of %d bytes", ErrMalformed, len(body))
	}
	return Usage{
		Retire:     body[0]&1 != 0,
		Run:        time.Duration(binary.LittleEndian.Uint32(body[1:])) * time.Microsecond,
		CPU:        time.Duration(binary.LittleEndian.Uint32(body[5:])) * time.Microsecond,
		PeakMemory: int64(binary.LittleEndian.Uint32(body[9:])) << 10,
		Waited:     time.Duration(binary.LittleEndian.Uint32(body[13:])) * time.Microsecond,
	}, body[usageSize:], nil
}

// Failure is how an invocation or a load failed in the worker.
type Failure struct {
	// Kind is "threw", "runtime" (a TypeError and its like), "result" (no
	// JSON form), "limit", "input" or "contract".
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Message string `json:"message"`
	Stack   string `json:"stack"`
	Place   string `json:"place"` // "index.js:3:5", or ""
}

// maxFailure bounds the JSON of a Failure, four texts of 8,192 characters.
const maxFailure = 256 << 10

// ParseFailure decodes the body of a LoadFailed frame, or the rest of a Failed one.
func ParseFailure(b []byte) (Failure, error) {
	var f Failure
	if len(b) > maxFailure {
		return f, fmt.Errorf("%w: failure of %d bytes", ErrMalformed, len(b))
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("%w: failure: %w", ErrMalformed, err)
	}
	return f, nil
}

// Entry is a log entry as a worker sends it.
type Entry struct {
	Level    byte // 0 debug, 1 info, 2 warn, 3 error
	Platform bool // written by the worker's own code, not the function's
	Time     time.Time
	Message  []byte
	Extras   []byte // a JSON array
}

const (
	entrySize      = 14
	sourcePlatform = 3
)

// ParseEntry decodes the body of a Log frame. Message and Extras share b's
// memory. Extras that are no JSON array, and text that is not UTF-8, are
// ErrMalformed: the worker's own code never sends such.
func ParseEntry(b []byte) (Entry, error) {
	if len(b) < entrySize {
		return Entry{}, fmt.Errorf("%w: log entry of %d bytes", ErrMalformed, len(b))
	}
	e := Entry{Level: b[0], Platform: b[1] == sourcePlatform}
	low, high := binary.LittleEndian.Uint32(b[2:]), binary.LittleEndian.Uint32(b[6:])
	ms := int64(high)<<32 | int64(low)
	extras := int64(binary.LittleEndian.Uint32(b[10:]))
	rest := b[entrySize:]
	if e.Level > 3 || extras > int64(len(rest)) || ms < 0 || ms > maxMilliseconds {
		return Entry{}, fmt.Errorf("%w: log entry", ErrMalformed)
	}
	e.Time = time.UnixMilli(ms)
	e.Extras, e.Message = rest[:extras], rest[extras:]
	if len(e.Extras) == 0 || e.Extras[0] != '[' || !json.Valid(e.Extras) || !utf8.Valid(e.Message) {
		return Entry{}, fmt.Errorf("%w: log entry's text", ErrMalformed)
	}
	return e, nil
}

const maxMilliseconds = 253402300799999 // the end of the year 9999

// Count decodes the body of a Dropped frame.
func Count(b []byte) (int, error) {
	if len(b) != 4 {
		return 0, fmt.Errorf("%w: count of %d bytes", ErrMalformed, len(b))
	}
	return int(binary.LittleEndian.Uint32(b)), nil
}

// ParseLoaded splits the body of a Loaded frame into its JSON and the code cache.
func ParseLoaded(b []byte) (meta LoadedMeta, codeCache []byte, err error) {
	if len(b) < 4 {
		return meta, nil, fmt.Errorf("%w: loaded", ErrMalformed)
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n > int64(len(b)-4) || n > maxFailure {
		return meta, nil, fmt.Errorf("%w: loaded", ErrMalformed)
	}
	if err := json.Unmarshal(b[4:4+n], &meta); err != nil {
		return meta, nil, fmt.Errorf("%w: loaded: %w", ErrMalformed, err)
	}
	return meta, b[4+n:], nil
}

// LoadedMeta is what a worker says of what it loaded.
type LoadedMeta struct {
	Length int    `json:"length"` // of lambda: its number of parameters
	Node   string `json:"node"`   // "v26.10.0"
}

// Summary is the failure in one line: what, and where in the function.
func (f Failure) Summary() string {
	s := f.Message
	if f.Name != "" && f.Name != "string" {
		s = f.Name + ": " + s
	}
	if f.Place != "" {
		s += " (" + f.Place + ")"
	}
	return s
}
