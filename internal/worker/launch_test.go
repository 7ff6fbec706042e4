//go:build linux

package worker

import (
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStartsWhereItBelongs: a process of an account that is behind has never
// been on the processors that the division leaves to the others, not even
// before it was moved; and the thread that started it is back there.
func TestStartsWhereItBelongs(t *testing.T) {
	all := processors()
	if len(all) < 2 {
		t.Skip("NOT TESTED: one processor cannot be divided")
	}
	runtime.LockOSThread() // and never unlock: the thread ends with the test
	ours, theirs := all[:1], all[1:2]
	f := &Fleet{}
	f.divider.all = all
	f.ruling.Store(&ruling{behind: map[string]int{"loops": 0}, division: division{others: ours, behind: theirs}})
	keepThread(ours)

	for account, want := range map[string]int{"loops": theirs[0], "calm": ours[0], "": ours[0]} {
		cmd := exec.Command("cat", "/proc/self/status")
		var out strings.Builder
		cmd.Stdout = &out
		w := newWorker(f, "", account)
		if err := w.launch(cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(out.String(), "Cpus_allowed_list:")
		line, _, _ = strings.Cut(line, "\n")
		if got := strings.TrimSpace(line); got != strconv.Itoa(want) {
			t.Errorf("a process of %q started on %s, not on %d", account, got, want)
		}
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() != 1 || !set.IsSet(ours[0]) {
			t.Errorf("after a start for %q the thread is on %v (%v)", account, set, err)
		}
	}
}
