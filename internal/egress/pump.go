package egress

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	bufferSize = 32 << 10
	// spliceWait is how long a splice may wait for more: it occupies a pipe,
	// of which a user has few, so an idle connection must not hold one.
	spliceWait = 20 * time.Millisecond
	// spliceMargin is how far from its limit of bytes a connection may be
	// spliced, for a splice is counted at its end.
	spliceMargin = 256 << 20
)

// buffers are lent to a stream while it has something to carry; one that waits
// holds none.
var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// stream is one end of a connection: *net.UnixConn or *net.TCPConn.
type stream interface {
	net.Conn
	syscall.Conn
	CloseRead() error
	CloseWrite() error
}

// meter counts what one direction carries and stops it at the connection's
// limit.
type meter struct {
	stream
	add func(n int64) error
}

func (m meter) Write(p []byte) (int, error) {
	n, err := m.stream.Write(p)
	if over := m.add(int64(n)); err == nil {
		err = over
	}
	return n, err
}

// pump carries bytes until from ends, with nil, or one of the two fails. When
// interrupted says so it returns what it has read and not written; interrupted
// may be nil. mayBulk says whether there is room for a splice.
func pump(to meter, from stream, mayBulk, interrupted func() bool) (rest []byte, err error) {
	raw, err := from.SyscallConn()
	if err != nil {
		return nil, err
	}
	for {
		buf, n, err := readWhenReady(raw)
		if err != nil || n == 0 {
			return nil, err
		}
		if interrupted != nil && interrupted() {
			rest = append(rest, (*buf)[:n]...)
			buffers.Put(buf)
			return rest, nil
		}
		_, err = to.Write((*buf)[:n])
		buffers.Put(buf)
		if err != nil {
			return nil, err
		}
		// Reads that fill the buffer are a transfer: let the kernel do it.
		for more := n == bufferSize; more && mayBulk(); {
			var ended bool
			if more, ended, err = splice(to, from); ended || err != nil {
				return nil, err
			}
		}
	}
}

// readWhenReady waits until there is something to read and only then takes a
// buffer, which the caller puts back. 0 bytes are the end of the stream.
func readWhenReady(raw syscall.RawConn) (buf *[]byte, n int, err error) {
	waitErr := raw.Read(func(fd uintptr) bool {
		buf = buffers.Get().(*[]byte)
		for n, err = unix.Read(int(fd), *buf); err == unix.EINTR; {
			n, err = unix.Read(int(fd), *buf)
		}
		if err == nil && n > 0 {
			return true
		}
		buffers.Put(buf)
		return err != unix.EAGAIN
	})
	if waitErr != nil {
		return nil, 0, waitErr
	}
	return buf, n, err
}

// splice lets the kernel carry bytes until none came for a moment. It reports
// whether any came, and whether the stream has ended.
func splice(to meter, from stream) (more, ended bool, err error) {
	if err := from.SetReadDeadline(time.Now().Add(spliceWait)); err != nil {
		return false, false, err
	}
	n, err := io.Copy(to.stream, from)
	if over := to.add(n); over != nil {
		return false, false, over
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, err == nil, err
	}
	return n > 0, false, from.SetReadDeadline(time.Time{})
}
