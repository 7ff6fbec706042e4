package httpx

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"convoke"
)

// WriteTagged answers a GET with v and an ETag (RFC 9110, section 8.8.3), or
// with 304 and no body when the caller has that already. The tag is a digest
// of the answer, so it can miss no change of it, with revision before it where
// there is one: what a later change can depend on (Revisions). An error means
// that v cannot be encoded and that nothing was written.
func WriteTagged(w http.ResponseWriter, r *http.Request, revision string, v any) error {
	return encode(v, func(body *bytes.Buffer) {
		digest := sha256.Sum256(body.Bytes())
		tag := base64.RawURLEncoding.EncodeToString(digest[:12])
		if revision != "" {
			tag = revision + "." + tag
		}
		h := w.Header()
		h.Set("ETag", `"`+tag+`"`)
		if tags, any, ok := tagsOf(r.Header["If-None-Match"]); ok && (any || tags.have(tag)) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h["Content-Type"] = jsonType
		h.Set("Content-Length", strconv.Itoa(body.Len()))
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body.Bytes()) // a failure means that the caller left
	})
}

// Revisions are those that the header If-Match of a request demands; any asks
// only that there is something. given reports whether there is one at all. It
// returns CodeInvalid for a header that is none: to change something without
// the condition that was meant would be worse.
func Revisions(r *http.Request) (revisions []string, any, given bool, err error) {
	lines := r.Header["If-Match"]
	if len(lines) == 0 {
		return nil, false, false, nil
	}
	tags, any, ok := tagsOf(lines)
	if !ok {
		return nil, false, true, convoke.Errorf(convoke.CodeInvalid, "the header If-Match is the ETag of an answer with its quotation marks, or several with commas between them")
	}
	for _, t := range tags {
		// Weak ones match nothing here (RFC 9110, section 13.1.1), and those of
		// lists have no revision.
		if revision, _, found := strings.Cut(t.opaque, "."); found && !t.weak {
			revisions = append(revisions, revision)
		}
	}
	return revisions, any, true, nil
}

type entityTag struct {
	opaque string
	weak   bool
}

type entityTags []entityTag

// have compares weakly, as If-None-Match does.
func (t entityTags) have(opaque string) bool {
	for _, one := range t {
		if one.opaque == opaque {
			return true
		}
	}
	return false
}

// tagsOf reads a list of entity tags, or "*"; it reports false for anything else.
func tagsOf(lines []string) (tags entityTags, any, ok bool) {
	rest := strings.TrimSpace(strings.Join(lines, ","))
	if rest == "*" {
		return nil, true, true
	}
	for rest != "" {
		var t entityTag
		rest, t.weak = strings.CutPrefix(rest, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return nil, false, false
		}
		if t.opaque, rest, ok = strings.Cut(rest[1:], `"`); !ok {
			return nil, false, false
		}
		tags = append(tags, t)
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && rest[0] != ',' {
			return nil, false, false
		}
		rest = strings.TrimLeft(rest, ", \t")
	}
	return tags, false, len(tags) > 0
}
