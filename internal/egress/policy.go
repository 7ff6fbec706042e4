package egress

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"convoke"
)

// maxLists is how many accounts' allow-lists are kept in memory; the others
// cost one indexed read when a function of theirs calls.
const maxLists = 4096

// listAge is how old a list may be before it is read again: a change made by
// another process on the same store is not announced here.
const listAge = 30 * time.Second

// allowList is a set of convoke.Domain made ready for asking. It covers what
// any of them allows, in time that does not grow with the list.
type allowList struct {
	names map[string][]entry // by name; by "." and what follows for a wildcard
}

type entry struct {
	port  int
	label string // as the developer wrote it
}

func compile(domains []*convoke.Domain) allowList {
	l := allowList{names: make(map[string][]entry, len(domains))}
	for _, d := range domains {
		key := strings.TrimPrefix(d.Name, "*")
		l.names[key] = append(l.names[key], entry{d.Port, d.String()})
	}
	return l
}

// match returns the entry that covers host and port, "" when none does. The
// host must have the form that hostname gives.
func (l allowList) match(host string, port int) string {
	if found := cover(l.names[host], port); found != "" {
		return found
	}
	for i, c := range []byte(host) {
		if c == '.' && i > 0 {
			if found := cover(l.names[host[i:]], port); found != "" {
				return found
			}
		}
	}
	return ""
}

func cover(entries []entry, port int) string {
	for _, e := range entries {
		if e.port == port || e.port == 0 && (port == 80 || port == 443) {
			return e.label
		}
	}
	return ""
}

// policy knows every account's allow-list. A change drops the account's list
// and raises the epoch, so that a read that was under way meanwhile cannot put
// the old list back.
type policy struct {
	store DomainLister

	mu    sync.Mutex
	lists *lru.Cache[string, *cachedList]
	epoch uint64 // of all accounts: changes are rare and reads are short
}

type cachedList struct {
	allowList
	read time.Time
}

func newPolicy(store DomainLister) *policy {
	lists, _ := lru.New[string, *cachedList](maxLists) // fails for a size below 1 only
	return &policy{store: store, lists: lists}
}

func (p *policy) changed(accountID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch++
	p.lists.Remove(accountID)
}

// list returns an account's list, or the error of the store.
func (p *policy) list(ctx context.Context, accountID string) (allowList, error) {
	for {
		p.mu.Lock()
		epoch := p.epoch
		known, ok := p.lists.Get(accountID)
		p.mu.Unlock()
		if ok && time.Since(known.read) < listAge {
			return known.allowList, nil
		}
		fresh := &cachedList{read: time.Now()}
		domains, err := p.store.ListDomains(ctx, accountID)
		if err != nil {
			return allowList{}, err
		}
		fresh.allowList = compile(domains)
		p.mu.Lock()
		current := p.epoch == epoch
		if current {
			p.lists.Add(accountID, fresh)
		}
		p.mu.Unlock()
		if current {
			return fresh.allowList, nil
		}
	}
}

// verdict is what the rules say to one host and port.
type verdict struct {
	entry string // of the account's list, when it is allowed
	why   string // for the developer, when it is not
}

// judge asks the account's list and the function's own. The host must have the
// form that hostname gives. The error is the store's.
func (p *policy) judge(ctx context.Context, src *Source, host string, port int) (verdict, error) {
	list, err := p.list(ctx, src.AccountID)
	if err != nil {
		return verdict{}, err
	}
	found := list.match(host, port)
	if found == "" {
		return verdict{why: fmt.Sprintf("%[1]s is not an allowed domain of account %[2]s; allow it with `convoke domain add %[1]s`", place(host, port), src.AccountID)}, nil
	}
	if src.Only != nil && !narrowed(src.Only, host, port) {
		return verdict{why: fmt.Sprintf("%s is allowed in account %s, but not to this function: its settings list the domains that it may call, so add it there", place(host, port), src.AccountID)}, nil
	}
	return verdict{entry: found}, nil
}

// narrowed reports whether one of a function's own entries covers host and
// port. They are few, and checked when the function is saved.
func narrowed(only []string, host string, port int) bool {
	for _, text := range only {
		name, at, err := convoke.ParseDomain(text)
		if d := (convoke.Domain{Name: name, Port: at}); err == nil && d.Allows(host, port) {
			return true
		}
	}
	return false
}
