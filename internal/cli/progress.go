package cli

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// during says on a terminal what goes on, once it has gone on for a second,
// and for how long. The caller calls stop when it is over, before anything else
// is printed; stop wipes the line away.
func (a *app) during(format string, args ...any) (stop func()) {
	if !a.StderrTTY || a.json {
		return func() {}
	}
	return progress(a.Stderr, fmt.Sprintf(format, args...))
}

// progress writes to w from another goroutine until stop has returned.
func progress(w io.Writer, text string) (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for seconds := 1; ; seconds++ {
			select {
			case <-tick.C:
				fmt.Fprintf(w, "\r\x1b[K%s, %d s", text, seconds)
			case <-over:
				if seconds > 1 {
					fmt.Fprint(w, "\r\x1b[K")
				}
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(over)
		<-ended
	})
}
