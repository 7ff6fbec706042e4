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
	// starting is what a process may have used before it had a program: a
	// worker that was blank at no count would put its account behind by that.
	starting = 100 * time.Millisecond
)

// shares decides which accounts go behind.
type shares struct {
	counted time.Time
	idle    time.Duration  // of all processors, at that time
	behind  map[string]int // accounts that have used too much; counts since they did not
}

// count returns which accounts are behind from now on, by what the workers of
// each have used in the time since the last count, and how much nobody used. An
// account that has workers is in used, whatever they did.
func (s *shares) count(used map[string]time.Duration, idle, since time.Duration) map[string]int {
	all := idle
	for _, d := range used {
		all += d
	}
	active := 0
	for _, d := range used {
		if d.Seconds() > computing*all.Seconds() {
			active++
		}
	}
	share := max(all/time.Duration(active+1), time.Duration(least*float64(since)))
	behind := map[string]int{}
	for account, d := range used {
		if d > share && len(used) > 1 {
			behind[account] = 0
		}
	}
	for account, calm := range s.behind { // also those without a worker: it may be between two
		if calm++; used[account].Seconds() > returnBelow*share.Seconds() && len(used) > 1 {
			behind[account] = 0
		} else if calm < returnAfter {
			behind[account] = calm
		}
	}
	s.behind = behind
	return behind
}

// share counts what every worker has computed, gives each the priority that
// its account has, and bounds logging where there are several. It is called by Run alone.
func (f *Fleet) share(now time.Time) {
	f.mu.Lock()
	all := make([]*Worker, 0, len(f.workers))
	for w := range f.workers {
		all = append(all, w)
	}
	f.mu.Unlock()

	used := map[string]time.Duration{}
	for _, w := range all {
		total := w.processorTime()
		if account := w.account(); account != "" { // what a blank one used is nobody's
			before := w.computed
			if before == 0 {
				before = starting
			}
			used[account] += max(total-before, 0)
		}
		w.computed = total
	}
	idle := idleTime()
	behind := f.shares.count(used, max(idle-f.shares.idle, 0), now.Sub(f.shares.counted))
	f.shares.counted, f.shares.idle = now, idle
	f.behind.Store(&behind)
	f.pace.share(used)
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
	// Coming back needs a right that a server which is an ordinary user may
	// not have (docs/operating.md, LimitNICE): the worker then stays behind,
	// and is asked again at the next count.
	if reprioritise(w.cmd.Process.Pid, want) {
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
