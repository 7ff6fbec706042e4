package oauth

import (
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"convoke"
	"convoke/internal/httpx"
)

const (
	maxForm  = 16 << 10 // bytes of a body
	maxQuery = 8 << 10
)

// parameters reads the form in the body of r. Where inQuery says so, a request
// without a body has its parameters in the query, as the reference's Java
// client sends them; the two are never mixed. A parameter that is there twice is
// refused (RFC 6749, section 3.2).
func parameters(w http.ResponseWriter, r *http.Request, inQuery bool) (url.Values, error) {
	body, err := httpx.ReadBody(w, r, maxForm)
	if convoke.ErrorCode(err) == convoke.CodePayloadTooLarge {
		w.Header().Set("Connection", "close") // the rest is not worth reading
		return nil, &problem{status: http.StatusRequestEntityTooLarge, code: "invalid_request", text: "the body is too large"}
	}
	if err != nil {
		return nil, problemf("invalid_request", "the body could not be read to its end")
	}
	if len(body) == 0 && inQuery {
		form, err := parseForm(r.URL.RawQuery)
		delete(form, "v") // the version of the path, not a parameter
		return form, err
	}
	if len(body) > 0 {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/x-www-form-urlencoded" {
			return nil, problemf("invalid_request", "the body must be application/x-www-form-urlencoded")
		}
	}
	return parseForm(string(body))
}

// parseForm refuses what other readers could understand in another way.
func parseForm(text string) (url.Values, error) {
	if len(text) > maxForm {
		return nil, problemf("invalid_request", "the parameters are too long")
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, problemf("invalid_request", "the parameters are not in the form of application/x-www-form-urlencoded")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, problemf("invalid_request", "the parameter %.50q is there more than once", name)
		}
		if !utf8.ValidString(values[0]) {
			return nil, problemf("invalid_request", "the parameter %.50q is no text", name)
		}
	}
	return form, nil
}
