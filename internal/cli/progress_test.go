package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for took, want := range map[time.Duration]string{
			900 * time.Millisecond:  "",
			2500 * time.Millisecond: "\r\x1b[Kdeploying x, 1 s\r\x1b[Kdeploying x, 2 s\r\x1b[K",
		} {
			var b strings.Builder
			stop := progress(&b, "deploying x")
			time.Sleep(took)
			stop()
			stop() // a second time does nothing
			if b.String() != want {
				t.Errorf("after %s: got %q, want %q", took, b.String(), want)
			}
		}
	})
}
