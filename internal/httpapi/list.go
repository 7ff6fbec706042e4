package httpapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"convoke"
	"convoke/internal/httpx"
)

// pageMost is the longest page of a list that is given whole when nobody asks
// for less.
const pageMost = 1000

// listPage is the page that a request asks for, with what names the next one.
type listPage struct {
	convoke.Page
	list  string // digest of what the pages of one list have in common
	query url.Values
}

// page reads limit, sort and cursor. Without a limit there are absent
// elements; 0 is all.
func (q *query) page(r *http.Request, order convoke.Order, absent, most int) listPage {
	p := listPage{query: q.values}
	p.Limit = int(q.number("limit", 1, int64(most), int64(absent)))
	p.Sort = q.values.Get("sort")
	if len(q.values["sort"]) > 1 {
		q.fail("sort", "given once")
	}
	field, descending, err := order.Resolve(p.Sort)
	if err != nil {
		q.fail("sort", "one of "+strings.Join(order.Fields, ", ")+", with a leading - from the end")
		return p
	}
	p.Sort = field
	if descending {
		p.Sort = "-" + field
	}
	p.list = digest(r.URL.Path, q.values, p.Sort)
	if text := q.values.Get("cursor"); text != "" {
		var c cursor
		if p.After = c.read(text); p.After == nil || c.List != p.list {
			q.fail("cursor", "taken from the Link header of the page before, with everything else in the query but limit as it was; leave it out to begin anew")
		}
	}
	return p
}

// digest stands for a list with its filter and its order.
func digest(path string, values url.Values, sort string) string {
	same := url.Values{}
	for name, texts := range values {
		if name == "cursor" || name == "limit" || name == "sort" {
			continue
		}
		// An empty value means that the parameter is absent.
		if texts = slices.DeleteFunc(slices.Clone(texts), func(v string) bool { return v == "" }); len(texts) > 0 {
			same[name] = texts
		}
	}
	sum := sha256.Sum256([]byte(path + "\n" + same.Encode() + "\n" + sort))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// cursor is a place in one list. Callers do not look into it. It holds nothing
// that the caller has not read, and a forged one only begins elsewhere in what
// the caller may read.
type cursor struct {
	List string `json:"l"`
	Mark []any  `json:"m"`
}

// String writes the cursor for a query. Texts are quoted: what is no UTF-8
// would not survive as JSON.
func (c cursor) String() string {
	out := cursor{List: c.List}
	for _, v := range c.Mark {
		if text, ok := v.(string); ok {
			v = strconv.QuoteToASCII(text)
		}
		out.Mark = append(out.Mark, v)
	}
	b, _ := json.Marshal(out) // texts and whole numbers
	return base64.RawURLEncoding.EncodeToString(b)
}

// read takes what String wrote and returns the mark, nil for anything else.
func (c *cursor) read(text string) convoke.Mark {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if d.Decode(c) != nil {
		return nil
	}
	mark := make(convoke.Mark, len(c.Mark))
	for i, v := range c.Mark {
		switch v := v.(type) {
		case string:
			mark[i], err = strconv.Unquote(v)
		case json.Number:
			mark[i], err = v.Int64()
		default:
			return nil
		}
		if err != nil {
			return nil
		}
	}
	return mark
}

// link announces the next page (RFC 8288), if there is one.
func (p listPage) link(w http.ResponseWriter, r *http.Request, next convoke.Mark) {
	if next == nil {
		return
	}
	values := url.Values{}
	for name, texts := range p.query {
		values[name] = texts
	}
	values.Set("cursor", cursor{List: p.list, Mark: next}.String())
	// Relative to the host: which one the caller used is not ours to know.
	w.Header().Set("Link", "<"+r.URL.EscapedPath()+"?"+values.Encode()+`>; rel="next"`)
}

// writeList answers with a page of things. Its ETag saves callers who look
// again and again from reading what they have.
func writeList[T any](w http.ResponseWriter, r *http.Request, p listPage, next convoke.Mark, page []T) error {
	p.link(w, r, next)
	return httpx.WriteTagged(w, r, "", page)
}

// writeRecords answers with a page of records. They have no ETag: there is
// nearly always something new.
func writeRecords[T any](w http.ResponseWriter, r *http.Request, p listPage, next convoke.Mark, page []T) error {
	p.link(w, r, next)
	return httpx.WriteJSON(w, http.StatusOK, page)
}

// bodies makes the wire form of all.
func bodies[T, B any](all []T, body func(T) B) []B {
	out := make([]B, len(all))
	for i, v := range all {
		out[i] = body(v)
	}
	return out
}
