package convoke_test

import (
	"slices"
	"strings"
	"testing"

	"convoke"
)

func TestVersionDomains(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]string{"api.example.com"}, 101)
	for name, test := range map[string]struct {
		domains []string
		want    convoke.Code
		says    string
	}{
		"not narrowed":  {nil, "", ""},
		"none":          {[]string{}, "", ""},
		"some":          {[]string{"api.example.com", "*.Example.com:8443"}, "", ""},
		"as many as go": {many[:100], "", ""},
		"too many":      {many, convoke.CodeValidation, "at most 100"},
		"scheme":        {[]string{"api.example.com", "https://x.example.com"}, convoke.CodeInvalidDomain, "https://x.example.com"},
		"everything":    {[]string{"*"}, convoke.CodeInvalidDomain, `"*"`},
	} {
		v := convoke.Version{Language: convoke.JavaScript, Domains: test.domains}
		err := v.Validate(convoke.DefaultLimits())
		if got := convoke.ErrorCode(err); got != test.want || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want code %q and %q in the message", name, err, test.want, test.says)
		}
	}
}

// TestNoDomainsAreNotAll holds apart a version that may call what the account
// may and one that may call nothing: to take them for the same would drop the
// change from one to the other.
func TestNoDomainsAreNotAll(t *testing.T) {
	t.Parallel()
	lists := [][]string{nil, {}, {"a.example.com"}, {"b.example.com"}}
	for i, a := range lists {
		for j, b := range lists {
			got := (&convoke.Version{Domains: a}).SameContent(&convoke.Version{Domains: b})
			if got != (i == j) {
				t.Errorf("%#v and %#v: same is %v", a, b, got)
			}
		}
	}
}
