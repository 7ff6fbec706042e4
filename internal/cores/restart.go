package cores

import (
	"context"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// wakeful keeps the watch of Go's runtime over its threads from falling asleep
// whenever nothing runs. Otherwise the first system call after each idle moment
// wakes it, twice in an invocation, and it looks every 20 µs for a while: a
// sixth of the time of a request and a third of the server's processor time at
// one connection. Awake it looks every 10 ms. The runtime has no setting for
// that alone; this one is for a trace of the scheduler every so many
// milliseconds, and so many are 25 days. See docs/adr/0025-cores.md.
const wakeful = "schedtrace=2147483647"

// Restart begins the process anew with the setting wakeful, which is read when
// a process begins and never after. It returns where that is done already or
// does not help, when it cannot be done, and when ctx has ended. Nothing may
// have been begun that should survive it.
func Restart(ctx context.Context) {
	settings := os.Getenv("GODEBUG")
	if runtime.GOMAXPROCS(0) != 2 || strings.Contains(settings, "schedtrace=") || ctx.Err() != nil {
		return
	}
	executable, err := os.Executable()
	if err != nil {
		return
	}
	env := make([]string, 0, len(os.Environ())+1)
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "GODEBUG=") {
			env = append(env, pair)
		}
	}
	_ = syscall.Exec(executable, os.Args, append(env, "GODEBUG="+strings.TrimPrefix(settings+","+wakeful, ",")))
}
