package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"convoke"
)

// query reads query parameters and keeps the first mistake. An empty value
// means that the parameter is absent: clients of the reference send those.
type query struct {
	values url.Values
	err    error
}

func queryOf(r *http.Request) *query { return &query{values: r.URL.Query()} }

func (q *query) fail(name, want string) {
	if q.err == nil {
		q.err = convoke.Errorf(convoke.CodeInvalid, "the query parameter %s must be %s", name, want)
	}
}

// text is a parameter of at most limit characters.
func (q *query) text(name string, limit int) string {
	v := q.values.Get(name)
	if len([]rune(v)) > limit {
		q.fail(name, "at most "+strconv.Itoa(limit)+" characters long")
		return ""
	}
	return v
}

// list is a repeated parameter; values may also be separated by commas.
func (q *query) list(name string) []string {
	var out []string
	for _, v := range q.values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// oneOf is list for a type with few values.
func oneOf[T ~string](q *query, name string, allowed []T) []T {
	var out []T
	for _, v := range q.list(name) {
		i := slices.IndexFunc(allowed, func(a T) bool { return strings.EqualFold(string(a), v) })
		if i < 0 {
			names := make([]string, len(allowed))
			for j, a := range allowed {
				names[j] = string(a)
			}
			q.fail(name, "one of "+strings.Join(names, ", "))
			return nil
		}
		out = append(out, allowed[i])
	}
	return out
}

// number is a whole number from low to high, or absent.
func (q *query) number(name string, low, high, absent int64) int64 {
	v := q.values.Get(name)
	if v == "" {
		return absent
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < low || n > high {
		q.fail(name, "a whole number from "+strconv.FormatInt(low, 10)+" to "+strconv.FormatInt(high, 10))
		return absent
	}
	return n
}

// time is Unix milliseconds or RFC 3339, or absent.
func (q *query) time(name string, absent time.Time) time.Time {
	v := q.values.Get(name)
	if v == "" {
		return absent
	}
	// The bounds keep arithmetic on it, in nanoseconds too, from overflowing.
	if ms, err := strconv.ParseInt(v, 10, 64); err == nil && ms >= 0 && ms < 1<<42 {
		return time.UnixMilli(ms).UTC()
	}
	// A "+" of the offset that was not escaped arrives as a space.
	t, err := time.Parse(time.RFC3339, strings.ReplaceAll(v, " ", "+"))
	if err != nil || t.Year() < 1970 || t.Year() > 2100 {
		q.fail(name, "a time in Unix milliseconds or RFC 3339")
		return absent
	}
	return t.UTC()
}

// flag is true or false; absent is false.
func (q *query) flag(name string) bool {
	v := q.values.Get(name)
	if v == "" {
		return false
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		q.fail(name, "true or false")
	}
	return b
}
