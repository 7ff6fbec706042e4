package worker

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Accounts share the processors by a rule of two classes. Who computes more
// than its share goes behind all others: its workers keep what nobody else
// wants, and the neighbour's short invocation finds a processor at once,
// however many loops the other runs. It comes back when it computes less.
//
// The share is that of one more account than there are that compute now. So
// it also holds for who comes next, and for several that compute at the same
// time, while an account alone on the machine loses nothing by being behind
// nobody.
const (
	// shareEvery is how often it is counted.
	shareEvery = 200 * time.Millisecond
	// computing is the part of the machine from which on an account counts.
	computing = 0.05
	// returnBelow is the part of its share below which an account comes back
	// after returnAfter counts in a row.
	returnBelow = 0.5
	returnAfter = 5
)

// shares counts the processor time of accounts.
type shares struct {
	processors int
	counted    time.Time
	behind     map[string]int // accounts that have used too much; counts since they did not
}

// count returns which accounts are behind from now on, by what each has used
// since the last count.
func (s *shares) count(used map[string]time.Duration, since time.Duration) map[string]int {
	machine := since.Seconds() * float64(s.processors)
	active := 0
	for _, d := range used {
		if d.Seconds() > computing*machine {
			active++
		}
	}
	share := machine / float64(active+1)
	behind := map[string]int{}
	for account, d := range used {
		calm, was := s.behind[account]
		switch {
		case d.Seconds() > share:
			behind[account] = 0
		case was && d.Seconds() > returnBelow*share:
			behind[account] = 0
		case was && calm+1 < returnAfter:
			behind[account] = calm + 1
		}
	}
	s.behind = behind
	return behind
}

// share counts what every worker has computed and gives each the priority
// that its account has. It is called by Run alone.
func (f *Fleet) share(now time.Time) {
	f.mu.Lock()
	all := make([]*Worker, 0, len(f.workers))
	for w := range f.workers {
		all = append(all, w)
	}
	f.mu.Unlock()

	used := map[string]time.Duration{}
	for _, w := range all {
		account := w.account()
		if account == "" {
			continue
		}
		total := w.processorTime()
		used[account] += max(total-w.computed, 0)
		w.computed = total
	}
	behind := f.shares.count(used, now.Sub(f.shares.counted))
	f.shares.counted = now
	f.behind.Store(&behind)
	for _, w := range all {
		w.prioritise(behind)
	}
}

// prioritise puts the worker behind those of other accounts, or back.
func (w *Worker) prioritise(behind map[string]int) {
	_, want := behind[w.account()]
	w.priorityMu.Lock()
	defer w.priorityMu.Unlock()
	if want == w.behind {
		return
	}
	nice := workerNiceness
	if want {
		nice = behindNiceness
	}
	// Coming back needs a right that a server which is an ordinary user may
	// not have (docs/operating.md, LimitNICE): the worker then stays behind,
	// and is asked again at the next count.
	if reprioritise(w.cmd.Process.Pid, nice) {
		w.behind = want
	}
}

// account is whose program the worker has loaded, "" while it is blank.
func (w *Worker) account() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.program == nil {
		return ""
	}
	return w.program.AccountID
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
