package httpapi

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"convoke"
)

// raw makes a request whose target goes as it is written, as nobody's who
// follows the rules would, and answers as the server does to one that it cannot
// read.
func (w *world) raw(t *testing.T, as, method, target string, header ...string) *http.Response {
	t.Helper()
	text := method + " " + target + " HTTP/1.1\r\nHost: convoke.example\r\n"
	if as != "" {
		text += "Authorization: Bearer " + w.tokens[as] + "\r\n"
	}
	for _, line := range header {
		text += line + "\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text + "\r\n")))
	if err != nil {
		return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: http.NoBody}
	}
	r.RemoteAddr = "192.0.2.1:1"
	out := httptest.NewRecorder()
	(*w.handler.Load()).ServeHTTP(out, r.WithContext(t.Context()))
	return out.Result()
}

// plant gives the other account one of everything that a path can name, all
// called after mark, and returns what stands for the wildcards.
func (w *world) plant(t *testing.T, mark string) map[string]string {
	t.Helper()
	at := "/api/account/" + other
	made := func(path, body string) string { return w.want(t, "other", "POST "+at+path, body, http.StatusCreated) }
	fn := pick(t, made("/functions", `{"name":"`+mark+`"}`), "uuid")
	w.want(t, "other", "PUT "+at+"/functions/"+fn+"/manifest", `{"code":"`+mark+`"}`, http.StatusOK)
	w.want(t, "other", "POST "+at+"/deployments/"+fn+"?wait=1", "", http.StatusOK)
	return map[string]string{
		"{uuid}": fn, "{version}": "1", "{event}": "conversational_command", "{service}": "faasGW", "{consent}": "g1", "{id}": other,
		"{domain}":   pick(t, made("/domains", `{"domain":"`+mark+`.example"}`), "id"),
		"{secret}":   pick(t, made("/secrets", `{"name":"`+mark+`","value":"x"}`), "name"),
		"{user}":     pick(t, made("/users", `{"loginName":"`+mark+`","roles":["viewer"]}`), "id"),
		"{client}":   pick(t, made("/clients", `{"name":"`+mark+`","grantTypes":["client_credentials"],"scopes":["faas.lambda.invoke"]}`), "id"),
		"{token}":    pick(t, made("/tokens", `{"name":"`+mark+`","roles":["viewer"]}`), "id"),
		"{schedule}": pick(t, made("/schedules", `{"functionUuid":"`+fn+`","cronExpression":"0 0 1 1 *"}`), "id"),
	}
}

// picture is all that an account has, as its admin sees it.
func (w *world) picture(t *testing.T, as, account string) string {
	t.Helper()
	var out strings.Builder
	for _, list := range []string{"functions", "domains", "secrets", "users", "clients", "schedules", "activities", "settings"} {
		out.WriteString(w.want(t, as, "GET /api/account/"+account+"/"+list, "", http.StatusOK))
	}
	return out.String()
}

// spellings are ways to write a segment that one reader of paths could take
// for mine and another for theirs.
func spellings(mine, theirs string) []string {
	return []string{
		theirs, escaped(theirs), mine + "/../" + theirs, mine + "/%2e%2e/" + theirs, mine + "/.%2e/" + theirs, mine + "/..;/" + theirs, mine + "/..%00/" + theirs,
		mine + "%2f..%2f" + theirs, mine + "%2F%2E%2E%2F" + theirs, mine + "%5c..%5c" + theirs, mine + `\..\` + theirs, mine + "%252f..%252f" + theirs, mine + "%c0%af..%c0%af" + theirs,
		mine + "/" + theirs, mine + "%2f" + theirs, mine + ";" + theirs, mine + ";/" + theirs, mine + "," + theirs, mine + "%26" + theirs, mine + "|" + theirs,
		theirs + "%00", "%00" + theirs, theirs + "%00" + mine, mine + "%00" + theirs, theirs + "%20", "%20" + theirs, theirs + "%09", theirs + "%0a", theirs + "%0d%0a", "+" + theirs,
		"0" + theirs, theirs + ".0", theirs + "e0", "0x1312d02", strings.ToUpper(theirs), strings.ToLower(theirs) + "%E2%80%8B", fullWidth(theirs),
		"/" + theirs, "./" + theirs, "%2e/" + theirs, theirs + "/", theirs + "/.", theirs + "%2f", theirs + "?" + mine, theirs + "%3f", theirs + "%23", "*", "%2a", "%25", "_", "..", "%2e%2e", ".", "",
		theirs + strings.Repeat("0", 5000), strings.Repeat("../", 300) + theirs, strings.Repeat("%2e%2e%2f", 300) + theirs,
	}
}

// escaped writes every byte as %xx.
func escaped(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		out.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
	}
	return out.String()
}

// fullWidth writes digits as those that some readers fold into plain ones.
func fullWidth(s string) string {
	return url.PathEscape(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, s))
}

// TestPathTricks walks the table with paths that are spelled so that the one
// who judges could see another account, thing or route than the one who acts.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	const mark = "theirs4711"
	w := setup(t)
	ids := w.plant(t, mark)
	before := w.picture(t, "other", other)
	s := &server{Config: w.config}
	routes := slices.DeleteFunc(append(s.routes(), s.v1Routes()...), func(rt Route) bool { return rt.Rule.public })
	asked := 0
	ask := func(rt Route, as, method, target string, header ...string) {
		t.Helper()
		asked++
		res := w.raw(t, as, method, target, header...)
		var body strings.Builder
		_, _ = bufio.NewReader(res.Body).WriteTo(&body)
		if to := res.Header.Get("Location"); to != "" && (to[0] != '/' || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`)) {
			t.Errorf("%s %.200s as %q leads to %.200s", method, target, as, to)
		}
		may := as == "admin" || as == "invoker" && (rt.Rule.member || convoke.May([]convoke.Role{convoke.RoleInvoker}, rt.Rule.perm))
		switch ok := res.StatusCode < 300; {
		case ok && !may:
			t.Errorf("%s %.200s as %q: %d, but the rule of %s is not for that one", method, target, as, res.StatusCode, rt.Path)
		case ok && strings.Contains(body.String(), mark):
			t.Errorf("%s %.200s as %q shows the other account: %s", method, target, as, body.String())
		case res.StatusCode >= 500:
			t.Errorf("%s %.200s as %q: %d %s", method, target, as, res.StatusCode, body.String())
		}
	}
	for _, rt := range routes {
		if strings.HasSuffix(rt.Path, "/stream") {
			continue // one that lets in does not end; they have the rule of the logs
		}
		for wildcard, theirs := range ids {
			if !strings.Contains(rt.Path, wildcard) || strings.Contains("{version} {event} {service}", wildcard) {
				continue // the latter are names that all accounts share
			}
			// The account is one's own, what is named is not.
			head, tail, _ := strings.Cut(rt.Path, wildcard)
			head, tail = example(head), example(tail)
			for _, spelled := range spellings("f1", theirs) {
				for _, as := range []string{"", "invoker", "admin"} {
					ask(rt, as, rt.Method, head+spelled+tail)
				}
			}
		}
		if strings.Contains(rt.Path, "{account}") {
			theirs := strings.Replace(rt.Path, "{account}", "{them}", 1)
			for wildcard, id := range ids {
				theirs = strings.ReplaceAll(theirs, wildcard, id)
			}
			theirs = strings.ReplaceAll(theirs, "{$}", "")
			for _, spelled := range spellings(home, other) {
				for _, as := range []string{"", "invoker", "admin"} {
					ask(rt, as, rt.Method, strings.Replace(theirs, "{them}", spelled, 1))
				}
			}
		}
		path := example(rt.Path)
		for _, target := range []string{
			path + "/", path + "/.", path + "/..", path + "//", path + ";", path + ";jsessionid=1", path + "%00", path + "%20", path + "%2f", path + "/%2e", path + ".json", path + "?", path + "%3f", path + "%23",
			"/" + path, "//" + path, "/." + path, "/x/.." + path, "/x/%2e%2e" + path, "/livez/.." + path, "/livez/..%2f" + path[1:], "/livez;" + path, "/livez%00" + path, `\` + path[1:], strings.ReplaceAll(path, "/", "//"), strings.ReplaceAll(path, "/", `\`),
			"/" + strings.ReplaceAll(path[1:], "/", "%2f"), strings.ToUpper(path), "/API" + strings.TrimPrefix(path, "/api"), "http://convoke.example" + path, "http://evil.example" + path, "//evil.example" + path, "https://evil.example/.." + path, path + strings.Repeat("/x", 20_000),
			path + "?v=1", path + "?v=1&v=2", path + "?account=" + other, path + "?_method=GET", path + "?access_token=" + w.tokens["admin"], "*", "",
		} {
			ask(rt, "", rt.Method, target)
			ask(rt, "invoker", rt.Method, target)
		}
		for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", strings.ToLower(rt.Method), rt.Method + "X"} {
			ask(rt, "", method, path)
		}
		for _, header := range []string{
			"X-Original-URL: " + path, "X-Rewrite-URL: " + path, "X-HTTP-Method-Override: " + rt.Method, "X-HTTP-Method: " + rt.Method, "X-Method-Override: " + rt.Method,
			"X-Forwarded-Prefix: " + path, "X-Forwarded-User: admin", "X-Remote-User: admin", "Remote-User: admin", "X-Account-Id: " + home, "Proxy-Authorization: Bearer " + w.tokens["admin"], "Cookie: session_id=" + w.tokens["admin"], "Cookie: Authorization=Bearer%20" + w.tokens["admin"],
		} {
			for _, method := range []string{rt.Method, "GET", "POST"} {
				ask(rt, "", method, path, header)
			}
		}
	}
	if asked < 20_000 {
		t.Errorf("only %d requests were made", asked)
	}
	if after := w.picture(t, "other", other); after != before {
		t.Errorf("the other account was\n%s\nand is\n%s", before, after)
	}
	for _, header := range []string{"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Original-Uri"} {
		res := w.raw(t, "admin", "GET", "/livez", header+": /api/account/"+home+"/functions")
		var body strings.Builder
		_, _ = bufio.NewReader(res.Body).WriteTo(&body)
		if body.String() != "ok\n" {
			t.Errorf("%s leads elsewhere: %d %s", header, res.StatusCode, body.String())
		}
	}
}

// TestMethodsAreNotOverridden: what a header or the query says of the method
// does nothing to a thing that is there.
func TestMethodsAreNotOverridden(t *testing.T) {
	t.Parallel()
	w := setup(t)
	uuid := pick(t, w.want(t, "admin", "POST /functions", `{"name":"stays"}`, http.StatusCreated), "uuid")
	before := w.picture(t, "admin", home)
	path := "/api/account/" + home + "/functions/" + uuid
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Method", "_method"} {
		for _, method := range []string{"GET", "POST", "HEAD"} {
			w.raw(t, "admin", method, path+"?_method=DELETE&method=DELETE", header+": DELETE")
		}
	}
	if after := w.picture(t, "admin", home); after != before {
		t.Errorf("the account was\n%s\nand is\n%s", before, after)
	}
}
