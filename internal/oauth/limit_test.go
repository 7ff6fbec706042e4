package oauth

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestBruteForce guesses secrets: soon the address is held back, also with the
// right secret, while others go on.
func TestBruteForce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, secret := w.client(t, nil)
		try := func(from, secret string) reply {
			r := formRequest("/oauth2/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
			r.RemoteAddr = from
			return w.do(t, r)
		}
		for i := range failureBurst {
			if res := try("198.51.100.1:"+strconv.Itoa(1000+i), "guess"); res.status != 401 {
				t.Fatalf("guess %d: %d %s", i, res.status, res.body)
			}
		}
		res := try("198.51.100.1:1", secret)
		seconds, err := strconv.Atoi(res.header.Get("Retry-After"))
		if status, code := res.problem(t); status != 429 || code != "temporarily_unavailable" || err != nil || seconds < 1 || seconds > 5 {
			t.Fatalf("after %d guesses: %d %s, Retry-After %q", failureBurst, status, code, res.header.Get("Retry-After"))
		}
		if res := try("198.51.100.2:1", secret); res.status != 200 {
			t.Errorf("from elsewhere: %d %s", res.status, res.body)
		}
		time.Sleep(time.Duration(seconds) * time.Second)
		if res := try("198.51.100.1:1", secret); res.status != 200 {
			t.Errorf("after Retry-After: %d %s", res.status, res.body)
		}
		// An IPv6 network counts as one.
		for i := range failureBurst {
			try("[2001:db8::"+strconv.Itoa(i)+"]:1", "guess")
		}
		if res := try("[2001:db8::ffff]:1", secret); res.status != 429 {
			t.Errorf("from the same network: %d", res.status)
		}
		if res := try("[2001:db8:0:1::1]:1", secret); res.status != 200 {
			t.Errorf("from another network: %d", res.status)
		}
	})
}

// TestPasswordGuesses holds the sign-in page to the same rate.
func TestPasswordGuesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, _ := w.client(t, nil)
		b := w.browser()
		q := ask(id)
		page := b.get(t, q)
		for range failureBurst {
			page = b.submit(t, q, page, "action", "login", "user", "ann", "password", "guess")
		}
		res := b.send(t, formRequest(b.target(q), "action", "login", "user", "ann", "password", "right"))
		if res.status != 429 || res.header.Get("Retry-After") == "" || len(w.people.sessions) != 0 || !strings.Contains(res.body, "too many requests") {
			t.Errorf("after many guesses: %d %v", res.status, res.header)
		}
	})
}

// TestRates holds every public path to the rate of an address, and a client to
// its own.
func TestRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		id, secret := w.client(t, nil)
		spare, spareSecret := w.client(t, nil)
		for i, request := range []func() *http.Request{
			func() *http.Request { return formRequest("/oauth2/token") },
			func() *http.Request { return formRequest("/oauth2/revoke") },
			func() *http.Request { return httptest.NewRequest("GET", "/oauth2/authorize", nil) },
			func() *http.Request { return formRequest("/oauth2/authorize") },
		} {
			for n := range addressBurst + 1 {
				r := request()
				r.RemoteAddr = "203.0.113." + strconv.Itoa(i) + ":1"
				res := w.do(t, r)
				// Wrong clients at revoke count as failures, which are fewer.
				if held := res.status == 429; held != (n == addressBurst || strings.Contains(r.URL.Path, "revoke") && n >= failureBurst) {
					t.Fatalf("%s %s: request %d got %d %s", r.Method, r.URL.Path, n, res.status, res.body)
				}
			}
		}
		for n := range clientBurst + 1 { // from everywhere
			r := formRequest("/oauth2/token", "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
			r.RemoteAddr = "10.0." + strconv.Itoa(n) + ".1:1"
			if res := w.do(t, r); (res.status == 429) != (n == clientBurst) {
				t.Fatalf("token %d of a client: %d %s", n, res.status, res.body)
			}
		}
		w.token(t, spare, spareSecret)
	})
}
