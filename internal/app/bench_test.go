package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"convoke"
)

// BenchmarkInvokeHTTP is the warm path as a caller sees it, for profiles:
// sockets, authentication, records and metrics are all in it.
func BenchmarkInvokeHTTP(b *testing.B) {
	s := start(b)
	id := s.deploy(b, "hello", `async function lambda(input) { return [{ type: 'systemMessage', text: 'Hello ' + input.payload.name }] }`)
	const body = `{"timestamp":1700000000000,"headers":[],"payload":{"name":"Ada"}}`
	request := fmt.Appendf(nil, "POST /api/account/%s/lambdas/%s/invoke HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		convoke.DefaultAccountID, id, s.token, len(body), body)
	var failed atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(8) // 16 connections on two processors
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				failed.Add(1)
			}
		}
	})
	if n := failed.Load(); n > 0 {
		b.Errorf("%d of %d requests failed", n, b.N)
	}
}
