package invoke

import (
	"bytes"
	"encoding/json"

	"convoke"
)

// ParseInput checks the body of an invocation, a JSON object with a member
// payload (spec/events.md 1.1), and returns it as it goes to the function:
// nothing is decoded and encoded again, because the worker parses it anyway.
// It returns CodeInvalid with what is wrong.
func ParseInput(body []byte) ([]byte, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, convoke.Errorf(convoke.CodeInvalid, `The request has no body; send {"headers":[],"payload":{}}`)
	}
	if !json.Valid(body) {
		var v any
		return nil, convoke.Errorf(convoke.CodeInvalid, "The body is not valid JSON: %v", json.Unmarshal(body, &v))
	}
	if body[0] != '{' {
		return nil, convoke.Errorf(convoke.CodeInvalid, `The body must be a JSON object such as {"headers":[],"payload":{}}`)
	}
	headers, payload := members(body)
	if payload == 0 {
		return nil, convoke.Errorf(convoke.CodeInvalid, `The body has no member "payload"; send {"headers":[],"payload":{}}`)
	}
	if headers != 0 && headers != '[' && headers != '{' && headers != 'n' {
		return nil, convoke.Errorf(convoke.CodeInvalid, `The member "headers" must be an array of {"key","value"}`)
	}
	return body, nil
}

// members walks the top level of a valid JSON object and returns the first
// byte of the values of headers and payload, 0 for one that is absent.
func members(object []byte) (headers, payload byte) {
	for i := skipSpace(object, 1); object[i] == '"'; {
		end := skipValue(object, i)
		name := object[i+1 : end-1]
		i = skipSpace(object, skipSpace(object, end)+1) // past the colon
		switch {
		case string(name) == "headers":
			headers = object[i]
		case string(name) == "payload":
			payload = object[i]
		}
		i = skipSpace(object, skipValue(object, i))
		if object[i] != ',' {
			break
		}
		i = skipSpace(object, i+1)
	}
	return headers, payload
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// skipValue returns the index behind the value that starts at i of valid JSON.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		for i++; b[i] != '"'; i++ {
			if b[i] == '\\' {
				i++
			}
		}
		return i + 1
	case '{', '[':
		for depth := 0; ; i++ {
			switch b[i] {
			case '"':
				i = skipValue(b, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	default:
		for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
			i++
		}
		return i
	}
}
