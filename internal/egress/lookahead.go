package egress

import (
	"bytes"
	"errors"
	"io"
)

// maxHead is the longest beginning of a stream that is held back to be judged:
// a request's head, an answer's head, or a TLS greeting.
const maxHead = 64 << 10

var errTooLong = errors.New("it is longer than 64 KiB")

// lookahead reads a stream whose next bytes can be seen before they are passed
// on.
type lookahead struct {
	r   io.Reader
	buf []byte // seen and not passed on yet
}

// need returns at least the next n bytes, which stay where they are. It
// returns io.EOF when the stream ends before them, with none of them or with
// some, and errTooLong for more than maxHead.
func (l *lookahead) need(n int) ([]byte, error) {
	for len(l.buf) < n {
		if err := l.fill(); err != nil {
			return l.buf, err
		}
	}
	return l.buf, nil
}

// line returns where the line that begins at from ends, past its line feed.
func (l *lookahead) line(from int) (end int, err error) {
	searched := min(from, len(l.buf))
	for {
		if i := bytes.IndexByte(l.buf[searched:], '\n'); i >= 0 {
			return searched + i + 1, nil
		}
		searched = len(l.buf)
		if err := l.fill(); err != nil {
			return 0, err
		}
	}
}

func (l *lookahead) fill() error {
	if len(l.buf) == cap(l.buf) {
		if len(l.buf) >= maxHead {
			return errTooLong
		}
		grown := make([]byte, len(l.buf), max(4<<10, 2*len(l.buf)))
		copy(grown, l.buf)
		l.buf = grown
	}
	n, err := l.r.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// pass writes the next n bytes, which have been seen, to w.
func (l *lookahead) pass(w io.Writer, n int) error {
	_, err := w.Write(l.buf[:n])
	l.drop(n)
	return err
}

func (l *lookahead) drop(n int) {
	if n == len(l.buf) && cap(l.buf) > 4<<10 {
		l.buf = nil // a long head was an exception; a stream may live for long
		return
	}
	l.buf = l.buf[:copy(l.buf, l.buf[n:])]
}

// passBody writes the next n bytes to w as they come. It returns io.EOF when
// the stream ends before them.
func (l *lookahead) passBody(w io.Writer, n int64) error {
	seen := int(min(n, int64(len(l.buf))))
	if seen > 0 {
		if err := l.pass(w, seen); err != nil {
			return err
		}
		n -= int64(seen)
	}
	if n == 0 {
		return nil
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for n > 0 {
		m, err := l.r.Read((*buf)[:min(n, int64(len(*buf)))])
		if m > 0 {
			if _, err := w.Write((*buf)[:m]); err != nil {
				return err
			}
			n -= int64(m)
		} else if err != nil {
			return err
		}
	}
	return nil
}
