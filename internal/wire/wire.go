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
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Type says what a frame's body holds.
type Type byte

// From the server to the worker.
const (
	Load   Type = 1 // a Program: what the worker is to run
	Invoke Type = 2 // request id and input of one invocation
	Ping   Type = 3 // answered by Pong when the event loop turns
	Stop   Type = 4 // exit
	Recall Type = 5 // give an invocation back that has not begun: Recalled, or nothing
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
)

const headerSize = 9

// ErrTooLarge is returned for a frame whose length exceeds the reader's bound.
var ErrTooLarge = errors.New("frame is larger than allowed")

// ErrMalformed is returned for a body that does not hold what its type says.
var ErrMalformed = errors.New("frame is malformed")

// Frame is one message. Body is valid until the next call of Reader.Next.
type Frame struct {
	Type Type
	ID   uint32
	Body []byte
}

// Reader reads frames of at most max body bytes.
type Reader struct {
	r   *bufio.Reader
	max int
	buf []byte // for bodies larger than the bufio.Reader holds
	// consume is how much of r the last frame used.
	consume int
}

// NewReader reads from r and refuses bodies larger than max bytes.
func NewReader(r io.Reader, max int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 32<<10), max: max}
}

// Next returns the next frame; io.EOF at a clean end, io.ErrUnexpectedEOF in
// the middle of a frame, ErrTooLarge beyond the bound.
func (r *Reader) Next() (Frame, error) {
	if _, err := r.r.Discard(r.consume); err != nil {
		return Frame{}, err
	}
	r.consume = 0
	head, err := r.r.Peek(headerSize)
	if err != nil {
		if errors.Is(err, io.EOF) && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	size := int64(binary.LittleEndian.Uint32(head))
	f := Frame{Type: Type(head[4]), ID: binary.LittleEndian.Uint32(head[5:])}
	if size > int64(r.max) {
		return Frame{}, fmt.Errorf("%w: type %d, %d bytes", ErrTooLarge, f.Type, size)
	}
	n := int(size)
	if headerSize+n <= r.r.Size() {
		whole, err := r.r.Peek(headerSize + n)
		if err != nil {
			return Frame{}, unexpected(err)
		}
		r.consume = headerSize + n
		f.Body = whole[headerSize:]
		return f, nil
	}
	if _, err := r.r.Discard(headerSize); err != nil {
		return Frame{}, err
	}
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	f.Body = r.buf[:n]
	_, err = io.ReadFull(r.r, f.Body)
	if n > 1<<20 {
		r.buf = nil // one large result must not be kept for the life of the worker
	}
	return f, unexpected(err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
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
