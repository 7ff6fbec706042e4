package egress

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// p50 runs once over and over and adds the median to the mean, which on a
// machine that does other things says little.
func p50(b *testing.B, once func()) {
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		once()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns/op")
}

func there(b *testing.B, c net.Conn) {
	buf := []byte{0xff}
	if _, err := c.Write(buf); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c, buf); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRoundTrip compares one byte there and back through the proxy with
// a connection of one's own.
func BenchmarkRoundTrip(b *testing.B) {
	s := setup(b, nil)
	port := s.listen(echo)
	b.Run("direct", func(b *testing.B) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		p50(b, func() { there(b, c) })
	})
	b.Run("proxy", func(b *testing.B) {
		c := s.mustDial("a.in.test", port)
		defer c.Close()
		p50(b, func() { there(b, c) })
	})
}

// BenchmarkConnect compares making a connection and one byte there and back.
func BenchmarkConnect(b *testing.B) {
	s := setup(b, func(c *Config) { c.Limits = Limits{} })
	port := s.listen(echo)
	b.Run("direct", func(b *testing.B) {
		p50(b, func() {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			there(b, c)
		})
	})
	b.Run("proxy", func(b *testing.B) {
		p50(b, func() {
			file, refusal := s.Open(b.Context(), Request{Source: s.src, Host: "a.in.test", Port: port})
			if refusal != nil {
				b.Fatal(refusal)
			}
			defer file.Close()
			c, err := net.FileConn(file)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			there(b, c)
		})
	})
}
