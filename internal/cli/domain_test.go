package cli

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"convoke"
	"convoke/api"
)

// handleDomains keeps allowed domains as the server does.
func (f *fake) handleDomains(handle func(string, func(http.ResponseWriter, *http.Request, []byte))) {
	handle("GET /domains", func(w http.ResponseWriter, _ *http.Request, _ []byte) { reply(w, f.domains) })
	handle("POST /domains", func(w http.ResponseWriter, _ *http.Request, body []byte) {
		var in api.AddDomainRequest
		json.Unmarshal(body, &in)
		name, port, err := convoke.ParseDomain(in.Domain)
		d := convoke.Domain{ID: uuid.NewString(), Name: name, Port: port, CreatedBy: "ann"}
		switch {
		case err != nil:
			refuse(w, convoke.Errorf(convoke.CodeInvalidDomain, "invalid"))
		case slices.ContainsFunc(f.domains, func(x api.Domain) bool { return x.Domain == d.String() }):
			refuse(w, convoke.Errorf(convoke.CodeConflict, "%s is an allowed domain already", &d))
		default:
			f.domains = append(f.domains, api.NewDomain(&d))
			reply(w, api.NewDomain(&d))
		}
	})
	handle("DELETE /domains/{id}", func(w http.ResponseWriter, r *http.Request, _ []byte) {
		f.domains = slices.DeleteFunc(f.domains, func(d api.Domain) bool { return d.ID == r.PathValue("id") })
		w.WriteHeader(http.StatusNoContent)
	})
}

func (f *fake) domainNames() string {
	var names []string
	for _, d := range f.domains {
		names = append(names, d.Domain)
	}
	return strings.Join(names, " ")
}

func TestDomains(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.want(ExitOK, []string{"!DOMAIN"}, []string{"functions may call nothing outside yet; convoke domain add NAME"}, "domain", "list")
	s.want(ExitOK, nil, []string{"functions may call api.example.com:443 and :80\n"}, "domain", "add", "API.example.com")
	s.want(ExitOK, nil, []string{
		"functions may call *.example.com:443 and :80 (not example.com itself)\n",
		"functions may call api.example.com:443 and :80 already\n",
		"functions may call api.example.com:8443\n",
	}, "domain", "add", "*.example.com", "api.example.com", "api.example.com:8443")
	s.want(ExitOK, []string{`"domain": "b.example.org"`, `"domain": "api.example.com"`}, []string{"!may"}, "domain", "add", "b.example.org", "api.example.com", "--json")
	got := s.want(ExitOK, nil, nil, "domain", "list")
	if words := strings.Join(strings.Fields(got.stdout), " "); !strings.Contains(words, "api.example.com:8443 api.example.com:8443 - ann") {
		t.Errorf("listed as %s", words)
	}
	s.want(ExitOK, []string{`"name": "*.example.com"`}, nil, "domain", "list", "--json")

	s.want(ExitOK, []string{"api.example.com:8443", "!b.example.org"}, nil, "__complete", "domain", "remove", "b.example.org", "")
	s.want(ExitNotFound, nil, []string{"c.example.com is not in the list", "hint: convoke domain list"}, "domain", "remove", "b.example.org", "c.example.com")
	before := "api.example.com *.example.com api.example.com:8443 b.example.org"
	if got := s.fake.domainNames(); got != before {
		t.Errorf("a removal that was refused leaves %s, want %s", got, before)
	}
	s.want(ExitOK, nil, []string{"api.example.com is removed; *.example.com still allows it"}, "domain", "remove", "api.example.com", "--yes")
	s.want(ExitOK, nil, []string{"functions may not call api.example.com:8443 any more"}, "domain", "remove", "api.example.com:8443", "--yes")
	s.want(ExitOK, []string{`"domain": "b.example.org"`}, []string{"!may"}, "domain", "remove", "b.example.org", "--json", "--yes")
	s.tty, s.stdin = true, "n\n"
	s.want(ExitFailure, nil, []string{"Remove *.example.com? Functions that call it", "not done"}, "domain", "remove", "*.example.com")
	s.want(ExitOK, nil, []string{"!?", "may not call *.example.com:443 and :80 (not example.com itself) any more"}, "domain", "remove", "*.example.com", "--yes")
	if got := s.fake.domainNames(); got != "" {
		t.Errorf("in the end %s is left", got)
	}
}

func TestBadDomains(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for _, command := range []string{"add", "remove"} {
		s.want(ExitUsage, nil, []string{"NAME is missing; the command is: convoke domain " + command}, "domain", command)
		s.want(ExitUsage, nil, []string{`"https://example.com/x" is not a domain; give the host name alone`, "code: com.liveperson.faas.fm.validation.invalid-domain"},
			"domain", command, "good.example.com", "https://example.com/x")
	}
	for name, says := range map[string][]string{
		"EXAMPLE.com.":               {"ends with a dot; leave the dot out", "!hint"},
		"exämple.com":                {"begin with xn--", "hint: that is xn--exmple-cua.com\n"},
		"*.B\u00fccher.example:8443": {"hint: that is *.xn--bcher-kva.example:8443\n"},
		"exämple":                    {"begin with xn--", "!hint"},
	} {
		s.want(ExitUsage, nil, says, "domain", "add", name)
	}
	s.want(ExitUsage, nil, []string{`there is no command "ad"; did you mean add?`}, "domain", "ad", "example.com")
	s.want(ExitOK, []string{"not example.com itself"}, nil, "domain")
	if len(s.fake.requests) != 0 {
		t.Errorf("requests were made: %q", s.fake.requests)
	}
}

func TestCoveredBy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ list, domain, want string }{
		{"*.example.com", "api.example.com", "*.example.com"},
		{"*.example.com", "*.api.example.com", "*.example.com"},
		{"*.example.com", "example.com", ""},
		{"*.example.com", "api.example.com:443", "*.example.com"},
		{"*.example.com", "api.example.com:8443", ""},
		{"*.example.com:443", "api.example.com", ""}, // 80 went
		{"api.example.com:443", "*.example.com", ""},
	} {
		parse := func(text string) api.Domain {
			name, port, err := convoke.ParseDomain(text)
			if err != nil {
				t.Fatal(err)
			}
			return api.NewDomain(&convoke.Domain{Name: name, Port: port})
		}
		if got := coveredBy([]api.Domain{parse(tt.list)}, parse(tt.domain)); got != tt.want {
			t.Errorf("without %s, %s is covered by %q, want %q", tt.domain, tt.list, got, tt.want)
		}
	}
}

func TestDeployAllowedDomains(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.file("fn/index.js", hello)
	s.file("fn/config.json", `{"allowedDomains":["api.example.com","*.example.org"]}`)
	for _, step := range []struct {
		flags []string
		want  []string
	}{
		{nil, []string{"api.example.com", "*.example.org"}},
		{[]string{"--allow-domain", "a.example.com", "--allow-domain", "b.example.com"}, []string{"a.example.com", "b.example.com"}},
		{[]string{"--allow-domain", ""}, []string{}},
		{[]string{"--allow-domain", "*"}, []string{"*"}},
	} {
		s.want(ExitOK, nil, nil, append([]string{"deploy", "fn"}, step.flags...)...)
		var in api.ManifestRequest
		if err := json.Unmarshal([]byte(s.fake.bodies["PUT /functions/{id}/manifest"]), &in); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(in.AllowedDomains, step.want) || in.AllowedDomains == nil {
			t.Errorf("deploy %q sent %#v, want %q", step.flags, in.AllowedDomains, step.want)
		}
	}
	s.file("plain.js", hello)
	s.want(ExitOK, nil, nil, "deploy", "plain.js")
	if body := s.fake.bodies["PUT /functions/{id}/manifest"]; strings.Contains(body, "allowedDomains") {
		t.Errorf("what nobody said was sent: %s", body)
	}
	s.file("fn/config.json", `{"allowedDomains":"api.example.com"}`)
	s.want(ExitUsage, nil, []string{`fn/config.json:1:2: allowedDomains is a list such as ["api.example.com"]`}, "deploy", "fn")
}
