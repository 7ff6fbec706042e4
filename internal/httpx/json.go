package httpx

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"convoke"
)

// ReadJSON decodes the body of r, at most limit bytes of it, into v. Members
// that v does not have are ignored. It returns CodeInvalid for an empty or
// malformed body and CodePayloadTooLarge for one beyond the limit.
func ReadJSON(w http.ResponseWriter, r *http.Request, v any, limit int64) error {
	return needed(decode(w, r, v, limit, false))
}

// ReadExactJSON is ReadJSON for a body whose members must all be known, and
// CodeInvalid names one that is not: a slip of the pen in one that may be left
// out would otherwise make, say, a token that never ends. Tools of the reference
// send members that we have no use for, so what they call takes ReadJSON.
func ReadExactJSON(w http.ResponseWriter, r *http.Request, v any, limit int64) error {
	return needed(decode(w, r, v, limit, true))
}

func needed(found bool, err error) error {
	if err == nil && !found {
		return convoke.Errorf(convoke.CodeInvalid, "the request needs a JSON body")
	}
	return err
}

// ReadOptionalJSON is ReadJSON for a body that may be empty; v stays as it is then.
func ReadOptionalJSON(w http.ResponseWriter, r *http.Request, v any, limit int64) error {
	_, err := decode(w, r, v, limit, false)
	return err
}

// ReadOptionalExactJSON is ReadExactJSON for a body that may be empty.
func ReadOptionalExactJSON(w http.ResponseWriter, r *http.Request, v any, limit int64) error {
	_, err := decode(w, r, v, limit, true)
	return err
}

// ReadBody reads the body of r, at most limit bytes of it. It returns
// CodePayloadTooLarge for one beyond the limit and CodeRequestTimeout for one
// that does not arrive in time.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge(limit)
		}
		if slow, ok := errors.AsType[*convoke.Error](err); ok {
			return nil, slow
		}
		return nil, &convoke.Error{Code: convoke.CodeInvalid, Message: "the body could not be read to its end", Cause: err}
	}
	return buf.Bytes(), nil
}

func tooLarge(limit int64) error {
	return convoke.Errorf(convoke.CodePayloadTooLarge, "the body is larger than %d bytes", limit)
}

// decode reports whether there was a body at all.
func decode(w http.ResponseWriter, r *http.Request, v any, limit int64, exact bool) (bool, error) {
	body, err := ReadBody(w, r, limit)
	if err != nil {
		return false, err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(body, v); err != nil || !exact {
		return true, explain(err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	// What it finds is what Unmarshal let pass.
	if err := d.Decode(reflect.New(reflect.TypeOf(v).Elem()).Interface()); err != nil {
		return true, unknown(err, v)
	}
	return true, nil
}

// unknown names the member that v does not have, and those that it has.
func unknown(err error, v any) error {
	name, ok := strings.CutPrefix(err.Error(), "json: unknown field ")
	if !ok {
		return explain(err)
	}
	return &convoke.Error{Code: convoke.CodeInvalid, Cause: err,
		Message: "there is no member " + name + "; the body takes " + strings.Join(members(reflect.TypeOf(v).Elem()), ", ")}
}

// members are the names of what a body of type t has.
func members(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			names = append(names, members(f.Type)...)
		case name != "-":
			names = append(names, cmp.Or(name, f.Name))
		}
	}
	return names
}

// explain turns the decoder's error into a sentence for the person.
func explain(err error) error {
	if err == nil {
		return nil
	}
	e := &convoke.Error{Code: convoke.CodeInvalid, Message: "the body is not as expected: " + err.Error(), Cause: err}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		e.Message = "the body is not JSON: " + syntax.Error() + " at byte " + strconv.FormatInt(syntax.Offset, 10)
	}
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		at := "the body"
		if typ.Field != "" {
			at = "member " + typ.Field
		}
		e.Message = at + " must be " + kind(typ) + ", not " + typ.Value
	}
	return e
}

func kind(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind().String() {
	case "struct", "map":
		return "an object"
	case "slice", "array":
		return "an array"
	case "string":
		return "a string"
	case "bool":
		return "true or false"
	case "int", "int64":
		return "a whole number"
	default:
		return "a " + e.Type.String()
	}
}

// WriteJSON answers with v. An error means that v cannot be encoded and that
// nothing was written.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	return writeJSON(w, w.Write, status, v)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled keeps one large answer from staying in memory for ever.
const maxPooled = 64 << 10

var jsonType = []string{"application/json; charset=utf-8"}

func writeJSON(w http.ResponseWriter, write func([]byte) (int, error), status int, v any) error {
	return encode(v, func(body *bytes.Buffer) {
		h := w.Header()
		h["Content-Type"] = jsonType
		h.Set("Content-Length", strconv.Itoa(body.Len()))
		w.WriteHeader(status)
		_, _ = write(body.Bytes()) // a failure means that the caller left: nobody is there to tell
	})
}

// encode gives use the JSON of v, in memory that is used again afterwards.
func encode(v any, use func(*bytes.Buffer)) error {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= maxPooled {
			buffers.Put(buf)
		}
	}()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	use(buf)
	return nil
}
