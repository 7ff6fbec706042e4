package egress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// This file reads HTTP/1 (RFC 9112) without changing a byte. It is strict
// where two readers may see two messages in the same bytes, since the server
// behind may be the other reader.

// maxMethod is the longest method that is taken for one.
const maxMethod = 32

// malformed says that a message is not HTTP/1 that all readers understand
// alike.
type malformed string

func (m malformed) Error() string { return string(m) }

// request is what matters here of a request's head.
type request struct {
	method string
	target string // the host that the target names, "" for a path alone
	host   string // the Host field, "" when absent
	body   body
	// upgrade: the bytes after the answer may be another protocol.
	upgrade bool
}

// body is how long a message's content is (RFC 9112 section 6.3).
type body struct {
	length  int64
	chunked bool
	toEnd   bool // of the stream; answers only
}

// looksLikeHTTP reports whether a stream begins as HTTP/1. Only a first line
// that names the protocol counts, be it otherwise malformed, so that a text
// protocol whose commands look like methods passes. A stream that ends or
// hesitates within its first words is held back until it goes on.
func looksLikeHTTP(l *lookahead) (bool, error) {
	blank := false // there was one, behind what may be a method
	for at := 0; ; at++ {
		seen, err := l.need(at + 1)
		if errors.Is(err, errTooLong) || errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		switch c := seen[at]; {
		case c == '\n':
			// An empty line before a request is skipped by some servers.
			line := seen[:at+1]
			return len(bytes.TrimSpace(line)) == 0 || containsHTTP1(line), nil
		case c == ' ' || c == '\t':
			blank = true
		case c == '\r':
		case c < ' ' || c == 0x7f || !blank && (at == maxMethod || !isToken(seen[at:at+1])):
			return false, nil
		}
	}
}

func containsHTTP1(line []byte) bool { return bytes.Contains(bytes.ToUpper(line), []byte("HTTP/1")) }

// readHead sees a message's head to the end of its empty line. It returns
// io.EOF when the stream ends before one begins, io.ErrUnexpectedEOF within
// one, and malformed. The bytes stay in l.
func readHead(l *lookahead) ([]byte, error) {
	for at := 0; ; {
		end, err := l.line(at)
		switch {
		case errors.Is(err, errTooLong):
			return nil, malformed("a head is longer than 64 KiB")
		case errors.Is(err, io.EOF) && len(l.buf) > 0:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		line := l.buf[at:end]
		if !bytes.HasSuffix(line, []byte("\r\n")) {
			return nil, malformed("a line of a head ends in a line feed alone")
		}
		if at = end; len(line) == 2 {
			return l.buf[:end], nil
		}
	}
}

// parseRequest reads a head that readHead returned.
func parseRequest(head []byte) (request, error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	method, line, ok1 := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(line, []byte(" "))
	if !ok1 || !ok2 || !isToken(method) || len(method) > maxMethod || len(target) == 0 || !isVisible(target) {
		return request{}, malformed("the request line is malformed")
	}
	if v := string(version); v != "HTTP/1.1" && v != "HTTP/1.0" {
		return request{}, malformed("the version is neither HTTP/1.1 nor HTTP/1.0")
	}
	r := request{method: string(method)}
	var err error
	if r.target, err = targetHost(r.method, string(target)); err != nil {
		return request{}, err
	}
	h, err := parseFields(rest)
	if err != nil {
		return request{}, err
	}
	switch {
	case h.hosts > 1:
		return request{}, malformed("there are two Host fields")
	case h.hosts == 0 && string(version) == "HTTP/1.1":
		return request{}, malformed("there is no Host field")
	case h.codings > 0 && string(version) == "HTTP/1.0":
		return request{}, malformed("HTTP/1.0 has no Transfer-Encoding")
	}
	r.host = h.host
	r.upgrade = h.upgrade || r.method == "CONNECT"
	r.body, _, err = h.framing()
	return r, err
}

// targetHost returns the host of an absolute or authority form (RFC 9112
// section 3.2), which goes before the Host field.
func targetHost(method, target string) (string, error) {
	switch {
	case method == "CONNECT":
		return target, nil
	case target[0] == '/', target == "*":
		return "", nil
	}
	scheme, rest, ok := strings.Cut(target, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", malformed("the request's target is neither a path nor a URL")
	}
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		rest = rest[:i]
	}
	if strings.Contains(rest, "@") || rest == "" {
		return "", malformed("the request's target has no plain host")
	}
	return rest, nil
}

// answer is what matters here of an answer's head.
type answer struct {
	interim bool // another follows for the same request
	// switched: what follows is the protocol that the request asked for.
	switched bool
	body     body
}

// parseAnswer reads a head that readHead returned. What it cannot follow is
// an error, for which nobody is refused: see exchange.
func parseAnswer(head []byte, method string) (answer, error) {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return answer{}, malformed("the status line is malformed")
	}
	status, err := strconv.ParseUint(string(line[9:12]), 10, 16)
	if err != nil || status < 100 {
		return answer{}, malformed("the status is malformed")
	}
	h, err := parseFields(rest)
	if err != nil {
		return answer{}, err
	}
	switch {
	case status == 101 || method == "CONNECT" && status/100 == 2:
		return answer{switched: true}, nil
	case status/100 == 1:
		return answer{interim: true}, nil
	case method == "HEAD" || status == 204 || status == 304:
		return answer{}, nil
	}
	b, known, err := h.framing()
	b.toEnd = !known
	return answer{body: b}, err
}

// fields is what the fields of a head say about where the message ends and
// where it goes.
type fields struct {
	host    string
	hosts   int
	length  string
	lengths int
	coding  string
	codings int
	upgrade bool
}

func parseFields(lines []byte) (fields, error) {
	var f fields
	for {
		var line []byte
		var ok bool
		if line, lines, ok = bytes.Cut(lines, []byte("\r\n")); !ok {
			return f, malformed("the head has no end")
		}
		if len(line) == 0 {
			return f, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !isToken(name) { // also a folded line, and a space before the colon
			return f, malformed("a header field is malformed")
		}
		if !isFieldValue(value) {
			return f, malformed(fmt.Sprintf("the value of %s has a control character", name))
		}
		value = bytes.Trim(value, " \t")
		switch strings.ToLower(string(name)) {
		case "host":
			f.host, f.hosts = string(value), f.hosts+1
		case "content-length":
			f.length, f.lengths = string(value), f.lengths+1
		case "transfer-encoding":
			f.coding, f.codings = string(value), f.codings+1
		case "upgrade":
			f.upgrade = true
		}
	}
}

// framing tells the length of the content; known is whether any field does.
func (f *fields) framing() (b body, known bool, err error) {
	switch {
	case f.codings > 0 && f.lengths > 0:
		return b, false, malformed("there is both a Content-Length and a Transfer-Encoding")
	case f.codings > 1 || f.codings == 1 && !strings.EqualFold(f.coding, "chunked"):
		return b, false, malformed("the Transfer-Encoding is not chunked alone")
	case f.codings == 1:
		return body{chunked: true}, true, nil
	case f.lengths > 1:
		return b, false, malformed("there are two Content-Length fields")
	case f.lengths == 0:
		return b, false, nil
	}
	if !isDigits(f.length) {
		return b, false, malformed("the Content-Length is no number")
	}
	b.length, err = strconv.ParseInt(f.length, 10, 64)
	if err != nil {
		return b, false, malformed("the Content-Length is no number")
	}
	return b, true, nil
}

// passContent passes a message's content on as it comes.
func passContent(w io.Writer, l *lookahead, b body) error {
	if b.chunked {
		return passChunks(w, l)
	}
	return l.passBody(w, b.length)
}

// passChunks passes chunked content on to the end of its trailer (RFC 9112
// section 7.1).
func passChunks(w io.Writer, l *lookahead) error {
	for {
		end, err := l.line(0)
		if err != nil {
			return err
		}
		size, err := chunkSize(l.buf[:end])
		if err != nil {
			return err
		}
		if size == 0 {
			return passTrailer(w, l, end)
		}
		if err := l.pass(w, end); err != nil {
			return err
		}
		if err := l.passBody(w, size); err != nil {
			return err
		}
		after, err := l.need(2)
		if err != nil {
			return err
		}
		if after[0] != '\r' || after[1] != '\n' {
			return malformed("a chunk is longer than it says")
		}
		if err := l.pass(w, 2); err != nil {
			return err
		}
	}
}

// chunkSize reads the line before a chunk, with the extensions that nobody
// uses but a server may skip differently if there are odd bytes in them.
func chunkSize(line []byte) (int64, error) {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	digits, extension, _ := bytes.Cut(text, []byte(";"))
	if !ok || !isFieldValue(extension) || len(digits) == 0 || len(digits) > 15 {
		return 0, malformed("the size of a chunk is malformed")
	}
	var size int64
	for _, c := range digits {
		v := strings.IndexByte("0123456789abcdef", c|0x20)
		if v < 0 || c < '0' {
			return 0, malformed("the size of a chunk is malformed")
		}
		size = size<<4 | int64(v)
	}
	return size, nil
}

// passTrailer passes the last chunk, whose first line ends at from, with the
// fields behind it.
func passTrailer(w io.Writer, l *lookahead, from int) error {
	for at := from; ; {
		end, err := l.line(at)
		if err != nil {
			return err
		}
		line, ok := bytes.CutSuffix(l.buf[at:end], []byte("\r\n"))
		if !ok {
			return malformed("a line of a trailer ends in a line feed alone")
		}
		at = end
		if len(line) == 0 {
			return l.pass(w, end)
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); !ok || !isToken(name) || !isFieldValue(value) {
			return malformed("a trailer field is malformed")
		}
	}
}

// isToken is the token of RFC 9110 section 5.6.2.
func isToken(b []byte) bool {
	for _, c := range b {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// isVisible: no space, no control character.
func isVisible(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// isFieldValue: no control character but the tab (RFC 9110 section 5.5).
func isFieldValue(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
