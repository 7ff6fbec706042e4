package convoke_test

import (
	"testing"

	"convoke"
)

func TestParseDomain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]convoke.Domain{
		"api.example.com":       {Name: "api.example.com"},
		"API.Example.COM:8443":  {Name: "api.example.com", Port: 8443},
		"*.example.com":         {Name: "*.example.com"},
		"*.s_3.example.co1:443": {Name: "*.s_3.example.co1", Port: 443},
		"xn--bcher-kva.example": {Name: "xn--bcher-kva.example"},
	} {
		name, port, err := convoke.ParseDomain(text)
		if got := (convoke.Domain{Name: name, Port: port}); err != nil || got != want {
			t.Errorf("ParseDomain(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", ".", "localhost", "example", "*", "*.com.", "*.*.example.com", "api.*.com", "a*.example.com", "*example.com",
		"https://example.com", "example.com/path", "user@example.com", "example.com:", "example.com:0", "example.com:65536", "example.com:443:1",
		"10.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "::1", "::ffff:10.0.0.1", "-a.example", "a-.example", "a..example", "b\u00fccher.example", "a b.example",
	} {
		if _, _, err := convoke.ParseDomain(text); convoke.ErrorCode(err) != convoke.CodeInvalidDomain {
			t.Errorf("ParseDomain(%q): %v, want %s", text, err, convoke.CodeInvalidDomain)
		}
	}
}

func TestDomainAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entry, host string
		port        int
		want        bool
	}{
		{"example.com", "example.com", 443, true},
		{"example.com", "example.com", 80, true},
		{"example.com", "example.com", 8080, false},
		{"example.com", "www.example.com", 443, false},
		{"example.com", "badexample.com", 443, false},
		{"example.com:8443", "example.com", 8443, true},
		{"example.com:8443", "example.com", 443, false},
		{"*.example.com", "www.example.com", 443, true},
		{"*.example.com", "a.b.example.com", 443, true},
		{"*.example.com", "example.com", 443, false},
		{"*.example.com", ".example.com", 443, false},
		{"*.example.com", "badexample.com", 443, false},
		{"*.example.com", "www.example.com.evil.test", 443, false},
	} {
		name, port, err := convoke.ParseDomain(c.entry)
		if err != nil {
			t.Fatal(err)
		}
		d := &convoke.Domain{Name: name, Port: port}
		if got := d.Allows(c.host, c.port); got != c.want {
			t.Errorf("%s allows %s:%d = %t, want %t", c.entry, c.host, c.port, got, c.want)
		}
	}
}
