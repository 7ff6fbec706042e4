package runlog

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/sqlstore"
)

// TestMatchIsTheStoresQuery holds that a live log shows what a search shows.
func TestMatchIsTheStoresQuery(t *testing.T) {
	t.Parallel()
	store := open(t)
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	texts := []string{"Order shipped", "GRÜSSE", "grüße 100%", "a_b", `say "no"`, ""}
	pick := func(of ...string) string { return of[rand.IntN(len(of))] }
	var entries []convoke.LogEntry
	for range 300 {
		extras, err := json.Marshal([]string{pick(texts...)})
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, convoke.LogEntry{AccountID: account, FunctionID: pick("f", "g"), RequestID: pick("", "r", "s"),
			Time: start.Add(time.Duration(rand.IntN(10)) * time.Second), Level: convoke.LogLevels[rand.IntN(4)],
			Source: convoke.SourceConsole, Message: pick(texts...), Extras: extras})
	}
	if err := store.AppendLogs(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	someTime := func() time.Time {
		if rand.IntN(3) > 0 {
			return time.Time{}
		}
		return start.Add(time.Duration(rand.IntN(10)) * time.Second)
	}
	for range 150 {
		f := convoke.LogFilter{
			FunctionID: pick("", "", "f"), RequestID: pick("", "", "r"), From: someTime(), To: someTime(),
			Text: pick("", "", "ORDER", "grü", "SS", "%", "_", `"`, `["`), AfterSeq: int64(rand.IntN(2) * rand.IntN(300)),
			Limit: 1000, Ascending: true,
		}
		for _, level := range convoke.LogLevels {
			if rand.IntN(3) == 0 {
				f.Levels = append(f.Levels, level)
			}
		}
		got, err := store.QueryLogs(t.Context(), account, f)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Clone(entries), func(e convoke.LogEntry) bool { return !Match(&f, &e) })
		if len(got)+len(want) > 0 && !cmp.Equal(want, got) {
			t.Fatalf("filter %+v: Match and the store differ (-Match +store):\n%s", f, cmp.Diff(want, got))
		}
	}
}

// TestFollowOnTheStore follows entries whose times are not in the order of
// their arrival, as those of several workers are.
func TestFollowOnTheStore(t *testing.T) {
	t.Parallel()
	l := New(Config{Store: open(t)})
	defer start(t, l)()
	const total = 1500
	for i := range total {
		e := line("f", "x")
		e.Time = e.Time.Add(-time.Duration(i%700) * time.Second)
		l.Append(e)
	}
	flush(t, l)
	enough := errors.New("enough")
	var last int64
	for _, want := range []int64{700, total} { // breaks off once and resumes
		err := l.Follow(t.Context(), account, convoke.LogFilter{AfterSeq: last}, func(e convoke.LogEntry) error {
			if e.Seq != last+1 {
				t.Errorf("entry %d follows %d", e.Seq, last)
			}
			last = e.Seq
			if last >= want {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
