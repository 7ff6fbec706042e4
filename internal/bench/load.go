package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Load says what to send where. It travels as JSON to the load process.
//
// Without Count and Rate the load is a closed loop: each connection sends its
// next request when the last one is answered. With Rate requests leave at fixed
// times, whether earlier ones are answered or not. Both last for Warmup and
// then Duration, and record what is answered within Duration. With Count each
// request leaves at its time by Rate, or all at once, and all are recorded.
type Load struct {
	Address     string            `json:"address"`
	Header      map[string]string `json:"header"`
	Body        string            `json:"body"`
	Targets     []Target          `json:"targets"` // picked in turn with Rate or Count, at random otherwise
	Connections int               `json:"connections"`
	Warmup      time.Duration     `json:"warmup"`
	Duration    time.Duration     `json:"duration"`
	Count       int               `json:"count"`
	Rate        float64           `json:"rate"`     // requests per second
	Refusals    bool              `json:"refusals"` // status 429 is an answer, counted apart
	Failures    bool              `json:"failures"` // any status is, counted with the refusals
}

// Target is one path to post to and text that its answers must hold.
type Target struct {
	Path   string `json:"path"`
	Expect string `json:"expect"`
}

// Result is what a Load came to.
type Result struct {
	OK         Histogram     `json:"ok"`      // right answers
	Refused    Histogram     `json:"refused"` // status 429 with Refusals, all but 200 with Failures
	Window     time.Duration `json:"window"`  // in which they were counted
	Sent       int           `json:"sent"`    // with those of the warm-up
	Errors     int           `json:"errors"`
	FirstError string        `json:"firstError"`
	CPU        time.Duration `json:"cpu"` // of the load process, warm-up included
}

// Throughput is right answers per second.
func (r *Result) Throughput() float64 { return float64(r.OK.Count()) / r.Window.Seconds() }

// Err is nil when every answer was right and there was at least one.
func (r *Result) Err() error {
	if r.Errors > 0 {
		return fmt.Errorf("%d of %d requests failed, first: %s", r.Errors, r.Sent, r.FirstError)
	}
	if r.OK.Count()+r.Refused.Count() == 0 {
		return errors.New("nothing was answered within the time")
	}
	return nil
}

const (
	maxConnections = 4096
	maxDuration    = 10 * time.Minute
	grace          = 30 * time.Second // for the last answers
)

func (l *Load) validate() error {
	switch {
	case len(l.Targets) == 0:
		return errors.New("load: no targets")
	case l.Connections < 1 || l.Connections > maxConnections:
		return fmt.Errorf("load: %d connections; from 1 to %d are possible", l.Connections, maxConnections)
	case l.Warmup < 0 || l.Duration < 0 || l.Rate < 0 || l.Count < 0:
		return errors.New("load: a negative amount")
	case l.Warmup+l.expected() > maxDuration:
		return fmt.Errorf("load: lasts longer than %v", maxDuration)
	case (l.Duration == 0) == (l.Count == 0):
		return errors.New("load: give either a duration or a count")
	}
	return nil
}

// expected is how long the requests take to leave.
func (l *Load) expected() time.Duration {
	if l.Count > 0 && l.Rate > 0 {
		return time.Duration(float64(l.Count) / l.Rate * float64(time.Second))
	}
	return l.Duration
}

// RunLoad connects, sends l from this process and waits for the answers. It
// fails when l makes no sense or no connection can be made; wrong answers are
// in the Result.
func RunLoad(ctx context.Context, l Load) (*Result, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	requests := make([][]byte, len(l.Targets))
	for i, t := range l.Targets {
		requests[i] = requestBytes(l, t.Path)
	}
	senders := make([]*sender, l.Connections)
	deadline := time.Now().Add(l.Warmup + l.expected() + grace)
	defer func() {
		for _, s := range senders {
			if s != nil {
				_ = s.conn.close() // all answers are read
			}
		}
	}()
	for i := range senders {
		c, err := dial(ctx, l.Address, deadline)
		if err != nil {
			return nil, err
		}
		senders[i] = &sender{conn: c, load: &l, requests: requests, random: uint64(i)*0x9e3779b97f4a7c15 + 1}
	}
	return run(&l, senders), nil
}

// requestBytes is a whole request for one target.
func requestBytes(l Load, path string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", path, l.Address, len(l.Body))
	names := make([]string, 0, len(l.Header))
	for name := range l.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\r\n", http.CanonicalHeaderKey(name), l.Header[name])
	}
	b.WriteString("\r\n" + l.Body)
	return b.Bytes()
}

func run(l *Load, senders []*sender) *Result {
	cpu := cpuTime()
	start := time.Now()
	var tickets atomic.Int64
	var wg sync.WaitGroup
	for _, s := range senders {
		wg.Go(func() {
			if l.Count > 0 || l.Rate > 0 {
				s.paced(start, &tickets)
			} else {
				s.closedLoop(start)
			}
		})
	}
	wg.Wait()
	r := &Result{Window: time.Since(start), CPU: cpuTime() - cpu}
	if l.Duration > 0 {
		r.Window = l.Duration // and the last answers came later
	}
	for _, s := range senders {
		r.OK.Merge(&s.ok)
		r.Refused.Merge(&s.refused)
		r.Sent += s.sent
		if s.err != nil {
			r.Errors++
			if r.FirstError == "" {
				r.FirstError = s.err.Error()
			}
		}
	}
	return r
}

// sender owns one connection. It stops at its first error: the run has failed
// then, and an endless row of errors would only blur the first one.
type sender struct {
	conn     *conn
	load     *Load
	requests [][]byte
	random   uint64
	ok       Histogram
	refused  Histogram
	sent     int
	err      error
}

func (s *sender) closedLoop(start time.Time) {
	begin := start.Add(s.load.Warmup)
	end := begin.Add(s.load.Duration)
	for now := start; s.err == nil && now.Before(end); {
		sent := now
		status := s.send(s.pick())
		if now = time.Now(); now.After(begin) && now.Before(end) {
			s.record(status, now.Sub(sent))
		}
	}
}

// paced takes the next ticket, waits until its time and sends. The latency of
// a ticket that was taken too late counts from the time it should have left,
// so that a slow server cannot hide by slowing the sender down.
func (s *sender) paced(start time.Time, tickets *atomic.Int64) {
	begin := start.Add(s.load.Warmup)
	end := begin.Add(s.load.Duration)
	for s.err == nil {
		i := int(tickets.Add(1) - 1)
		due := start
		if s.load.Rate > 0 {
			due = start.Add(time.Duration(float64(i) / s.load.Rate * float64(time.Second)))
		}
		if s.load.Count > 0 && i >= s.load.Count || s.load.Count == 0 && !due.Before(end) {
			return
		}
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			due = time.Now() // the timer's own delay is not the server's
		}
		status := s.send(i % len(s.requests))
		if now := time.Now(); s.load.Count > 0 || now.After(begin) && now.Before(end) {
			s.record(status, now.Sub(due))
		}
	}
}

func (s *sender) pick() int {
	if len(s.requests) == 1 {
		return 0
	}
	s.random ^= s.random << 13 // xorshift64
	s.random ^= s.random >> 7
	s.random ^= s.random << 17
	return int(s.random % uint64(len(s.requests)))
}

// send returns the status, and sets s.err unless the answer is right.
func (s *sender) send(target int) int {
	s.sent++
	r, err := s.conn.do(s.requests[target])
	switch expect := s.load.Targets[target].Expect; {
	case err != nil:
		s.err = err
	case r.status == http.StatusTooManyRequests && s.load.Refusals, r.status != http.StatusOK && s.load.Failures:
	case r.status != http.StatusOK:
		s.err = fmt.Errorf("status %d: %.300s", r.status, r.body)
	case !bytes.Contains(r.body, []byte(expect)):
		s.err = fmt.Errorf("answer without %q: %.300s", expect, r.body)
	}
	return r.status
}

func (s *sender) record(status int, d time.Duration) {
	switch {
	case s.err != nil:
	case status == http.StatusOK:
		s.ok.Record(d)
	default:
		s.refused.Record(d)
	}
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // cannot fail for RUSAGE_SELF
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
