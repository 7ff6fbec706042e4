package wire

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func destination(invocation uint32, port uint16, flags byte, host string) []byte {
	b := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint32(nil, invocation), port)
	return append(append(b, flags), host...)
}

func TestParseDestination(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []byte
		want Destination
		err  error
	}{
		"plain":          {destination(7, 80, 0, "api.example.com"), Destination{Invocation: 7, Port: 80, Host: "api.example.com"}, nil},
		"TLS":            {destination(0, 65535, 1, "x"), Destination{Port: 65535, TLS: true, Host: "x"}, nil},
		"longest host":   {destination(1, 1, 0, strings.Repeat("h", 255)), Destination{Invocation: 1, Port: 1, Host: strings.Repeat("h", 255)}, nil},
		"too long host":  {destination(1, 1, 0, strings.Repeat("h", 256)), Destination{}, ErrMalformed},
		"no host":        {destination(1, 80, 0, ""), Destination{}, ErrMalformed},
		"short":          {[]byte{1, 2}, Destination{}, ErrMalformed},
		"port 0":         {destination(1, 0, 0, "x"), Destination{}, ErrMalformed},
		"unknown flag":   {destination(1, 80, 2, "x"), Destination{}, ErrMalformed},
		"zero byte":      {destination(1, 80, 0, "a\x00b"), Destination{}, ErrMalformed},
		"line end":       {destination(1, 80, 0, "a\nb"), Destination{}, ErrMalformed},
		"beyond ASCII":   {destination(1, 80, 0, "bücher.example"), Destination{}, ErrMalformed},
		"no text at all": {destination(1, 80, 0, "\xff\xfe"), Destination{}, ErrMalformed},
	} {
		got, err := ParseDestination(c.in)
		if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v\n%s", name, err, c.err, diff)
		}
	}
}

func exchange(invocation, ms uint32, status uint16, sent, received uint64, method, detail string) []byte {
	b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, invocation), ms)
	b = binary.LittleEndian.AppendUint16(b, status)
	b = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, sent), received)
	return append(append(append(b, byte(len(method))), method...), detail...)
}

func TestParseExchange(t *testing.T) {
	t.Parallel()
	good := Exchange{Invocation: 3, Took: 12 * time.Millisecond, Status: 404, Sent: 5, Received: 1 << 40, Method: "GET", Detail: "ECONNRESET"}
	short := exchange(3, 12, 404, 5, 6, "GET", "")
	short[26] = 200
	for name, c := range map[string]struct {
		in   []byte
		want Exchange
		err  error
	}{
		"good":            {exchange(3, 12, 404, 5, 1<<40, "GET", "ECONNRESET"), good, nil},
		"nothing known":   {exchange(0, 0, 0, 0, 0, "", ""), Exchange{}, nil},
		"short":           {short[:26], Exchange{}, ErrMalformed},
		"long":            {exchange(3, 12, 404, 5, 6, "GET", strings.Repeat("d", 200)), Exchange{}, ErrMalformed},
		"long method":     {exchange(3, 12, 404, 5, 6, strings.Repeat("M", 17), ""), Exchange{}, ErrMalformed},
		"method over end": {short, Exchange{}, ErrMalformed},
		"status":          {exchange(3, 12, 1000, 5, 6, "GET", ""), Exchange{}, ErrMalformed},
		"negative bytes":  {exchange(3, 12, 200, 1<<63, 6, "GET", ""), Exchange{}, ErrMalformed},
		"method's space":  {exchange(3, 12, 200, 5, 6, "GET /", ""), Exchange{}, ErrMalformed},
		"detail's line":   {exchange(3, 12, 200, 5, 6, "GET", "a\nb"), Exchange{}, ErrMalformed},
	} {
		got, err := ParseExchange(c.in)
		if diff := cmp.Diff(c.want, got); diff != "" || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v\n%s", name, err, c.err, diff)
		}
	}
}

func TestAppendDialFailed(t *testing.T) {
	t.Parallel()
	r := NewReader(100)
	feed(r, AppendDialFailed(nil, 9, []byte(`{"code":"X"}`)), 1000)
	if f, ok, err := r.Next(); err != nil || !ok || f.Type != DialFailed || f.ID != 9 || string(f.Body) != `{"code":"X"}` {
		t.Errorf("frame = %+v, %v, %v", f, ok, err)
	}
}
