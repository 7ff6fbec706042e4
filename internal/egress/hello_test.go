package egress

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// hello is the first flight of Go's own client.
func hello(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(client, cfg).Handshake() // fails when the pipe closes
	}()
	head := make([]byte, recordHeader)
	if _, err := io.ReadFull(server, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(server, body); err != nil {
		t.Fatal(err)
	}
	client.Close()
	<-done
	return append(head, body...)
}

// inRecords cuts a hello of one record into records of n bytes.
func inRecords(one []byte, n int) []byte {
	var out []byte
	for rest := one[recordHeader:]; len(rest) > 0; {
		part := rest[:min(n, len(rest))]
		rest = rest[len(part):]
		out = append(out, one[0], one[1], one[2], byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

func TestReadHello(t *testing.T) {
	t.Parallel()
	named := hello(t, &tls.Config{ServerName: "api.example.com"})
	old := hello(t, &tls.Config{ServerName: "api.example.com", MaxVersion: tls.VersionTLS12})
	nameless := hello(t, &tls.Config{InsecureSkipVerify: true})
	double := bytes.Replace(named, []byte("\x00\x00\x00\x14\x00\x12\x00\x00\x0fapi.example.com"), []byte("\x00\x00\x00\x14\x00\x12\x00\x00\x06api.ex\x00\x00\x06le.com"), 1)
	if bytes.Equal(double, named) {
		t.Fatal("the extension was not found")
	}
	long := bytes.Clone(named) // its server_name extension claims one byte too many
	long[bytes.Index(long, []byte("api.example.com"))-6]++
	noExtensions := []byte("\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + strings.Repeat("r", 32) + "\x00\x00\x02\x00\x2f\x01\x00")
	for name, c := range map[string]struct {
		in   []byte
		want string
		err  error
	}{
		"TLS 1.3":          {named, "api.example.com", nil},
		"TLS 1.2":          {old, "api.example.com", nil},
		"no name":          {nameless, "", nil},
		"no extensions":    {noExtensions, "", nil},
		"many records":     {inRecords(named, 7), "api.example.com", nil},
		"with more behind": {append(bytes.Clone(named), "more"...), "api.example.com", nil},
		"two names":        {double, "", errHello},
		"cut off":          {named[:len(named)-1], "", io.EOF},
		"alert":            {[]byte("\x15\x03\x01\x00\x02\x02\x28"), "", errHello},
		"server hello":     {append([]byte("\x16\x03\x01\x00\x04\x02\x00\x00\x00"), named...), "", errHello},
		"huge":             {[]byte("\x16\x03\x01\x00\x04\x01\xff\xff\xff"), "", errTooLong},
		"empty record":     {[]byte("\x16\x03\x01\x00\x00\x16\x03\x01\x00\x00"), "", errHello},
		"long record":      {[]byte("\x16\x03\x01\xff\xff\x01"), "", errHello},
		"extension long":   {long, "", errHello},
	} {
		l := &lookahead{r: iotest.OneByteReader(bytes.NewReader(c.in))}
		got, err := readHello(l)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v; want %q, %v", name, got, err, c.want, c.err)
		}
		if !bytes.HasPrefix(c.in, l.buf) {
			t.Errorf("%s: the bytes were changed", name)
		}
	}
}

func FuzzReadHello(f *testing.F) {
	named := hello(f, &tls.Config{ServerName: "api.example.com"})
	f.Add(named)
	f.Add(inRecords(named, 9))
	f.Fuzz(func(t *testing.T, in []byte) {
		l := &lookahead{r: bytes.NewReader(in)}
		name, err := readHello(l)
		if err != nil && name != "" {
			t.Errorf("a name %q with %v", name, err)
		}
		if !bytes.HasPrefix(in, l.buf) {
			t.Error("the bytes were changed")
		}
	})
}
