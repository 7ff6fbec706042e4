package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	startBuffer = 4 << 10
	maxResponse = 4 << 20 // header and body; more is an error
)

// conn is one kept-alive HTTP/1.1 connection that sends prepared bytes and
// reads whole responses into a buffer of its own. It does as little as
// possible, because the load shares two cores with what it measures.
type conn struct {
	net  io.ReadWriteCloser
	buf  []byte // received bytes; [:end] is filled
	end  int
	body []byte // decoded chunks
}

// response is valid until the connection's next request.
type response struct {
	status int
	body   []byte
}

// dial connects within ctx; no read or write lasts beyond deadline.
func dial(ctx context.Context, addr string, deadline time.Time) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := c.SetDeadline(deadline); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return newConn(c), nil
}

func newConn(rw io.ReadWriteCloser) *conn {
	return &conn{net: rw, buf: make([]byte, startBuffer)}
}

func (c *conn) close() error { return c.net.Close() }

// do sends a request and reads the response. After an error the connection is
// of no further use.
func (c *conn) do(request []byte) (response, error) {
	c.end = 0
	if _, err := c.net.Write(request); err != nil {
		return response{}, err
	}
	headLength, err := c.readHead()
	if err != nil {
		return response{}, err
	}
	h, err := parseHead(c.buf[:headLength])
	if err != nil {
		return response{}, err
	}
	r := response{status: h.status}
	used := headLength
	switch {
	case h.chunked:
		r.body, used, err = c.readChunks(headLength)
	case h.length >= 0:
		used = headLength + h.length
		if err = c.need(used); err == nil {
			r.body = c.buf[headLength:used]
		}
	default:
		err = errors.New("response has neither Content-Length nor chunks")
	}
	if err != nil {
		return response{}, err
	}
	if used != c.end {
		return response{}, fmt.Errorf("%d bytes follow the response", c.end-used)
	}
	if h.close {
		return response{}, fmt.Errorf("server closes the connection after status %d: %.200q", r.status, r.body)
	}
	return r, nil
}

// readHead reads up to and including the blank line and returns its length.
func (c *conn) readHead() (int, error) {
	for from := 0; ; {
		if i := bytes.Index(c.buf[from:c.end], []byte("\r\n\r\n")); i >= 0 {
			return from + i + 4, nil
		}
		from = max(c.end-3, 0)
		if err := c.need(c.end + 1); err != nil {
			return 0, err
		}
	}
}

// need reads until n bytes of the response are in the buffer.
func (c *conn) need(n int) error {
	if n > maxResponse {
		return fmt.Errorf("response is larger than %d bytes", maxResponse)
	}
	for n > len(c.buf) {
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	for c.end < n {
		got, err := c.net.Read(c.buf[c.end:])
		c.end += got
		if err != nil && c.end < n {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// readChunks decodes the chunks that start at at, and returns the body and
// where they end. Trailers are skipped.
func (c *conn) readChunks(at int) (body []byte, end int, err error) {
	c.body = c.body[:0]
	for {
		line, next, err := c.readLine(at)
		if err != nil {
			return nil, 0, err
		}
		hex, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(hex)), 16, 31)
		if err != nil {
			return nil, 0, fmt.Errorf("chunk size %.20q", line)
		}
		at = next
		if size == 0 {
			break
		}
		stop := at + int(size)
		if err := c.need(stop + 2); err != nil {
			return nil, 0, err
		}
		if !bytes.Equal(c.buf[stop:stop+2], []byte("\r\n")) {
			return nil, 0, errors.New("chunk does not end in a line break")
		}
		c.body = append(c.body, c.buf[at:stop]...)
		at = stop + 2
	}
	for {
		line, next, err := c.readLine(at)
		if err != nil {
			return nil, 0, err
		}
		if at = next; len(line) == 0 {
			return c.body, at, nil
		}
	}
}

// readLine returns the line that starts at at and where the next one starts.
func (c *conn) readLine(at int) (line []byte, next int, err error) {
	for {
		if at < c.end {
			if i := bytes.IndexByte(c.buf[at:c.end], '\n'); i >= 0 {
				return bytes.TrimSuffix(c.buf[at:at+i], []byte("\r")), at + i + 1, nil
			}
		}
		if err := c.need(max(c.end, at) + 1); err != nil {
			return nil, 0, err
		}
	}
}

// head is what matters of a response's status line and header.
type head struct {
	status  int
	length  int // -1 when not given
	chunked bool
	close   bool
}

func parseHead(b []byte) (head, error) {
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' {
		return head{}, fmt.Errorf("status line %.40q", line)
	}
	status, ok := parseDigits(line[9:12])
	if !ok || status < 200 {
		return head{}, fmt.Errorf("status line %.40q", line)
	}
	h := head{status: status, length: -1, close: line[7] == '0'}
	if status == 204 || status == 304 {
		h.length = 0
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if h.length, ok = parseDigits(value); !ok {
				return head{}, fmt.Errorf("Content-Length %.40q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			h.chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			h.close = bytes.EqualFold(value, []byte("close"))
		}
	}
	return h, nil
}

// parseDigits is strconv.Atoi for 1 to 9 bare digits, without the conversion to a string.
func parseDigits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0 && len(b) < 10
}
