package worker

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"convoke"
)

// Reason is why a worker's process ended. Every end has one.
type Reason string

const (
	ReasonClosed   Reason = "closed"   // idle, replaced or shut down: we asked
	ReasonTimeout  Reason = "timeout"  // an invocation passed its deadline
	ReasonMemory   Reason = "memory"   // over its memory limit
	ReasonExit     Reason = "exit"     // the function ended its own process
	ReasonCrash    Reason = "crash"    // a signal that nobody here sent
	ReasonProtocol Reason = "protocol" // it sent what a worker never sends
	ReasonLoad     Reason = "load"     // its program did not load
	ReasonStart    Reason = "start"    // it never became ready
	ReasonRetired  Reason = "retired"  // an exception escaped the function, its state is undefined
)

// Exit says how a worker ended.
type Exit struct {
	Reason   Reason
	Detail   string // a clause for people, such as "process.exit(1)"
	Function string // "" for a blank worker
	Account  string
	Lived    time.Duration
	Lost     int // invocations that were under way
}

// isFault reports whether the function's code is why the process is no more.
func (e Exit) isFault() bool {
	switch e.Reason {
	case ReasonTimeout, ReasonMemory, ReasonExit, ReasonCrash, ReasonProtocol:
		return e.Account != ""
	default:
		return false
	}
}

// classify turns what is known of an ended process into its Exit: the
// server's own decision first, then what the process left on stderr, then
// how the kernel reports its end.
func classify(asked *verdict, retire, stderr string, state *os.ProcessState) (Reason, string) {
	if asked != nil {
		return asked.reason, asked.detail
	}
	if strings.Contains(stderr, "JavaScript heap out of memory") || strings.Contains(stderr, "Reached heap limit") ||
		strings.Contains(stderr, "Array buffer allocation failed") && strings.Contains(stderr, "FATAL ERROR") {
		return ReasonMemory, "the JavaScript heap is full"
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return ReasonMemory, "killed by the host, most likely for memory"
	case ok && status.Signaled():
		return ReasonCrash, fmt.Sprintf("signal %s", status.Signal())
	case strings.HasPrefix(retire, "process.exit"):
		return ReasonExit, retire
	default:
		return ReasonExit, fmt.Sprintf("exit code %d", state.ExitCode())
	}
}

// failure is what an invocation is told that was under way when the worker ended.
func (e Exit) failure(memoryMiB int) *convoke.Error {
	switch e.Reason {
	case ReasonMemory:
		return convoke.Errorf(convoke.CodeLimitReached,
			"The function needed more than its %d MiB of memory and was stopped (%s); raise its memory or use less", memoryMiB, e.Detail)
	case ReasonExit:
		return convoke.Errorf(convoke.CodeRuntimeError,
			"The function ended its process (%s) instead of answering; return or throw instead", e.Detail)
	case ReasonCrash:
		return convoke.Errorf(convoke.CodeRuntimeError, "The function's process crashed (%s)", e.Detail)
	case ReasonProtocol:
		return convoke.Errorf(convoke.CodeRuntimeError,
			"The function's process broke the protocol with the platform (%s) and was stopped; leave file descriptors 3 and 4 alone", e.Detail)
	default:
		// A neighbour in the same instance, or the server, ended it: the
		// function itself did nothing wrong and the caller may try again.
		return &convoke.Error{Code: convoke.CodeUnavailable, RetryAfter: time.Second,
			Message: fmt.Sprintf("The instance was stopped while it ran this invocation (%s: %s); try again", e.Reason, e.Detail)}
	}
}
