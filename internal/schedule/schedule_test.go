package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
	"convoke/internal/invoke"
	"convoke/internal/sqlstore"
)

const (
	home  = "10000001"
	other = "20000002"
)

var ann = &convoke.Principal{AccountID: home, ID: "t1", Name: "ann"}

// call is an invocation that the fake runtime was asked for.
type call struct {
	At       time.Time
	Function string
	Caller   string
	Input    string
}

// runtime is the invocation path without workers: it does what answer says.
type runtime struct {
	mu     sync.Mutex
	calls  []call
	ids    []string
	answer func(r invoke.Request) error
}

func (x *runtime) Invoke(_ context.Context, r invoke.Request) (invoke.Response, error) {
	x.mu.Lock()
	x.calls = append(x.calls, call{time.Now().UTC(), r.FunctionID, r.Caller, string(r.Input)})
	x.ids = append(x.ids, r.RequestID)
	answer := x.answer
	x.mu.Unlock()
	if answer == nil {
		return invoke.Response{}, nil
	}
	return invoke.Response{}, answer(r)
}

// seen are the calls so far and their request ids.
func (x *runtime) seen() ([]call, []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.calls), slices.Clone(x.ids)
}

func (x *runtime) times() []string {
	calls, _ := x.seen()
	var out []string
	for _, c := range calls {
		out = append(out, c.At.Format("15:04:05"))
	}
	return out
}

// world is a service on a real store, in a bubble whose clock begins at
// midnight. The store outlives a restart of the service.
type world struct {
	*Service
	rt    *runtime
	t     *testing.T
	store Store
	stop  func()
}

// inBubble runs test with a world; start says whether the service runs.
func inBubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		for _, account := range []string{home, other} {
			addAccount(t, store, account, "hello", "second")
		}
		w := &world{rt: &runtime{}, t: t, store: store}
		w.start()
		defer func() { w.stop() }()
		test(t, w)
	})
}

// addAccount stores an account with deployed functions.
func addAccount(t *testing.T, store *sqlstore.Store, account string, functions ...string) {
	t.Helper()
	err := store.CreateAccount(t.Context(), &convoke.Account{ID: account, Name: account, CreatedAt: time.Now()})
	for _, name := range functions {
		f := &convoke.Function{ID: account + name, AccountID: account, Name: name, State: convoke.StateProductive, LatestVersion: 1, LiveDeploymentID: "d"}
		v := &convoke.Version{ID: name, AccountID: account, FunctionID: f.ID, Number: 1, Code: "x"}
		err = errors.Join(err, store.CreateFunction(t.Context(), f, v, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start makes a service, as a process that begins would, and runs it.
func (w *world) start() {
	w.startDraining(nil)
}

func (w *world) startDraining(drain chan struct{}) {
	w.Service = New(Config{Store: w.store, Invoker: w.rt, Limits: convoke.DefaultLimits(), Logger: slog.New(slog.DiscardHandler), Drain: drain})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	service := w.Service
	go func() { done <- service.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) add(cron string, change ...func(*Input)) *Entry {
	w.t.Helper()
	in := Input{FunctionID: home + "hello", Cron: &cron}
	for _, c := range change {
		c(&in)
	}
	e, err := w.Create(w.t.Context(), ann, home, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) get(id string) *Entry {
	w.t.Helper()
	e, err := w.Get(w.t.Context(), home, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// history is how the runs of a schedule went, the oldest first.
func (w *world) history(id string) []string {
	w.t.Helper()
	runs, err := w.store.ListRuns(w.t.Context(), home, id, KeptRuns)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, r := range slices.Backward(runs) {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.DueAt.Format("15:04:05"), r.State, shortCode(r.Code))))
	}
	return out
}

func shortCode(c convoke.Code) string {
	return string(c[strings.LastIndexByte(string(c), '.')+1:])
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantCode(t *testing.T, err error, want convoke.Code) {
	t.Helper()
	if got := convoke.ErrorCode(err); got != want {
		t.Errorf("got error %v, want code %q", err, want)
	}
}

// sleep lets the bubble's time pass, and what happens meanwhile come to rest.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		e := w.add("*/5 * * * *", func(in *Input) {
			in.Body = &Body{Headers: map[string]string{"Y": "2", "X": "1"}, Payload: json.RawMessage(" {\"a\" : [1] }\n")}
		})
		if want := time.Date(2000, 1, 1, 0, 5, 0, 0, time.UTC); !e.NextAt.Equal(want) {
			t.Errorf("next is %s, want %s", e.NextAt, want)
		}
		sleep(4*time.Minute + 59*time.Second)
		same(t, "before it is due", w.rt.times(), []string(nil))
		sleep(time.Second)
		due := time.Date(2000, 1, 1, 0, 5, 0, 0, time.UTC)
		calls, _ := w.rt.seen()
		same(t, "call", calls, []call{{At: due, Function: home + "hello", Caller: "schedule",
			Input: fmt.Sprintf(`{"timestamp":%d,"headers":[{"key":"X","value":"1"},{"key":"Y","value":"2"}],"payload":{"a":[1]}}`, due.UnixMilli())}})
		if _, err := invoke.ParseInput([]byte(calls[0].Input)); err != nil {
			t.Error(err)
		}
		sleep(10 * time.Minute)
		same(t, "times", w.rt.times(), []string{"00:05:00", "00:10:00", "00:15:00"})
		same(t, "history", w.history(e.ID), []string{"00:05:00 finished", "00:10:00 finished", "00:15:00 finished"})
		got := w.get(e.ID)
		_, ids := w.rt.seen()
		if !got.LastAt.Equal(due.Add(10*time.Minute)) || !got.NextAt.Equal(due.Add(15*time.Minute)) || got.LastFailed || got.LastRequestID != ids[2] || ids[1] == ids[2] {
			t.Errorf("the schedule is %+v, the requests were %v", got.Schedule, ids)
		}
	})
}

func TestFailedRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		e := w.add("* * * * *")
		long := strings.Repeat("ä", 2*maxMessage)
		for _, outcome := range []error{
			&convoke.Error{Code: convoke.CodeThrew, Message: long},
			nil,
			convoke.Errorf(convoke.CodeFunctionNotFound, "no such function"),
			errors.New("the server's own words"),
		} {
			w.rt.mu.Lock()
			w.rt.answer = func(invoke.Request) error { return outcome }
			w.rt.mu.Unlock()
			sleep(time.Minute)
			if got := w.get(e.ID).LastFailed; got != (outcome != nil) {
				t.Errorf("after %v: failed %t", outcome, got)
			}
		}
		same(t, "history", w.history(e.ID), []string{"00:01:00 finished threw-error", "00:02:00 finished", "00:03:00 finished not-found", "00:04:00 finished general"})
		runs, err := w.store.ListRuns(t.Context(), home, e.ID, 9)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "messages", []string{runs[0].Message, runs[1].Message, runs[2].Message, runs[3].Message},
			[]string{"the server failed; its log has more", "the function is not deployed; the schedule runs again when it is", "", long[:2*maxMessage]})
	})
}

// TestSlowRunsDelayNobody: runs of one schedule overlap, others are on time.
func TestSlowRunsDelayNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.rt.answer = func(r invoke.Request) error {
			if r.FunctionID == home+"hello" {
				time.Sleep(150 * time.Second)
			}
			return nil
		}
		slow := w.add("* * * * *")
		quick := w.add("* * * * *", func(in *Input) { in.FunctionID = home + "second" })
		sleep(3 * time.Minute)
		same(t, "slow", w.history(slow.ID), []string{"00:01:00 started", "00:02:00 started", "00:03:00 started"})
		same(t, "quick", w.history(quick.ID), []string{"00:01:00 finished", "00:02:00 finished", "00:03:00 finished"})
		if _, err := w.Update(t.Context(), ann, home, slow.ID, Input{Active: new(bool)}); err != nil {
			t.Fatal(err)
		}
		w.stop() // waits for what is under way
		same(t, "slow after the end", w.history(slow.ID), []string{"00:01:00 finished", "00:02:00 finished", "00:03:00 finished"})
	})
}

func TestTooManyRunsAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		e := w.add("* * * * *")
		set := func(homes, others int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.busy = map[string]int{home: homes, other: others}
			w.all = homes + others
		}
		set(RunsPerAccount, 0)
		sleep(time.Minute)
		same(t, "full account", w.history(e.ID), []string{"00:01:00 finished throttled"})
		set(1, maxRuns-1)
		sleep(time.Minute)
		set(1, 0)
		sleep(time.Minute)
		same(t, "full server, then not", w.history(e.ID), []string{"00:01:00 finished throttled", "00:02:00 finished throttled", "00:03:00 finished"})
		w.mu.Lock()
		defer w.mu.Unlock()
		same(t, "under way", w.busy, map[string]int{home: 1, other: 0})
	})
}

// TestChangesHoldAtOnce wakes the loop from a sleep that is longer.
func TestChangesHoldAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		sleep(30 * time.Second) // off the full minutes, where it looks in any case
		w.start()
		e := w.add("0 12 * * *")
		sleep(5 * time.Second)
		every, on, off := "* * * * *", true, false
		change := func(in Input) {
			t.Helper()
			if _, err := w.Update(t.Context(), ann, home, e.ID, in); err != nil {
				t.Fatal(err)
			}
		}
		change(Input{Cron: &every})
		sleep(time.Minute)
		change(Input{Active: &off})
		if got := w.get(e.ID); !got.NextAt.IsZero() || got.Active {
			t.Errorf("a paused schedule is %+v", got.Schedule)
		}
		sleep(10 * time.Minute)
		change(Input{Active: &on})
		sleep(time.Minute)
		if err := w.Remove(t.Context(), home, e.ID); err != nil {
			t.Fatal(err)
		}
		sleep(10 * time.Minute)
		same(t, "times", w.rt.times(), []string{"00:01:00", "00:12:00"})
	})
}

// TestOtherChangesKeepWhatIsDue: to change the description at the very moment
// must not skip a run.
func TestOtherChangesKeepWhatIsDue(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		e := w.add("* * * * *")
		sleep(time.Minute)
		text, tidied := "new", " *  * * * * "
		got, err := w.Update(t.Context(), ann, home, e.ID, Input{Description: &text, Cron: &tidied})
		if err != nil || !got.NextAt.Equal(e.NextAt) || got.Description != "new" {
			t.Fatalf("got %+v, error %v", got, err)
		}
		w.start()
		sleep(time.Second)
		same(t, "times", w.rt.times(), []string{"00:01:00"})
	})
}

// TestRestart: what came due while no server ran is run within its minute, and
// is missed after it.
func TestRestart(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		e := w.add("*/10 * * * *")
		sleep(9*time.Minute + 30*time.Second)
		w.stop()
		sleep(time.Minute)
		w.start()
		sleep(time.Second)
		same(t, "late by 30 s", w.rt.times(), []string{"00:10:30"})
		w.stop()
		sleep(35 * time.Minute)
		w.start()
		sleep(time.Second)
		same(t, "late by 25 minutes", w.rt.times(), []string{"00:10:30"})
		sleep(5 * time.Minute)
		same(t, "history", w.history(e.ID), []string{"00:10:00 finished", "00:20:00 missed unavailable", "00:50:00 finished"})
		if got := w.get(e.ID); got.LastFailed || !got.LastAt.Equal(time.Date(2000, 1, 1, 0, 50, 0, 0, time.UTC)) {
			t.Errorf("the schedule is %+v", got.Schedule)
		}
	})
}

// TestMissedIsNotAnExecution: the last execution stays what it was.
func TestMissedIsNotAnExecution(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		e := w.add("*/10 * * * *")
		sleep(10 * time.Minute)
		w.stop()
		sleep(30 * time.Minute)
		w.start()
		sleep(time.Second)
		if got := w.get(e.ID); !got.LastAt.Equal(e.NextAt) || got.LastFailed {
			t.Errorf("the schedule is %+v", got.Schedule)
		}
	})
}

// TestRecovery begins a process on what one that died left behind.
func TestRecovery(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		claimed, started := w.add("* * * * *"), w.add("* * * * *", func(in *Input) { in.FunctionID = home + "second" })
		sleep(time.Minute)
		now := time.Now().UTC()
		runs, err := w.store.ClaimRuns(t.Context(), now, 9, 9, func(sc *convoke.Schedule) *convoke.ScheduleRun { return claim(sc, now) })
		if err != nil || len(runs) != 2 {
			t.Fatal(runs, err)
		}
		i := slices.IndexFunc(runs, func(r *convoke.ScheduleRun) bool { return r.ScheduleID == started.ID })
		if _, err := w.store.StartRun(t.Context(), runs[i]); err != nil {
			t.Fatal(err)
		}
		sleep(20 * time.Second)
		w.start()
		sleep(time.Second)
		same(t, "claimed", w.history(claimed.ID), []string{"00:01:00 finished"})
		same(t, "started", w.history(started.ID), []string{"00:01:00 finished unavailable"})
		same(t, "calls", w.rt.times(), []string{"00:01:20"})
		_, ids := w.rt.seen()
		same(t, "request", ids, []string{runs[1-i].RequestID})
		if !w.get(started.ID).LastFailed {
			t.Error("the interrupted run does not show as failed")
		}
		sleep(39 * time.Second)
		same(t, "calls later", w.rt.times(), []string{"00:01:20", "00:02:00", "00:02:00"})
	})
}

// TestDrain: a server that stops begins nothing; what it had claimed is begun
// by the next one.
func TestDrain(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		drain := make(chan struct{})
		real := w.store
		begin, started := make(chan struct{}), false
		w.store = failing{Store: real, start: func() error {
			started = true
			<-begin
			return errors.New("no")
		}}
		w.startDraining(drain)
		e := w.add("* * * * *")
		sleep(time.Minute)
		if !started {
			t.Fatal("the run did not begin")
		}
		close(drain)
		close(begin)
		sleep(10 * time.Minute)
		same(t, "calls while the server stops", w.rt.times(), []string(nil))
		w.stop()
		same(t, "history", w.history(e.ID), []string{"00:01:00 claimed"})
		w.store = real
		w.start()
		sleep(time.Second)
		same(t, "calls of the next server", w.rt.times(), []string{"00:11:00"})
	})
}

// failing is a store whose answers a test gives.
type failing struct {
	Store
	start, claim, finish func() error
}

func (f failing) StartRun(ctx context.Context, r *convoke.ScheduleRun) (*convoke.Schedule, error) {
	if f.start != nil {
		if err := f.start(); err != nil {
			return nil, err
		}
	}
	return f.Store.StartRun(ctx, r)
}

func (f failing) ClaimRuns(ctx context.Context, now time.Time, limit, keep int, claim func(*convoke.Schedule) *convoke.ScheduleRun) ([]*convoke.ScheduleRun, error) {
	if f.claim != nil {
		if err := f.claim(); err != nil {
			return nil, err
		}
	}
	return f.Store.ClaimRuns(ctx, now, limit, keep, claim)
}

func (f failing) FinishRun(ctx context.Context, r *convoke.ScheduleRun) error {
	if f.finish != nil {
		if err := f.finish(); err != nil {
			return err
		}
	}
	return f.Store.FinishRun(ctx, r)
}

// TestStoreFails for a while at every step: each run is late and runs once.
func TestStoreFails(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		thrice := func() func() error {
			n := 0
			return func() error {
				if n++; n <= 3 {
					return convoke.Errorf(convoke.CodeStorageFull, "the disk is full")
				}
				return nil
			}
		}
		w.store = failing{Store: w.store, start: thrice(), claim: thrice(), finish: thrice()}
		w.start()
		e := w.add("*/30 * * * *")
		sleep(30*time.Minute + 20*time.Second)
		same(t, "calls", len(w.rt.times()), 1)
		same(t, "history", w.history(e.ID), []string{"00:30:00 finished"})
	})
}

// TestRemovedBeforeItBegins: nothing is invoked for a schedule that went
// between claim and start.
func TestRemovedBeforeItBegins(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.stop()
		id, store := w.add("*/30 * * * *").ID, w.store
		w.store = failing{Store: store, start: func() error { return store.DeleteSchedule(t.Context(), home, id) }}
		w.start()
		sleep(time.Hour)
		same(t, "calls", w.rt.times(), []string(nil))
	})
}

func TestCreateRefuses(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		f := &convoke.Function{ID: "draft", AccountID: home, Name: "draft", State: convoke.StateDraft, LatestVersion: 1}
		err := w.store.(*sqlstore.Store).CreateFunction(t.Context(), f, &convoke.Version{ID: "v", AccountID: home, FunctionID: "draft", Number: 1}, 0)
		if err != nil {
			t.Fatal(err)
		}
		every, hello := "* * * * *", home+"hello"
		text := func(n int) *string { s := strings.Repeat("ä", n); return &s }
		zone := func(s string) *string { return &s }
		payload := func(n int) *Body { return &Body{Payload: json.RawMessage(`"` + strings.Repeat("ä", n-2) + `"`)} }
		many := map[string]string{}
		for n := range 51 {
			many[fmt.Sprint(n)] = ""
		}
		for name, c := range map[string]struct {
			in   Input
			want convoke.Code
		}{
			"no function":       {Input{Cron: &every}, convoke.CodeValidation},
			"no cron":           {Input{FunctionID: hello}, convoke.CodeValidation},
			"bad cron":          {Input{FunctionID: hello, Cron: text(1)}, convoke.CodeValidation},
			"unknown function":  {Input{FunctionID: "x", Cron: &every}, convoke.CodeFunctionNotFound},
			"another account's": {Input{FunctionID: other + "hello", Cron: &every}, convoke.CodeFunctionNotFound},
			"not deployed":      {Input{FunctionID: "draft", Cron: &every}, convoke.CodeActionNotAllowed},
			"time zone":         {Input{FunctionID: hello, Cron: &every, TimeZone: zone("Europe/Berlin")}, convoke.CodeValidation},
			"no time zone":      {Input{FunctionID: hello, Cron: &every, TimeZone: zone("Mars/Base")}, convoke.CodeValidation},
			"description":       {Input{FunctionID: hello, Cron: &every, Description: text(201)}, convoke.CodeValidation},
			"payload":           {Input{FunctionID: hello, Cron: &every, Body: payload(15_001)}, convoke.CodeValidation},
			"no JSON":           {Input{FunctionID: hello, Cron: &every, Body: &Body{Payload: json.RawMessage(`{`)}}, convoke.CodeValidation},
			"headers":           {Input{FunctionID: hello, Cron: &every, Body: &Body{Headers: many}}, convoke.CodeValidation},
			"header":            {Input{FunctionID: hello, Cron: &every, Body: &Body{Headers: map[string]string{"": "x"}}}, convoke.CodeValidation},
		} {
			if _, err := w.Create(t.Context(), ann, home, c.in); convoke.ErrorCode(err) != c.want {
				t.Errorf("%s: got error %v, want code %q", name, err, c.want)
			}
		}
		for name, in := range map[string]Input{
			"zone":        {FunctionID: hello, Cron: &every, TimeZone: zone("Etc/UTC")},
			"short zone":  {FunctionID: hello, Cron: &every, TimeZone: zone("UTC")},
			"empty zone":  {FunctionID: hello, Cron: &every, TimeZone: zone("")},
			"description": {FunctionID: hello, Cron: &every, Description: text(200)},
			"payload":     {FunctionID: hello, Cron: &every, Body: payload(15_000)},
			"no payload":  {FunctionID: hello, Cron: &every, Body: &Body{}},
		} {
			e, err := w.Create(t.Context(), ann, home, in)
			if err != nil || e.TimeZone != "Etc/UTC" || len(e.Payload) == 0 {
				t.Errorf("%s: got %+v, error %v", name, e, err)
			}
		}
		six := convoke.DefaultLimits()
		six.SchedulesPerAccount = 6
		w.limits = func(string) convoke.Limits { return six }
		_, err = w.Create(t.Context(), ann, home, Input{FunctionID: hello, Cron: &every})
		wantCode(t, err, convoke.CodeLimitExceeded)
		schedules, err := w.store.ListSchedules(t.Context(), home, "")
		if err != nil {
			t.Fatal(err)
		}
		all, err := w.Entries(t.Context(), schedules)
		if err != nil || len(all) != 6 || all[0].Function.Name != "hello" {
			t.Errorf("got %v, error %v", all, err)
		}
		_, err = w.Update(t.Context(), ann, home, all[0].ID, Input{FunctionID: "draft"})
		wantCode(t, err, convoke.CodeValidation)
		_, err = w.Update(t.Context(), ann, home, all[0].ID, Input{FunctionID: hello, Cron: text(1)})
		wantCode(t, err, convoke.CodeValidation)
		_, err = w.Update(t.Context(), ann, other, all[0].ID, Input{})
		wantCode(t, err, convoke.CodeNotFound)
		_, err = w.Get(t.Context(), other, all[0].ID)
		wantCode(t, err, convoke.CodeNotFound)
		wantCode(t, w.Remove(t.Context(), other, all[0].ID), convoke.CodeNotFound)

		// What the function would get is held to what the account may send.
		six.PayloadBytes = 100
		_, err = w.Update(t.Context(), ann, home, all[0].ID, Input{Body: payload(90)})
		wantCode(t, err, convoke.CodePayloadTooLarge)
		_, err = w.Update(t.Context(), ann, home, all[0].ID, Input{Body: payload(20)})
		wantCode(t, err, "")
		_, err = w.Update(t.Context(), ann, home, all[0].ID, Input{Description: text(20)})
		wantCode(t, err, "")
	})
}
