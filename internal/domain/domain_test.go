package domain

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
	"convoke/internal/sqlstore"
)

const account = "10000001"

var admin = &convoke.Principal{AccountID: account, Name: "ann"}

// setup makes a service on a real store; changes are the accounts it told of.
func setup(t *testing.T, limit int) (s *Service, changes *[]string) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := store.CreateAccount(t.Context(), &convoke.Account{ID: account, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	changes = new([]string)
	return New(Config{Store: store, Limits: convoke.Limits{DomainsPerAccount: limit}, Changed: func(accountID string) {
		*changes = append(*changes, accountID)
	}}), changes
}

func TestLife(t *testing.T) {
	t.Parallel()
	s, changes := setup(t, 10)
	d, err := s.Add(t.Context(), admin, account, "API.Example.com:8443")
	if err != nil {
		t.Fatal(err)
	}
	want := &convoke.Domain{AccountID: account, Name: "api.example.com", Port: 8443, CreatedBy: "ann"}
	if diff := cmp.Diff(want, d, cmpopts.IgnoreFields(convoke.Domain{}, "ID", "CreatedAt")); diff != "" || d.ID == "" || d.CreatedAt.IsZero() {
		t.Errorf("added %+v (-want +got):\n%s", d, diff)
	}
	list, err := s.store.ListDomains(t.Context(), account)
	if diff := cmp.Diff([]*convoke.Domain{d}, list); err != nil || diff != "" {
		t.Errorf("listed with error %v (-want +got):\n%s", err, diff)
	}
	removed, err := s.Remove(t.Context(), account, d.ID)
	if diff := cmp.Diff(d, removed); err != nil || diff != "" {
		t.Errorf("removed with error %v (-want +got):\n%s", err, diff)
	}
	if list, err := s.store.ListDomains(t.Context(), account); err != nil || len(list) != 0 {
		t.Errorf("after the removal: %v, error %v", list, err)
	}
	if got := []string{account, account}; !cmp.Equal(got, *changes) {
		t.Errorf("told of %q, want %q", *changes, got)
	}
}

// TestRefusals holds that what is refused changes nothing and is not told of.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s, changes := setup(t, 2)
	for _, name := range []string{"a.example.com", "*.example.com"} {
		if _, err := s.Add(t.Context(), admin, account, name); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]struct {
		code    convoke.Code
		message string
	}{
		"A.example.com":       {convoke.CodeConflict, "a.example.com is an allowed domain already"},
		"b.example.com":       {convoke.CodeLimitExceeded, "the account has 2 allowed domains, the most it may have; remove one first, or allow many by one entry such as *.example.com"},
		"https://example.com": {convoke.CodeInvalidDomain, `"https://example.com" is not a domain; give the host name alone, without scheme or path`},
		"10.0.0.1:443":        {convoke.CodeInvalidDomain, `"10.0.0.1:443" is an address; give a host name`},
		"[::1]":               {convoke.CodeInvalidDomain, `"[::1]" is an address; give a host name`},
		"*.*.example.com":     {convoke.CodeInvalidDomain, `"*.*.example.com" has a wildcard that is not allowed; one may stand at the beginning, as in *.example.com`},
	} {
		_, err := s.Add(t.Context(), admin, account, text)
		e, ok := err.(*convoke.Error)
		if !ok || e.Code != want.code || e.Message != want.message {
			t.Errorf("%s: got %v, want %s: %s", text, err, want.code, want.message)
		}
	}
	if _, err := s.Remove(t.Context(), account, "none"); convoke.ErrorCode(err) != convoke.CodeNotFound {
		t.Errorf("removed what is not there: %v", err)
	}
	if len(*changes) != 2 {
		t.Errorf("told of %d changes, want 2", len(*changes))
	}
}

// TestClientGoesAway: a change is either not made, or made and told of.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	s, changes := setup(t, 0)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	d, err := s.Add(gone, admin, account, "a.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remove(gone, account, d.ID); err != nil {
		t.Fatal(err)
	}
	if len(*changes) != 2 {
		t.Errorf("told of %d changes, want 2", len(*changes))
	}
}
