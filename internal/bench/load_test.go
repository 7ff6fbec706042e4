package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// serve starts a server and returns a load that fits it.
func serve(t *testing.T, h http.HandlerFunc) Load {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return Load{
		Address:     strings.TrimPrefix(s.URL, "http://"),
		Header:      map[string]string{"content-type": "application/json"},
		Body:        `{"payload":{"name":"Ada"}}`,
		Targets:     []Target{{Path: "/hello", Expect: "Hello Ada"}},
		Connections: 3,
	}
}

func TestLoadClosedLoop(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	l := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || r.URL.Path != "/hello" || r.Header.Get("Content-Type") != "application/json" || string(body) != `{"payload":{"name":"Ada"}}` {
			w.WriteHeader(http.StatusTeapot)
		}
		served.Add(1)
		io.WriteString(w, `"Hello Ada"`)
	})
	l.Warmup, l.Duration = 20*time.Millisecond, 50*time.Millisecond
	r, err := RunLoad(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if got := int(served.Load()); r.Sent != got {
		t.Errorf("Sent = %d, the server saw %d", r.Sent, got)
	}
	if n := r.OK.Count(); n >= r.Sent {
		t.Errorf("%d recorded of %d sent: the warm-up is not left out", n, r.Sent)
	}
	if got, want := r.Throughput(), float64(r.OK.Count())/0.05; got != want {
		t.Errorf("Throughput = %v, want %v", got, want)
	}
}

func TestLoadCountSendsEachTargetOnce(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 2000} {
		var mu sync.Mutex
		seen := map[string]int{}
		l := serve(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen[r.URL.Path]++
			mu.Unlock()
			io.WriteString(w, "Hello Ada")
		})
		l.Targets = []Target{{"/a", "Ada"}, {"/b", "Ada"}, {"/c", "Ada"}, {"/d", "Ada"}}
		l.Count, l.Rate = 4, rate
		r, err := RunLoad(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Err(); err != nil || r.OK.Count() != 4 || len(seen) != 4 {
			t.Errorf("rate %v: %v, %d recorded, server saw %v", rate, err, r.OK.Count(), seen)
		}
	}
}

func TestLoadOpenLoopKeepsItsRate(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var n atomic.Int64
	l := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			<-release // one slow answer must not hold up the others
		case 20:
			close(release)
		}
		io.WriteString(w, "Hello Ada")
	})
	l.Rate, l.Duration = 1000, 40*time.Millisecond
	r, err := RunLoad(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil || r.Sent != 40 {
		t.Errorf("%v, sent %d, want 40", err, r.Sent)
	}
}

func TestLoadRandomTargetsReachAll(t *testing.T) {
	t.Parallel()
	s := sender{requests: make([][]byte, 16), random: 1}
	seen := map[int]bool{}
	for range 1000 {
		seen[s.pick()] = true
	}
	if len(seen) != 16 {
		t.Errorf("1000 picks reached %d of 16 targets", len(seen))
	}
}

func TestLoadReportsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"status", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", 500) }, "status 500: broken"},
		{"body", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hello Eve") }, `answer without "Hello Ada"`},
		{"refusal that was not allowed", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) }, "status 429"},
		{"hang up", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		l := serve(t, tc.handler)
		l.Duration = 20 * time.Millisecond
		r, err := RunLoad(t.Context(), l)
		if err != nil {
			t.Fatal(tc.name, err)
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), tc.want) || r.OK.Count() != 0 {
			t.Errorf("%s: %v with %d recorded, want an error with %q", tc.name, err, r.OK.Count(), tc.want)
		}
	}
}

func TestLoadCountsRefusalsApart(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	l := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		io.WriteString(w, "Hello Ada")
	})
	l.Count, l.Refusals = 10, true
	r, err := RunLoad(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil || r.OK.Count() != 5 || r.Refused.Count() != 5 {
		t.Errorf("%v, %d right, %d refused, want 5 and 5", err, r.OK.Count(), r.Refused.Count())
	}
}

func TestLoadValidates(t *testing.T) {
	t.Parallel()
	good := Load{Targets: []Target{{}}, Connections: 1, Duration: time.Second}
	if err := good.validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Load){
		"no target":       func(l *Load) { l.Targets = nil },
		"no connection":   func(l *Load) { l.Connections = 0 },
		"too many":        func(l *Load) { l.Connections = maxConnections + 1 },
		"endless":         func(l *Load) { l.Duration = 0 },
		"too long":        func(l *Load) { l.Duration = time.Hour },
		"too slow":        func(l *Load) { l.Rate, l.Count, l.Duration = 0.001, 10, 0 },
		"both":            func(l *Load) { l.Count = 1 },
		"negative rate":   func(l *Load) { l.Rate = -1 },
		"negative warmup": func(l *Load) { l.Warmup = -1 },
	} {
		l := good
		spoil(&l)
		if _, err := RunLoad(t.Context(), l); err == nil || !strings.HasPrefix(err.Error(), "load: ") {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}

func TestLoadCannotConnect(t *testing.T) {
	t.Parallel()
	// A port that is taken but not listened on: a free one may be another
	// server's by the time it is tried.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	l := Load{Address: fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port), Targets: []Target{{}}, Connections: 1, Duration: time.Second}
	if _, err := RunLoad(t.Context(), l); err == nil {
		t.Error("no error for a port that nobody listens on")
	}
}
