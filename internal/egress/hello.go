package egress

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// The numbers of TLS that matter here (RFC 8446, sections 4 and 5.1, RFC 6066
// section 3).
const (
	recordHandshake   = 22
	helloMessage      = 1
	extServerName     = 0
	nameTypeHost      = 0
	maxRecord         = 1<<14 + 256
	recordHeader      = 5
	handshakeHeader   = 4
	tlsMajor          = 3
	alertUnrecognized = "\x15\x03\x03\x00\x02\x02\x70" // fatal, unrecognized_name
)

var errHello = errors.New("malformed ClientHello")

// looksLikeTLS reports whether a stream that begins so is TLS; two bytes say
// it.
func looksLikeTLS(begin []byte) bool {
	return len(begin) >= 2 && begin[0] == recordHandshake && begin[1] == tlsMajor
}

// readHello sees a whole ClientHello, which may come in several records, and
// returns the server name in it, "" when there is none. The bytes stay in l.
func readHello(l *lookahead) (serverName string, err error) {
	var message []byte
	for at := 0; ; {
		head, err := l.need(at + recordHeader)
		if err != nil {
			return "", err
		}
		head = head[at : at+recordHeader]
		length := int(head[3])<<8 | int(head[4])
		if head[0] != recordHandshake || head[1] != tlsMajor || length == 0 || length > maxRecord {
			return "", errHello
		}
		seen, err := l.need(at + recordHeader + length)
		if err != nil {
			return "", err
		}
		message = append(message, seen[at+recordHeader:at+recordHeader+length]...)
		at += recordHeader + length
		if len(message) < handshakeHeader {
			continue
		}
		if message[0] != helloMessage {
			return "", errHello
		}
		want := handshakeHeader + (int(message[1])<<16 | int(message[2])<<8 | int(message[3]))
		if want > maxHead {
			return "", errTooLong
		}
		if len(message) >= want {
			return parseHello(message[handshakeHeader:want])
		}
	}
}

// parseHello returns the host_name of a ClientHello's server_name extension.
// More than one of either is an error: which of them counts is the server's
// guess.
func parseHello(body []byte) (serverName string, err error) {
	s := cryptobyte.String(body)
	var session, suites, compression, extensions cryptobyte.String
	if !s.Skip(2+32) || // legacy_version, random
		!s.ReadUint8LengthPrefixed(&session) ||
		!s.ReadUint16LengthPrefixed(&suites) ||
		!s.ReadUint8LengthPrefixed(&compression) {
		return "", errHello
	}
	if s.Empty() {
		return "", nil // TLS 1.2 without extensions
	}
	if !s.ReadUint16LengthPrefixed(&extensions) || !s.Empty() {
		return "", errHello
	}
	found := false
	for !extensions.Empty() {
		var kind uint16
		var data, names, name cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&data) {
			return "", errHello
		}
		if kind != extServerName {
			continue
		}
		var nameType uint8
		if found || !data.ReadUint16LengthPrefixed(&names) || !data.Empty() ||
			!names.ReadUint8(&nameType) || nameType != nameTypeHost ||
			!names.ReadUint16LengthPrefixed(&name) || name.Empty() || !names.Empty() {
			return "", errHello
		}
		found, serverName = true, string(name)
	}
	return serverName, nil
}
