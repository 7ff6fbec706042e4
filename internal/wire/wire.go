// Package wire is the framing between the server and its workers: frames on
// an inherited socket, never on stdio, so that nothing a function prints can
// be taken for one. The JavaScript side is runtime/node/frames.cjs.
//
// A frame is a header of nine bytes, little-endian, and a body:
//
//	length u32 (of the body) | type u8 | id u32 (of the invocation, 0: none)
//
// What comes from a worker is hostile input: the reader bounds every size
// before it allocates, and the decoders of bodies never trust a length.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Type says what a frame's body holds.
type Type byte

// From the server to the worker.
const (
	Load   Type = 1 // a Program: what the worker is to run
	Invoke Type = 2 // request id and input of one invocation
	Ping   Type = 3 // answered by Pong when the event loop turns
	Recall Type = 5 // give an invocation back that has not begun: Recalled, or nothing
	// DialFailed answers a Dial, whose id it has: JSON with code, message and status.
	DialFailed Type = 6
	// Connected is, on the line of a thread, what comes with the connection of a Dial.
	Connected Type = 7
)

// From the worker to the server.
const (
	Ready      Type = 16 // the blank worker listens
	Loaded     Type = 17 // the program has a lambda
	LoadFailed Type = 18 // a Failure
	Result     Type = 19 // Usage and the result as JSON
	Failed     Type = 20 // Usage and a Failure
	Log        Type = 21 // an Entry
	Dropped    Type = 22 // u32: entries of the invocation beyond its limits so far
	Pong       Type = 23
	Retire     Type = 24 // give this worker nothing new; the body says why
	Recalled   Type = 25 // the invocation has not begun and will not
	Dial       Type = 26 // a Destination; the id counts up and is the dial's
	Call       Type = 27 // an Exchange, under the id of a dial that was opened
	Thread     Type = 28 // a line for another thread is asked for, like a dial
)

const headerSize = 9

// ErrTooLarge is returned for a frame whose length exceeds the reader's bound.
var ErrTooLarge = errors.New("frame is larger than allowed")

// ErrMalformed is returned for a body that does not hold what its type says.
var ErrMalformed = errors.New("frame is malformed")

// Frame is one message. Body is valid until the next call of Reader.Space.
type Frame struct {
	Type Type
	ID   uint32
	Body []byte
}

const (
	firstBuffer = 32 << 10
	keptBuffer  = 256 << 10 // a larger buffer is not kept beyond the frame that needed it
)

// Reader cuts what arrives into frames of at most max body bytes. It does not
// read itself, so that whoever has a reason to may do it:
//
//	n := read(r.Space())
//	r.Filled(n)
//	for { f, ok, err := r.Next() … }
type Reader struct {
	max        int
	buf        []byte
	start, end int // what has arrived and was not returned yet
}

// NewReader refuses bodies larger than max bytes.
func NewReader(max int) *Reader { return &Reader{max: max, buf: make([]byte, firstBuffer)} }

// Space is where the next bytes go. It is never empty. The buffer grows with
// what has really arrived, not with what a header announces.
func (r *Reader) Space() []byte {
	held := r.buf[r.start:r.end]
	switch {
	case len(held) == 0 && len(r.buf) > keptBuffer:
		r.buf = make([]byte, firstBuffer)
	case r.end == len(r.buf) && len(held) > len(r.buf)/2:
		r.buf = make([]byte, 2*len(r.buf))
	case len(held) > 0 && r.end < len(r.buf):
		return r.buf[r.end:]
	}
	r.start, r.end = 0, copy(r.buf, held)
	return r.buf[r.end:]
}

// Filled says that n bytes were put into Space.
func (r *Reader) Filled(n int) { r.end += n }

// Next returns the next frame that has arrived whole. ErrTooLarge, for a
// length beyond the bound, is final: the stream cannot be followed further.
func (r *Reader) Next() (Frame, bool, error) {
	have := r.buf[r.start:r.end]
	if len(have) < headerSize {
		return Frame{}, false, nil
	}
	f := Frame{Type: Type(have[4]), ID: binary.LittleEndian.Uint32(have[5:])}
	size := int64(binary.LittleEndian.Uint32(have))
	if size > int64(r.max) {
		return Frame{}, false, fmt.Errorf("%w: type %d, %d bytes", ErrTooLarge, f.Type, size)
	}
	end := headerSize + int(size)
	if len(have) < end {
		return Frame{}, false, nil
	}
	f.Body = have[headerSize:end:end]
	r.start += end
	return f, true, nil
}

// begin appends a header whose length is filled in by finish.
func begin(b []byte, t Type, id uint32) []byte {
	b = append(b, 0, 0, 0, 0, byte(t))
	return binary.LittleEndian.AppendUint32(b, id)
}

func finish(b []byte, start int) []byte {
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-headerSize))
	return b
}

// AppendEmpty appends a frame without a body.
func AppendEmpty(b []byte, t Type, id uint32) []byte {
	start := len(b)
	return finish(begin(b, t, id), start)
}

// MaxRequestID is how long a request id may be on the wire, in bytes.
const MaxRequestID = 255

// AppendInvoke appends an Invoke frame. A request id beyond MaxRequestID is cut.
func AppendInvoke(b []byte, id uint32, requestID string, input []byte) []byte {
	start := len(b)
	if len(requestID) > MaxRequestID {
		requestID = requestID[:MaxRequestID]
	}
	b = begin(b, Invoke, id)
	b = append(b, byte(len(requestID)))
	b = append(b, requestID...)
	b = append(b, input...)
	return finish(b, start)
}

// AppendLoad appends a Load frame: JSON about the program, its code, its
// source map and V8's code cache, each with its length before.
func AppendLoad(b []byte, meta, code, sourceMap, codeCache []byte) []byte {
	start := len(b)
	b = begin(b, Load, 0)
	for _, part := range [][]byte{meta, code, sourceMap, codeCache} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(part)))
	}
	for _, part := range [][]byte{meta, code, sourceMap, codeCache} {
		b = append(b, part...)
	}
	return finish(b, start)
}
