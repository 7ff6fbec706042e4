package account

import (
	"context"
	"reflect"
	"slices"
	"time"

	"convoke"
)

// Limit is one limit of an account and what is used of it.
type Limit struct {
	Name        string
	Description string // completes "at most so many …"
	Limit       int64  // 0 is none
	Unit        string // one of api.LimitUnits; "" for a count
	Used        *int   // nil where nothing is counted
	Settable    bool   // an account can have one of its own
}

// Bound is a limit that another room keeps, as the server has it.
type Bound struct {
	Name  string // unique; of a limit that an account can have of its own, as that is called
	About string
	Unit  string
	Limit int64 // 0 is none
	Used  Used  // nil where nothing is counted
}

// serverLimits are all limits as the server has them, those of invocations and
// things first.
func (s *Service) serverLimits() []Bound {
	out := make([]Bound, 0, 64)
	v := reflect.ValueOf(s.limits)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		b := Bound{Name: f.Tag.Get("yaml"), About: f.Tag.Get("about"), Unit: f.Tag.Get("unit"), Limit: v.Field(i).Int()}
		if d, ok := v.Field(i).Interface().(time.Duration); ok {
			b.Limit, b.Unit = d.Milliseconds(), "ms"
		}
		if b.Used = s.used[b.Name]; b.Name == "usersPerAccount" {
			b.Used = s.countUsers
		}
		out = append(out, b)
	}
	return append(out, s.bounds...)
}

// Report lists every limit of an account with what is used of it, in the order
// of convoke.Limits and then of Config.Bounds. It returns the error of what
// counts.
func (s *Service) Report(ctx context.Context, accountID string) ([]Limit, error) {
	var own convoke.AccountLimits
	if t, ok := (*s.known.Load())[accountID]; ok {
		own = t.account.Limits
	}
	used := s.usedNow(accountID, s.LimitsOf(accountID))
	var out []Limit
	for _, b := range s.serverLimits() {
		l := Limit{Name: b.Name, Description: b.About, Limit: b.Limit, Unit: b.Unit, Settable: slices.Contains(own.Names(), b.Name)}
		if l.Settable {
			l.Limit = int64(convoke.Tighter(own.Of(b.Name), int(b.Limit)))
		}
		n, ok := used[b.Name]
		if !ok && b.Used != nil {
			var err error
			if n, err = b.Used(ctx, accountID); err != nil {
				return nil, err
			}
			ok = n >= 0
		}
		if ok {
			l.Used = &n
		}
		out = append(out, l)
	}
	return out, nil
}

// usedNow is what the account's invocations use: of a rate what is taken at
// this moment, of that of clients by the busiest.
func (s *Service) usedNow(accountID string, limits convoke.Limits) map[string]int {
	t, ok := (*s.known.Load())[accountID]
	if !ok {
		return nil
	}
	used := map[string]int{
		"invocationsPerMonth":  int(t.month()),
		"invocationsPerSecond": t.perSecond(),
	}
	if n := limits.InvocationsPerSecond; n > 0 {
		used["invocationsPerSecond"] = t.rate.Used(n)
	}
	if n := limits.InvocationsPerSecondPerClient; n > 0 {
		used["invocationsPerSecondPerClient"] = t.clients.Most(n)
	}
	return used
}

// pace is how many invocations began in a second where no rate is kept: the
// mean since the last or the last but one look at the month's count. It costs
// invocations nothing.
type pace struct {
	last, before look
}

type look struct {
	at    time.Time
	count int64
}

// look keeps the month's count; once in a while, so that there is something to
// take the mean of.
func (p *pace) look(count int64, now time.Time) {
	p.before, p.last = p.last, look{now, count}
}

// shortest is the least span that a mean is taken of.
const shortest = 5 * time.Second

func (p *pace) perSecond(count int64, now time.Time) int {
	since := p.last
	if now.Sub(since.at) < shortest {
		since = p.before
	}
	seconds := int64(now.Sub(since.at) / time.Second)
	begun := count - since.count
	if since.at.IsZero() || seconds < 1 || begun < 0 { // a new month counts from 0
		return 0
	}
	return int((begun + seconds - 1) / seconds)
}
