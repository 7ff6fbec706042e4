package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"convoke"
	"convoke/internal/invoke"
	"convoke/internal/sqlstore"
)

const (
	// childDir, when set, makes the test binary a process that runs the
	// schedules of the data directory there until nothing is open.
	childDir = "CONVOKE_TEST_SCHEDULE_DIR"
	// childDies is where that process kills itself; "" lets it live.
	childDies = "CONVOKE_TEST_SCHEDULE_DIES"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, os.Getenv(childDies)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// mortal dies at one of the points between which a process can be killed.
type mortal struct {
	*sqlstore.Store
	dies   string
	dir    string
	looked chan struct{} // has an element once everything that was due is claimed
}

func (m mortal) point(name string) {
	if m.dies != name {
		return
	}
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill() // as kill -9 does: nothing is flushed, nobody is told
	}
	select {}
}

func (m mortal) ClaimRuns(ctx context.Context, now time.Time, limit, keep int, claim func(*convoke.Schedule) *convoke.ScheduleRun) ([]*convoke.ScheduleRun, error) {
	runs, err := m.Store.ClaimRuns(ctx, now, limit, keep, claim)
	if len(runs) > 0 {
		m.point("claimed")
	}
	return runs, err
}

func (m mortal) NextScheduleAt(ctx context.Context) (time.Time, error) {
	select {
	case m.looked <- struct{}{}:
	default:
	}
	return m.Store.NextScheduleAt(ctx)
}

func (m mortal) StartRun(ctx context.Context, r *convoke.ScheduleRun) (*convoke.Schedule, error) {
	sc, err := m.Store.StartRun(ctx, r)
	m.point("started")
	return sc, err
}

// Invoke is a function whose effect outlives every process: a line in a file.
func (m mortal) Invoke(_ context.Context, r invoke.Request) (invoke.Response, error) {
	f, err := os.OpenFile(filepath.Join(m.dir, "effect"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return invoke.Response{}, err
	}
	_, err = fmt.Fprintln(f, r.RequestID)
	m.point("invoked")
	return invoke.Response{}, errors.Join(err, f.Close())
}

func (m mortal) FinishRun(ctx context.Context, r *convoke.ScheduleRun) error {
	m.point("unfinished")
	err := m.Store.FinishRun(ctx, r)
	m.point("finished")
	return err
}

func child(dir, dies string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // for what takes milliseconds
	defer cancel()
	store, err := sqlstore.Open(ctx, sqlstore.Config{Dir: dir})
	if err != nil {
		return err
	}
	m := mortal{store, dies, dir, make(chan struct{}, 1)}
	s := New(Config{Store: m, Invoker: m, Limits: convoke.DefaultLimits(), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(run) }()
	<-m.looked
	for open := 1; open > 0 && ctx.Err() == nil; {
		runs, err := store.ListOpenRuns(ctx)
		if err != nil {
			return err
		}
		open = len(runs)
	}
	stop()
	return errors.Join(<-ended, ctx.Err(), store.Close())
}

// TestKilledProcess kills a process at every point of a run and begins
// another one: nothing runs twice, nothing is lost without a trace.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	for dies, want := range map[string]struct {
		effects int
		code    convoke.Code
	}{
		"claimed":    {1, ""},
		"started":    {0, convoke.CodeUnavailable}, // not known to have run, so not run: it shows as failed
		"invoked":    {1, convoke.CodeUnavailable},
		"unfinished": {1, convoke.CodeUnavailable},
		"finished":   {1, ""},
		"":           {1, ""},
	} {
		t.Run(dies, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			id := due(t, dir)
			for _, point := range []string{dies, "", ""} { // the second and third must change nothing more
				cmd := exec.CommandContext(t.Context(), os.Args[0])
				cmd.Env = append(os.Environ(), childDir+"="+dir, childDies+"="+point)
				out, err := cmd.CombinedOutput()
				if killed := cmd.ProcessState.ExitCode() == -1; killed != (point != "") || !killed && err != nil {
					t.Fatalf("the process that dies when %q ended with %v:\n%s", point, err, out)
				}
			}
			effect, err := os.ReadFile(filepath.Join(dir, "effect"))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			runs, err := store.ListRuns(t.Context(), home, id, 9)
			if err != nil || len(runs) != 1 {
				t.Fatalf("got %d runs, error %v; want one", len(runs), err)
			}
			if n := strings.Count(string(effect), runs[0].RequestID+"\n"); n != want.effects || len(effect) != n*37 {
				t.Errorf("the function ran as\n%swant it %d times as %s", effect, want.effects, runs[0].RequestID)
			}
			if r := runs[0]; r.State != convoke.RunFinished || r.Code != want.code || r.FinishedAt.IsZero() {
				t.Errorf("the run is %+v, want it finished with code %q", r, want.code)
			}
		})
	}
}

// due makes a data directory with a schedule that is due now.
func due(t *testing.T, dir string) string {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	addAccount(t, store, home, "hello")
	sc := &convoke.Schedule{ID: "schedule", AccountID: home, FunctionID: home + "hello", Cron: "0 0 1 1 *", TimeZone: convoke.TimeZoneUTC,
		Active: true, Payload: []byte("{}"), NextAt: time.Now()}
	if err := store.CreateSchedule(t.Context(), sc, 0); err != nil {
		t.Fatal(err)
	}
	return sc.ID
}
