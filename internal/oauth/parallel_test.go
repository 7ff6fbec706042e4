package oauth

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"convoke"
	"convoke/internal/auth"
)

// BenchmarkAuthenticate compares the two kinds of token as many connections
// present them at a time: each with a token of its own, and all with one.
func BenchmarkAuthenticate(b *testing.B) {
	const connections = 64
	w := setup(b)
	a, err := auth.New(auth.Config{Tokens: w.store, People: w.store, JWT: w.server, Logger: w.server.log})
	if err != nil {
		b.Fatal(err)
	}
	id, secret := w.client(b, nil)
	for kind, issue := range map[string]func(i int) string{
		"opaque": func(i int) string {
			text, _, err := a.Issue(b.Context(), home, fmt.Sprint("token", i), []convoke.Role{convoke.RoleInvoker}, 0, "bench")
			if err != nil {
				b.Fatal(err)
			}
			return text.Reveal()
		},
		"JWT": func(int) string { return w.token(b, id, secret) },
	} {
		var requests [connections]*http.Request
		for i := range requests {
			requests[i] = httptest.NewRequest("GET", mePath, nil)
			requests[i].Header.Set("Authorization", "Bearer "+issue(i))
		}
		for name, distinct := range map[string]int{"one token": 1, "a token each": connections} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetParallelism(connections / 2)
				next := make(chan int, 4*connections)
				for i := range cap(next) {
					next <- i % distinct
				}
				b.RunParallel(func(pb *testing.PB) {
					r := requests[<-next]
					for pb.Next() {
						if _, err := a.Authenticate(r); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
