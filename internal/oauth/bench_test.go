package oauth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// BenchmarkVerify measures a request with a token that was seen before, with
// one that was not, and with a proof.
func BenchmarkVerify(b *testing.B) {
	w := setup(b)
	id, secret := w.client(b, nil)
	token := w.token(b, id, secret)
	r := httptest.NewRequest("GET", mePath, nil)
	verify := func(b *testing.B) {
		if _, err := w.server.Verify(r, token, false); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			verify(b)
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w.server.known.Purge()
			verify(b)
		}
	})
	b.Run("DPoP", func(b *testing.B) {
		p := newProver(b)
		bound := w.token(b, id, secret, "DPoP", p.proof(b, "POST", "/oauth2/token", ""))
		r := r.Clone(b.Context())
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			r.Header = http.Header{"Dpop": {p.proof(b, "GET", mePath, bound)}}
			b.StartTimer()
			if _, err := w.server.Verify(r, bound, true); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("issue", func(b *testing.B) {
		b.ReportAllocs()
		c := claims{Subject: id, ClientID: id, Account: home}
		for b.Loop() {
			if _, err := w.server.issue(time.Now(), c, nil, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
}
