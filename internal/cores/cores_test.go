package cores

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// govern runs Govern on two processors until the test ends.
func govern(t *testing.T) {
	t.Helper()
	before := runtime.GOMAXPROCS(2)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); Govern(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if n := runtime.GOMAXPROCS(before); n != 2 {
			t.Errorf("%d processors after Govern ended, want both", n)
		}
	})
	await(t, 1)
}

func await(t *testing.T, want int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.GOMAXPROCS(0) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d processors, want %d", runtime.GOMAXPROCS(0), want)
		}
	}
}

func TestBusyHasBoth(t *testing.T) {
	govern(t)
	first, second := Busy(), Busy()
	if n := runtime.GOMAXPROCS(0); n != 2 {
		t.Fatalf("%d processors while busy, want 2", n)
	}
	first()
	time.Sleep(2 * linger) // nothing may end with the first of two
	if n := runtime.GOMAXPROCS(0); n != 2 {
		t.Fatalf("%d processors while still busy, want 2", n)
	}
	second()
	await(t, 1)
}

func TestComputingGetsTheSecond(t *testing.T) {
	govern(t)
	var stop atomic.Bool
	defer stop.Store(true)
	go func() {
		for !stop.Load() { // computes
		}
	}()
	await(t, 2)
}

func TestBusyWithoutGovern(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	done := Busy()
	done()
	if n := runtime.GOMAXPROCS(0); n != before {
		t.Errorf("%d processors, want %d as before", n, before)
	}
}

func TestOtherMachinesAreLeftAlone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	Govern(t.Context()) // returns at once
	if n := runtime.GOMAXPROCS(0); n != 4 {
		t.Errorf("%d processors, want 4", n)
	}
}

func BenchmarkBusy(b *testing.B) {
	before := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(before)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go Govern(ctx)
	time.Sleep(10 * time.Millisecond)
	for b.Loop() {
		Busy()()
	}
}

func BenchmarkChange(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for b.Loop() {
		runtime.GOMAXPROCS(1)
		runtime.GOMAXPROCS(2)
	}
}
