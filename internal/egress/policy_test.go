package egress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"convoke"
)

// domains is a table of allowed domains by account.
type domains struct {
	mu      sync.Mutex
	entries map[string][]string
	fail    error
	reads   int
	reading func() // called in the midst of a read
}

func (d *domains) set(accountID string, entries ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries == nil {
		d.entries = map[string][]string{}
	}
	d.entries[accountID] = entries
}

func (d *domains) ListDomains(_ context.Context, accountID string) ([]*convoke.Domain, error) {
	d.mu.Lock()
	d.reads++
	entries, err, reading := d.entries[accountID], d.fail, d.reading
	d.mu.Unlock()
	if reading != nil {
		reading()
	}
	var out []*convoke.Domain
	for _, text := range entries {
		name, port, bad := convoke.ParseDomain(text)
		err = errors.Join(err, bad)
		out = append(out, &convoke.Domain{Name: name, Port: port})
	}
	return out, err
}

// TestAllowListAllowsWhatItsEntriesDo compares the compiled list with the rule
// of the root package.
func TestAllowListAllowsWhatItsEntriesDo(t *testing.T) {
	t.Parallel()
	label := rapid.SampledFrom([]string{"a", "b", "com", "api"})
	name := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(label, 2, 4).Draw(t, "labels"), ".")
	})
	port := rapid.SampledFrom([]int{0, 80, 443, 8080})
	rapid.Check(t, func(t *rapid.T) {
		var entries []*convoke.Domain
		for range rapid.IntRange(0, 6).Draw(t, "entries") {
			d := &convoke.Domain{Name: name.Draw(t, "name"), Port: port.Draw(t, "port")}
			if rapid.Bool().Draw(t, "wildcard") {
				d.Name = "*." + d.Name
			}
			entries = append(entries, d)
		}
		host, at := name.Draw(t, "host"), rapid.SampledFrom([]int{80, 443, 8080, 8081}).Draw(t, "at")
		got := compile(entries).match(host, at)
		want := slices.ContainsFunc(entries, func(d *convoke.Domain) bool { return d.Allows(host, at) })
		if (got != "") != want {
			t.Fatalf("%v match %s:%d by %q; of the entries one allows it: %v", entries, host, at, got, want)
		}
	})
}

func TestJudge(t *testing.T) {
	t.Parallel()
	store := &domains{}
	store.set("1", "api.example.com", "*.example.org", "db.example.net:5432")
	p := newPolicy(store)
	for _, c := range []struct {
		account string
		only    []string
		host    string
		port    int
		entry   string
		why     string
	}{
		{"1", nil, "api.example.com", 443, "api.example.com", ""},
		{"1", nil, "x.example.org", 80, "*.example.org", ""},
		{"1", nil, "db.example.net", 5432, "db.example.net:5432", ""},
		{"1", nil, "www.example.com", 443, "", "www.example.com is not an allowed domain of account 1; allow it with `convoke domain add www.example.com`"},
		{"1", nil, "api.example.com", 8443, "", "api.example.com:8443 is not an allowed domain of account 1; allow it with `convoke domain add api.example.com:8443`"},
		{"2", nil, "api.example.com", 443, "", "api.example.com is not an allowed domain of account 2; allow it with `convoke domain add api.example.com`"},
		{"1", []string{"*.example.org"}, "x.example.org", 443, "*.example.org", ""},
		{"1", []string{"*.example.org"}, "api.example.com", 443, "", "api.example.com is allowed in account 1, but not to this function: its settings list the domains that it may call, so add it there"},
		{"1", []string{}, "api.example.com", 443, "", "api.example.com is allowed in account 1, but not to this function: its settings list the domains that it may call, so add it there"},
		{"1", []string{"www.example.com"}, "www.example.com", 443, "", "www.example.com is not an allowed domain of account 1; allow it with `convoke domain add www.example.com`"},
		{"1", []string{"bad entry", "api.example.com"}, "api.example.com", 80, "api.example.com", ""},
	} {
		got, err := p.judge(t.Context(), &Source{AccountID: c.account, Only: c.only}, c.host, c.port)
		if want := (verdict{c.entry, c.why}); err != nil || got != want {
			t.Errorf("judge(%s, %v, %s:%d) = %+v, %v; want %+v", c.account, c.only, c.host, c.port, got, err, want)
		}
	}
}

func TestListIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &domains{}
		store.set("1", "a.example")
		p := newPolicy(store)
		allowed := func(want bool) {
			t.Helper()
			got, err := p.judge(t.Context(), &Source{AccountID: "1"}, "b.example", 443)
			if err != nil || (got.entry != "") != want {
				t.Errorf("b.example: %+v, %v; want allowed %t", got, err, want)
			}
		}
		allowed(false)
		store.set("1", "b.example")
		allowed(false) // known
		p.changed("1")
		allowed(true)
		store.set("1") // by another process
		time.Sleep(listAge - time.Second)
		allowed(true)
		time.Sleep(time.Second)
		allowed(false)
		if want := 3; store.reads != want {
			t.Errorf("%d reads, want %d", store.reads, want)
		}
		store.fail = errors.New("down")
		time.Sleep(listAge)
		if _, err := p.judge(t.Context(), &Source{AccountID: "1"}, "b.example", 443); !errors.Is(err, store.fail) {
			t.Errorf("with the store down: %v, want its error", err)
		}
	})
}

// TestReadUnderWay changes the list after it was read and before it is kept.
func TestReadUnderWay(t *testing.T) {
	t.Parallel()
	store := &domains{}
	store.set("1", "a.example")
	p := newPolicy(store)
	var once sync.Once
	store.reading = func() {
		once.Do(func() {
			store.set("1")
			p.changed("1")
		})
	}
	got, err := p.judge(t.Context(), &Source{AccountID: "1"}, "a.example", 443)
	if err != nil || got.entry != "" {
		t.Errorf("after the change: %+v, %v; want not allowed", got, err)
	}
}

func TestListsAreBounded(t *testing.T) {
	t.Parallel()
	p := newPolicy(&domains{})
	for i := range maxLists + 10 {
		if _, err := p.list(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.lists.Len(); got != maxLists {
		t.Errorf("%d lists are kept, want %d", got, maxLists)
	}
}
