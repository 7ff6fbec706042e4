package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// FuzzBodies reads what may be sent as any body of the table, in each of the
// ways that handlers read one: it is refused with a code that the caller can act
// on, or it is a value that is still the same when it was written and read again.
func FuzzBodies(f *testing.F) {
	bodies := []any{api.LambdaRequest{}, api.ProxySettingRequest{}, api.RefreshRequest{}}
	for _, rt := range (&server{}).routes() {
		if rt.Doc.Request != nil && !slices.ContainsFunc(bodies, func(b any) bool { return reflect.TypeOf(b) == reflect.TypeOf(rt.Doc.Request) }) {
			bodies = append(bodies, rt.Doc.Request)
		}
	}
	if len(bodies) < 15 {
		f.Fatalf("the table has %d kinds of bodies", len(bodies))
	}
	for i, body := range bodies {
		text, err := json.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), string(text))
	}
	for _, text := range []string{
		"", " ", "null", "[]", "{}", `{"a":1}`, `{} {}`, `{"name":7}`, `{"name":"x","name":"y"}`, `{"NAME":"x"}`, `{"name":"\ud800"}`, "{\"name\":\"\xff\"}", `{"payload":1e400}`, `{"payload":{"a":[1.0,-0,1E5]}}`, "\ufeff{}",
		`{"ttlSeconds":9223372036854775808}`, `{"limits":{"payloadBytes":1.5}}`, `{"settings":{"timeoutMs":-1}}`, `{"headers":[{"key":null}]}`, `{"environmentVariables":{"a":null}}`, `{"files":{"../x":"y"}}`, strings.Repeat("[", 20_000), `{"code":"` + "\u2028" + `"}`,
	} {
		for i := range bodies {
			f.Add(byte(i), text)
		}
	}
	const limit = 64 << 10
	ways := map[string]func(http.ResponseWriter, *http.Request, any, int64) error{
		"ReadJSON": httpx.ReadJSON, "ReadExactJSON": httpx.ReadExactJSON, "ReadOptionalJSON": httpx.ReadOptionalJSON, "ReadOptionalExactJSON": httpx.ReadOptionalExactJSON,
	}
	f.Fuzz(func(t *testing.T, kind byte, text string) {
		body := reflect.TypeOf(bodies[int(kind)%len(bodies)])
		read := func(way, text string) (any, error) {
			v := reflect.New(body).Interface()
			err := ways[way](httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(text)), v, limit)
			return v, err
		}
		taken := map[string]bool{}
		for way := range ways {
			v, err := read(way, text)
			if err != nil {
				e, ok := errors.AsType[*convoke.Error](err)
				if !ok || api.Status(e.Code)/100 != 4 || e.Message == "" || len(e.Message) > 4*limit {
					t.Errorf("%s of %T refuses %q with %v", way, v, text, err)
				}
				continue
			}
			taken[way] = true
			if strings.TrimSpace(text) == "" {
				continue // nothing was read
			}
			written, err := json.Marshal(v)
			if err != nil {
				t.Fatalf("%s of %q is %+v, which cannot be written: %v", way, text, v, err)
			}
			if len(written) > limit {
				continue // replacement characters and escapes are longer
			}
			again, err := read(way, string(written))
			if err != nil {
				t.Fatalf("%s of %q is %s, which it refuses: %v", way, text, written, err)
			}
			if twice, err := json.Marshal(again); err != nil || string(twice) != string(written) {
				t.Errorf("%s of %q is %s and then %s, %v", way, text, written, twice, err)
			}
		}
		if taken["ReadExactJSON"] && !taken["ReadJSON"] || taken["ReadOptionalExactJSON"] && !taken["ReadOptionalJSON"] || taken["ReadJSON"] && !taken["ReadOptionalJSON"] {
			t.Errorf("%q is taken by %v alone", text, taken)
		}
	})
}

// FuzzQuery reads a query as the lists do: within bounds, or with CodeInvalid;
// and the link to the page that follows leads to the same list.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{
		"", "limit=1", "limit=0", "limit=-1", "limit=99999999999999999999", "limit=1&limit=2", "sort=-name", "sort=name&sort=id", "cursor=e30", "cursor=" + cursor{List: "l", Mark: []any{"a"}}.String(),
		"state=Draft,Productive", "state=draft&state=x", "name=%ff", "name=" + strings.Repeat("%C3%BC", 201), "from=1700000000000", "from=2026-01-02T03:04:05+01:00", "from=-1", "from=9999999999999999", "flag=TRUE", "flag=maybe", "a;b", "%zz", "&&=", "v=1",
	} {
		f.Add("1", text)
	}
	for _, segment := range []string{"..", "a/b", "a%2fb", "\x00", ">; rel=\"next\"", "ü?#", "\r\nX: y"} {
		f.Add(segment, "limit=1")
	}
	f.Fuzz(func(t *testing.T, segment, text string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/api/account/1/functions/" + segment + "/versions", RawQuery: text}, Header: http.Header{}}
		q := queryOf(r)
		name, states := q.text("name", 200), oneOf(q, "state", convoke.States)
		number, flag := q.number("number", 1, 1000, 7), q.flag("flag")
		from := q.time("from", time.Time{})
		p := q.page(r, convoke.FunctionOrder, 100, pageMost)
		if q.err != nil {
			if e, ok := errors.AsType[*convoke.Error](q.err); !ok || e.Code != convoke.CodeInvalid || e.Message == "" {
				t.Errorf("%q: %v", text, q.err)
			}
			return
		}
		if len([]rune(name)) > 200 || number < 1 || number > 1000 || p.Limit < 1 || p.Limit > pageMost || flag && r.URL.Query().Get("flag") == "" {
			t.Errorf("%q: name of %d characters, number %d, limit %d, flag %v", text, len([]rune(name)), number, p.Limit, flag)
		}
		if !from.IsZero() && (from.Year() < 1970 || from.Year() > 2110) {
			t.Errorf("%q: from %s", text, from)
		}
		for _, s := range states {
			if !slices.Contains(convoke.States, s) {
				t.Errorf("%q: state %q", text, s)
			}
		}
		if len(r.URL.Query()["cursor"]) > 1 {
			return // the first counts, and the link has one
		}
		next := convoke.Mark{"a\xff\x00", int64(1) << 62}
		w := httptest.NewRecorder()
		p.link(w, r, next)
		to, end, ok := strings.Cut(strings.TrimPrefix(w.Header().Get("Link"), "<"), ">")
		if !ok || end != `; rel="next"` {
			t.Fatalf("%q: the link is %q", text, w.Header().Get("Link"))
		}
		following, err := http.NewRequest("GET", to, nil)
		if err != nil {
			t.Fatalf("%q leads to %q: %v", text, to, err)
		}
		if !strings.HasPrefix(to, "/api/") || strings.ContainsAny(to, "<> \r\n\x00") {
			t.Errorf("%q leads to %s", segment, to)
		}
		q = queryOf(following)
		again := q.page(following, convoke.FunctionOrder, 100, pageMost)
		if q.err != nil || again.Limit != p.Limit || again.Sort != p.Sort || !cmp.Equal(again.After, next) {
			t.Errorf("%q leads to %q, which is %+v, %v", text, to, again, q.err)
		}
	})
}
