package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Destination is where a function wants a connection to.
type Destination struct {
	Invocation uint32 // 0: outside of any
	Port       int    // 1 to 65535
	TLS        bool   // the worker will begin with a handshake
	Host       string
}

const (
	destinationSize = 7
	maxHost         = 255
)

// ParseDestination decodes the body of a Dial frame:
//
//	invocation u32 | port u16 | flags u8 (1: TLS) | host, at most 255 bytes
func ParseDestination(b []byte) (Destination, error) {
	if len(b) <= destinationSize || len(b) > destinationSize+maxHost {
		return Destination{}, fmt.Errorf("%w: dial of %d bytes", ErrMalformed, len(b))
	}
	d := Destination{
		Invocation: binary.LittleEndian.Uint32(b),
		Port:       int(binary.LittleEndian.Uint16(b[4:])),
		TLS:        b[6] == 1,
		Host:       string(b[destinationSize:]),
	}
	if d.Port == 0 || b[6] > 1 || strings.ContainsFunc(d.Host, unprintable) {
		return Destination{}, fmt.Errorf("%w: dial", ErrMalformed)
	}
	return d, nil
}

// Exchange is one request and its answer, as the worker saw it.
type Exchange struct {
	Invocation uint32
	Took       time.Duration
	Status     int   // 0 when there was no answer
	Sent       int64 // bytes on the connection since the exchange before
	Received   int64
	Method     string
	Detail     string // what went wrong, in a word; "" when nothing did
}

const (
	exchangeSize = 27
	maxMethod    = 16
	maxDetail    = 100
)

// ParseExchange decodes the body of a Call frame:
//
//	invocation u32 | ms u32 | status u16 | sent u64 | received u64 | n u8 | method, n bytes | detail
func ParseExchange(b []byte) (Exchange, error) {
	if len(b) < exchangeSize || len(b) > exchangeSize+maxMethod+maxDetail {
		return Exchange{}, fmt.Errorf("%w: call of %d bytes", ErrMalformed, len(b))
	}
	x := Exchange{
		Invocation: binary.LittleEndian.Uint32(b),
		Took:       time.Duration(binary.LittleEndian.Uint32(b[4:])) * time.Millisecond,
		Status:     int(binary.LittleEndian.Uint16(b[8:])),
	}
	sent, received, n, rest := binary.LittleEndian.Uint64(b[10:]), binary.LittleEndian.Uint64(b[18:]), int(b[26]), b[exchangeSize:]
	if x.Status > 999 || sent > maxTransfer || received > maxTransfer || n > maxMethod || n > len(rest) {
		return Exchange{}, fmt.Errorf("%w: call", ErrMalformed)
	}
	x.Sent, x.Received, x.Method, x.Detail = int64(sent), int64(received), string(rest[:n]), string(rest[n:])
	if strings.ContainsFunc(x.Method, func(r rune) bool { return r == ' ' || unprintable(r) }) || strings.ContainsFunc(x.Detail, unprintable) {
		return Exchange{}, fmt.Errorf("%w: call's text", ErrMalformed)
	}
	return x, nil
}

const maxTransfer = 1 << 53 // beyond it JavaScript cannot count

// unprintable reports whether r is no printable ASCII character.
func unprintable(r rune) bool { return r < ' ' || r >= utf8.RuneSelf-1 }

// AppendDialFailed appends a DialFailed frame.
func AppendDialFailed(b []byte, id uint32, refusal []byte) []byte {
	start := len(b)
	return finish(append(begin(b, DialFailed, id), refusal...), start)
}
