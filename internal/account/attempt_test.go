package account

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

// wait is how long err tells to wait; 0 for none.
func wait(t *testing.T, err error) time.Duration {
	t.Helper()
	if err == nil {
		return 0
	}
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || e.Code != convoke.CodeLocked || e.RetryAfter <= 0 {
		t.Fatalf("got %v, want CodeLocked with RetryAfter", err)
	}
	return e.RetryAfter
}

func TestBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(time.Now)
		var waits []time.Duration
		for range 16 {
			for {
				d := wait(t, a.begin("user 1 ann", userAttempts))
				if d == 0 {
					break
				}
				waits = append(waits, d)
				time.Sleep(d) // the bubble's clock
			}
		}
		if got, want := fmt.Sprint(waits), "[1s 2s 4s 8s 16s 32s 1m4s 2m8s 4m16s 8m32s 15m0s]"; got != want {
			t.Errorf("waits %s, want %s", got, want)
		}
		if d := wait(t, a.begin("user 1 bob", userAttempts)); d != 0 {
			t.Errorf("another user has to wait %s", d)
		}
		time.Sleep(forgetAfter + time.Second)
		for range userAttempts {
			if d := wait(t, a.begin("user 1 ann", userAttempts)); d != 0 {
				t.Errorf("after %s of peace: wait %s", forgetAfter, d)
			}
		}
	})
}

func TestForgiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(time.Now)
		for range 50 { // each one succeeds
			if d := wait(t, a.begin("user 1 ann", userAttempts)); d != 0 {
				t.Fatalf("who knows the password has to wait %s", d)
			}
			a.forgive("user 1 ann")
			time.Sleep(50 * time.Millisecond)
		}
		// An address that signs in well now and then does not get to guess more.
		guesses := 0
		for range 200 {
			if wait(t, a.begin("from 192.0.2.1", addressAttempts)) == 0 {
				guesses++
			}
			if guesses%5 == 0 && wait(t, a.begin("from 192.0.2.1", addressAttempts)) == 0 {
				a.takeBack("from 192.0.2.1")
			}
			time.Sleep(50 * time.Millisecond)
		}
		if guesses > addressAttempts+5 {
			t.Errorf("%d guesses in 10 s, want about %d", guesses, addressAttempts)
		}
	})
}

// TestManyAtOnce: attempts count when they begin, so that many at once are no
// way around.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(time.Now)
		passed := make(chan bool)
		for range 50 {
			go func() { passed <- a.begin("user 1 ann", userAttempts) == nil }()
		}
		n := 0
		for range 50 {
			if <-passed {
				n++
			}
		}
		if n != userAttempts {
			t.Errorf("%d of 50 simultaneous attempts passed, want %d", n, userAttempts)
		}
	})
}

func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(time.Now)
		passed := 0
		for range 300 {
			if a.pace("from 192.0.2.1") == nil {
				passed++
			}
		}
		if passed != burst {
			t.Errorf("%d requests at once, want %d", passed, burst)
		}
		time.Sleep(time.Second)
		if wait(t, a.pace("from 192.0.2.1")) != 0 {
			t.Error("nothing is let through after a second")
		}
		for i := range 3 * maxAttempts {
			_ = a.begin(fmt.Sprint("user ", i), userAttempts)
		}
		if n := a.counts.Len(); n > maxAttempts {
			t.Errorf("%d names are remembered, want at most %d", n, maxAttempts)
		}
	})
}

func TestAddressKey(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"192.0.2.1": "from 192.0.2.1", "2001:db8:1:2:3:4:5:6": "from 2001:db8:1:2::/64", "2001:db8:1:2::9": "from 2001:db8:1:2::/64",
		"::ffff:192.0.2.1": "from ::ffff:192.0.2.1", "fe80::1%eth0": "from fe80::/64", "@": "from @", "": "from ",
	} {
		if got := addressKey(from); got != want {
			t.Errorf("addressKey(%q) = %q, want %q", from, got, want)
		}
	}
}
