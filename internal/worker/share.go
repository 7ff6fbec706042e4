package worker

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Accounts share the processors by a rule of two classes. Who computes more
// than its share goes behind all others: its workers keep what nobody else
// wants, and the neighbour's short invocation finds a processor at once,
// however many loops the other runs. It comes back when it computes less.
//
// What is shared is what workers had and what nobody used. The share is that
// of one more account than there are that compute: so it also holds for
// several that do, and for the newcomer. An account that has the machine to
// itself is left alone.
const (
	// shareEvery is how often it is counted.
	shareEvery = 200 * time.Millisecond
	// computing is the part of all from which on an account counts, and least
	// the part of one processor from which on it can be too much.
	computing = 0.05
	least     = 0.25
	// returnBelow is the part of its share below which an account comes back
	// after returnAfter counts in a row.
	returnBelow = 0.5
	returnAfter = 5
	// Each worker of an account behind that had to be stopped, or ended its own
	// process, doubles that, up to 64 s: it would be back with the next dozen.
	mostDoublings = 6
)

// shares decides which accounts go behind.
type shares struct {
	counted time.Time
	idle    time.Duration       // of all processors, at that time
	own     time.Duration       // of the server, at that time
	behind  map[string]standing // accounts that have used too much
}

// standing is how far an account that is behind is from coming back.
type standing struct {
	calm   int // counts since it used too much
	faults int // workers of it that had to be stopped since it went behind
}

// due is after how many calm counts it comes back.
func (s standing) due() int { return returnAfter << min(s.faults, mostDoublings) }

// usage is what accounts did since the count before.
type usage struct {
	time   map[string]time.Duration // of processors; of each account that has a worker, whatever that did
	held   map[string]bool          // who was held back for its log
	faults map[string]int           // workers that had to be stopped, see Exit.isFault
}

// ruling is what a count came to.
type ruling struct {
	behind map[string]standing // the accounts that are behind
	division
}

// count returns which accounts are behind from now on, by what each has done in
// the time since the last count, and how much of it nobody used.
func (s *shares) count(u usage, idle, since time.Duration) map[string]standing {
	all := idle
	for _, d := range u.time {
		all += d
	}
	active := 0
	for _, d := range u.time {
		if d.Seconds() > computing*all.Seconds() {
			active++
		}
	}
	share := max(all/time.Duration(active+1), time.Duration(least*float64(since)))
	shared := len(u.time) > 1
	behind := map[string]standing{}
	for account, d := range u.time {
		if shared && (d > share || u.held[account]) {
			behind[account] = standing{faults: u.faults[account]}
		}
	}
	for account, was := range s.behind { // also those without a worker: it may be between two
		now := standing{calm: was.calm + 1, faults: was.faults + u.faults[account]}
		_, has := u.time[account]
		if len(u.time) == 0 || len(u.time) == 1 && has {
			now.faults = 0 // nobody else is there to mind
		}
		if shared && (u.held[account] || u.time[account].Seconds() > returnBelow*share.Seconds()) {
			now.calm = 0
		}
		if now.calm < now.due() {
			behind[account] = now
		}
	}
	s.behind = behind
	return behind
}

// share counts what every worker has computed, gives each the priority and the
// processors that its account has, and bounds logging where there are several.
// It is called by Run alone.
func (f *Fleet) share(now time.Time) {
	f.mu.Lock()
	all := make([]*Worker, 0, len(f.workers))
	for w := range f.workers {
		all = append(all, w)
	}
	f.mu.Unlock()

	for _, w := range all {
		w.charge(w.processorTime())
	}
	u := f.bill.collect()
	for _, w := range all {
		if account := w.account(); account != "" {
			u.time[account] += 0
		}
	}
	u.held = f.pace.collect()
	idle, own, since := idleTime(), ownTime(), now.Sub(f.shares.counted)
	r := &ruling{behind: f.shares.count(u, max(idle-f.shares.idle, 0), since)}
	others := own - f.shares.own
	for account, d := range u.time {
		if _, is := r.behind[account]; !is {
			others += d
		}
	}
	r.division = f.divider.divide(len(r.behind) > 0, others, since)
	f.shares.counted, f.shares.idle, f.shares.own = now, idle, own

	before := f.ruling.Swap(r)
	f.pace.share(u.time, r.behind)
	if !slices.Equal(before.others, r.others) {
		confine(os.Getpid(), f.divider.orAll(r.others))
	}
	for _, w := range all {
		w.prioritise()
	}
}

// prioritise puts the worker behind those of other accounts, or back, and on
// the processors for that.
func (w *Worker) prioritise() {
	r := w.fleet.ruling.Load()
	w.mu.Lock()
	account, blank := w.pays(), w.program == nil
	w.mu.Unlock()
	_, isBehind := r.behind[account]
	want := level
	switch {
	case isBehind && blank:
		want = startsBehind
	case isBehind:
		want = behind
	}
	w.priorityMu.Lock()
	defer w.priorityMu.Unlock()
	if part := r.of(isBehind); !w.placed || !slices.Equal(part, w.confined) {
		confine(w.cmd.Process.Pid, w.fleet.divider.orAll(part))
		w.placed, w.confined = true, part
	}
	if want == w.rank {
		return
	}
	// Coming back needs a right that a server which is an ordinary user may
	// not have (docs/operating.md, LimitNICE): the worker then stays behind,
	// and is asked again at the next count.
	if reprioritise(w.cmd.Process.Pid, want) {
		w.rank = want
	}
}

// rank is who goes before whom.
type rank int

const (
	level        rank = iota // with the workers of all other accounts
	startsBehind             // after them, while it is blank
	behind                   // after everybody
)

// account is who pays for what the worker computes: whose program it has
// loaded, and until then on whose behalf it was started.
func (w *Worker) account() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pays()
}

// pays is account; mu is held.
func (w *Worker) pays() string {
	if w.program == nil {
		return w.payer
	}
	return w.program.AccountID
}

// charge puts what the worker has used of the processors by now, total since
// its start, on the bill of who pays.
func (w *Worker) charge(total time.Duration) {
	w.mu.Lock()
	used := total - w.charged
	w.charged = max(w.charged, total)
	account := w.pays()
	w.mu.Unlock()
	if used > 0 && account != "" {
		w.fleet.bill.add(account, used)
	}
}

// bill is what accounts have used since it was last collected. Workers come
// and go between two counts, and a process that lives for a moment costs more
// than most invocations: so each is charged when it loads and when it is gone.
type bill struct {
	mu     sync.Mutex
	used   map[string]time.Duration
	faults map[string]int
}

func (b *bill) add(account string, used time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used == nil {
		b.used = map[string]time.Duration{}
	}
	b.used[account] += used
}

// fault notes that a worker of an account had to be stopped.
func (b *bill) fault(account string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.faults == nil {
		b.faults = map[string]int{}
	}
	b.faults[account]++
}

// collect hands over the bill and begins a new one.
func (b *bill) collect() usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := usage{time: b.used, faults: b.faults}
	if u.time == nil {
		u.time = map[string]time.Duration{}
	}
	b.used, b.faults = nil, nil
	return u
}

// Behind reports whether an account computes beyond its share: others then
// come before it wherever they meet.
func (f *Fleet) Behind(account string) bool {
	_, is := f.ruling.Load().behind[account]
	return is
}

// CountBehind is how many accounts are.
func (f *Fleet) CountBehind() int { return len(f.ruling.Load().behind) }

// idleTime is how long all processors together had nothing to do.
func idleTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait …
	if len(fields) < 6 {
		return 0
	}
	nothing, _ := strconv.ParseInt(fields[4], 10, 64)
	waiting, _ := strconv.ParseInt(fields[5], 10, 64)
	return time.Duration(nothing+waiting) * tick
}

// tick is the unit of processor times in /proc, the same on every platform
// that Linux runs on.
const tick = 10 * time.Millisecond

// processorTime is what all threads of the process have used so far, 0 when
// it is gone.
func (w *Worker) processorTime() time.Duration {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(w.cmd.Process.Pid) + "/stat")
	if err != nil {
		return 0
	}
	// The name, in parentheses, is the process's own choice.
	_, rest, _ := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}
