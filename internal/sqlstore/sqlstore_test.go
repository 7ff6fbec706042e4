package sqlstore

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/internal/sqlstore/storetest"
)

// open opens a store that the test's end closes.
func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func agree(*convoke.Function) error { return nil }

// addFunction stores a function with one version in account 1.
func addFunction(t testing.TB, s *Store, id string) *convoke.Function {
	t.Helper()
	f := &convoke.Function{ID: id, AccountID: "1", Name: id, State: convoke.StateDraft, LatestVersion: 1}
	v := &convoke.Version{ID: id + "-v1", AccountID: "1", FunctionID: id, Number: 1, Code: "code"}
	if err := s.CreateFunction(t.Context(), f, v, 0); err != nil {
		t.Fatal(err)
	}
	return f
}

func addAccount(t testing.TB, s *Store) {
	t.Helper()
	if err := s.CreateAccount(t.Context(), &convoke.Account{ID: "1", Name: "one", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	var dirs sync.Map // test → its data directory
	storetest.Run(t, func(t *testing.T) storetest.Store {
		dir, _ := dirs.LoadOrStore(t.Name(), t.TempDir())
		return open(t, dir.(string))
	})
}

func TestFilesAreForTheOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a%20b?c#d", "data")
	s := open(t, dir)
	addAccount(t, s)
	if err := s.AppendLogs(t.Context(), []convoke.LogEntry{{AccountID: "1"}}); err != nil {
		t.Fatal(err)
	}
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		got[filepath.Base(path)] = info.Mode().Perm()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{"data": 0o700, "open.lock": 0o600,
		"convoke.db": 0o600, "convoke.db-wal": 0o600, "convoke.db-shm": 0o600,
		"runlog.db": 0o600, "runlog.db-wal": 0o600, "runlog.db-shm": 0o600}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes differ (-want +got):\n%s", diff)
	}
}

func TestConnectionsAreSetUp(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, d := range []struct {
		db   *database
		sync string
	}{{s.main, "2"}, {s.runlog, "1"}} {
		for name, pool := range map[string]conn{"writer": {sqliteDialect, d.db.writer}, "reader": d.db.search} {
			want := map[string]string{"busy_timeout": busyTimeout, "journal_mode": "wal", "synchronous": d.sync, "foreign_keys": "1",
				"query_only": map[string]string{"writer": "0", "reader": "1"}[name]}
			for pragma, value := range want {
				got, err := find(t.Context(), pool, scanText, never, `PRAGMA `+pragma)
				if err != nil || got != value {
					t.Errorf("%s: %s is %q (error %v), want %q", name, pragma, got, err, value)
				}
			}
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestOpenTogether creates and migrates one directory several times at once.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	for range 5 {
		dir := t.TempDir()
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				s, err := Open(t.Context(), Config{Dir: dir})
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	addAccount(t, s)
	want := addFunction(t, s, "fn")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store answers")
	}
	if _, err := os.Stat(filepath.Join(dir, "convoke.db-wal")); err == nil {
		t.Error("a closed store leaves its WAL")
	}
	got, err := open(t, dir).FindFunction(t.Context(), "1", "fn")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("function differs (-want +got):\n%s", diff)
	}
}

// TestLogsDoNotDelaySaves saves while the other database is being written.
func TestLogsDoNotDelaySaves(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	addAccount(t, s)
	err := s.runlog.write(t.Context(), func(tx) error {
		addFunction(t, s, "fn")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	addAccount(t, s)
	addFunction(t, s, "small")
	limit := func(pages string) {
		t.Helper()
		for _, d := range []*database{s.main, s.runlog} {
			if _, err := d.writer.Exec(`PRAGMA max_page_count = ` + pages); err != nil {
				t.Fatal(err)
			}
		}
	}
	limit("1") // SQLite takes it for the present size
	big := &convoke.Version{ID: "big", AccountID: "1", FunctionID: "small", Number: 2, Code: strings.Repeat("x", 1<<20)}
	_, err := s.SaveVersion(t.Context(), big, 10, agree)
	if convoke.ErrorCode(err) != convoke.CodeStorageFull {
		t.Errorf("save on a full disk: got error %v", err)
	}
	err = s.AppendLogs(t.Context(), []convoke.LogEntry{{AccountID: "1", Message: big.Code}})
	if convoke.ErrorCode(err) != convoke.CodeStorageFull {
		t.Errorf("append on a full disk: got error %v", err)
	}
	f, err := s.FindFunction(t.Context(), "1", "small")
	if err != nil || f.LatestVersion != 1 {
		t.Errorf("after a refused save: latest version %v, error %v", f, err)
	}
	limit("1000000")
	if _, err := s.SaveVersion(t.Context(), big, 10, agree); err != nil {
		t.Errorf("save with space again: %v", err)
	}
}

func TestBusyDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	if _, err := b.main.writer.Exec(`PRAGMA busy_timeout = 0`); err != nil {
		t.Fatal(err)
	}
	err := a.main.write(t.Context(), func(tx) error {
		err := b.CreateAccount(t.Context(), &convoke.Account{ID: "1"})
		if convoke.ErrorCode(err) != convoke.CodeUnavailable {
			t.Errorf("write while another process writes: got error %v", err)
		}
		_, err = b.ListAccounts(t.Context())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	addAccount(t, b)
}

// TestTouchingATokenInTheSameMinuteWritesNothing touches one while another
// process holds the database.
func TestTouchingATokenInTheSameMinuteWritesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	addAccount(t, s)
	now := time.Now().Truncate(time.Minute)
	if err := s.CreateToken(t.Context(), &convoke.Token{ID: "t", AccountID: "1", Hash: []byte("h"), LastUsedAt: now}); err != nil {
		t.Fatal(err)
	}
	err := s.main.write(t.Context(), func(tx) error {
		if err := s.TouchToken(t.Context(), "t", now.Add(59*time.Second)); err != nil {
			return err
		}
		gone, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := s.TouchToken(gone, "t", now.Add(60*time.Second)); err == nil {
			t.Error("the next minute was recorded without a write")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestIdleBundlesGo(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	addAccount(t, s)
	addFunction(t, s, "f")
	addFunction(t, s, "g")
	put := func(id string) {
		t.Helper()
		if err := s.PutBundle(t.Context(), &convoke.Bundle{ID: id, AccountID: "1", Code: []byte(id)}); err != nil {
			t.Fatal(err)
		}
	}
	hourPasses := func() {
		t.Helper()
		_, err := s.main.writer.Exec(`UPDATE bundles SET idle_since = idle_since - ? WHERE idle_since > 0`, int64(idleBundleLife+time.Second))
		if err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	deploy := func(function, bundle string, keep int) {
		t.Helper()
		n++
		d := &convoke.Deployment{ID: fmt.Sprint(n), AccountID: "1", FunctionID: function, VersionNumber: 1, State: convoke.Deploying}
		if _, err := s.BeginDeployment(t.Context(), d, 0, agree); err != nil {
			t.Fatal(err)
		}
		d.State, d.BundleID, d.UpdatedAt = convoke.DeploymentSuccessful, bundle, time.Now()
		_, err := s.FinishDeployment(t.Context(), d, keep, func(f *convoke.Function) error { f.LiveDeploymentID = d.ID; return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when string, want ...string) {
		t.Helper()
		got, err := list(t.Context(), s.main.search, scanText, `SELECT id FROM bundles ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("bundles %s differ (-want +got):\n%s", when, diff)
		}
	}
	for _, id := range []string{"a", "b", "c", "never"} {
		put(id)
	}
	deploy("f", "a", 1)
	deploy("g", "a", 1)
	deploy("f", "b", 1)
	hourPasses()
	put("c") // built again, and deployed soon
	deploy("g", "a", 1)
	expect("used and put again", "a", "b", "c")
	deploy("g", "c", 1)
	expect("just given up", "a", "b", "c")
	hourPasses()
	if err := s.DeleteFunction(t.Context(), "1", "f", agree); err != nil {
		t.Fatal(err)
	}
	deploy("g", "c", 1)
	expect("after the hour", "b", "c")
	hourPasses()
	deploy("g", "c", 1)
	expect("of a removed function", "c")
}

// TestPlans holds the indexes of what is asked often or of large tables.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	of := func(functionID string) string {
		from := countersOf("1", functionID, make([]span, 3))
		return from.with + `SELECT ` + sums + ` FROM ` + from.from
	}
	live := `SELECT ` + liveColumns + ` FROM functions f` + liveJoins + ` WHERE `
	for _, test := range []struct {
		db          *database
		query       string
		want, never string
	}{
		{s.main, live + `f.account_id = ? AND f.id = ? AND ` + isLive, "SEARCH f USING INDEX sqlite_autoindex_functions_1 (account_id=? AND id=?)", "SCAN"},
		{s.main, live + `f.account_id = ? AND f.event_id = ? AND ` + isLive + ` ORDER BY f.name`, "USING INDEX functions_live (account_id=? AND event_id=?)", "B-TREE"},
		{s.main, `SELECT ` + liveColumns + keptWarm, "v USING INDEX versions_kept_warm", "SCAN f"},
		{s.main, `SELECT * FROM functions f WHERE ` + isBusy, "functions_busy", ""},
		{s.main, `SELECT COUNT(*) FROM functions WHERE account_id = ? AND pending_deployment_id <> ''`, "functions_busy", ""},
		{s.main, `SELECT COUNT(*) ` + liveOfAccount, "functions_live", ""},
		{s.runlog, `SELECT * FROM logs WHERE account_id = ? AND function_id = ? AND time + 0 > ? AND seq > ? ORDER BY seq DESC`, "logs_by_function (function_id=? AND seq>?)", "B-TREE"},
		{s.runlog, `SELECT * FROM logs WHERE account_id = ? AND time + 0 > ? ORDER BY seq DESC`, "SCAN logs", "B-TREE"},
		{s.runlog, `SELECT * FROM logs WHERE account_id = ? AND request_id = ? AND request_id <> '' AND function_id || '' = ? ORDER BY seq DESC`, "logs_by_request", ""},
		{s.runlog, `SELECT seq FROM logs WHERE time < ? ORDER BY time LIMIT 5`, "logs_by_time", "B-TREE"},
		{s.runlog, `SELECT * FROM calls WHERE account_id = ? AND function_id = ? AND at + 0 > ? AND id < ? ORDER BY id DESC`, "calls_by_function (function_id=? AND id<?)", "B-TREE"},
		{s.runlog, `SELECT * FROM calls WHERE account_id = ? AND at + 0 > ? ORDER BY id DESC`, "SCAN calls", "B-TREE"},
		{s.runlog, `SELECT * FROM calls WHERE account_id = ? AND request_id = ? AND request_id <> '' AND function_id || '' = ? ORDER BY id DESC`, "calls_by_request", ""},
		{s.runlog, `SELECT id FROM calls WHERE at < ? ORDER BY at LIMIT 5`, "calls_by_time", "B-TREE"},
		{s.runlog, `SELECT * FROM invocations WHERE account_id = ? AND function_id = ? AND started_at > ? ORDER BY started_at DESC, seq DESC`, "invocations_by_function (function_id=? AND started_at>?)", "B-TREE"},
		{s.runlog, `SELECT * FROM invocations WHERE account_id = ? AND request_id = ? AND function_id || '' = ? ORDER BY started_at DESC, seq DESC`, "invocations_by_request", ""},
		{s.runlog, of("fn"), "SEARCH c USING INDEX sqlite_autoindex_counters_1 (account_id=? AND function_id=? AND minute>? AND minute<?)", "SCAN c"},
		{s.runlog, of("fn"), "SEARCH t USING PRIMARY KEY (width=? AND start=? AND account_id=? AND function_id=?)", "SCAN t"},
		{s.runlog, of(""), "SEARCH c USING INDEX counters_by_time (minute>? AND minute<?)", "SCAN c"},
		{s.runlog, of(""), "SEARCH t USING PRIMARY KEY (width=? AND start=? AND account_id=?)", "SCAN t"},
		{s.runlog, `SELECT width, start, account_id, function_id FROM totals WHERE width = ? AND start < (SELECT finely FROM totals_kept WHERE id = 1) ORDER BY start LIMIT ?`, "SEARCH totals USING PRIMARY KEY (width=? AND start<?)", "B-TREE"},
	} {
		plan := plan(t, test.db, test.query)
		if !strings.Contains(plan, test.want) || test.never != "" && strings.Contains(plan, test.never) {
			t.Errorf("%s\nhas the plan\n%s\nwant %q, never %q", test.query, plan, test.want, test.never)
		}
	}
}

func plan(t *testing.T, db *database, query string) string {
	t.Helper()
	scan := func(r row) (string, error) {
		var id, parent, unused int
		var detail string
		return detail, r.Scan(&id, &parent, &unused, &detail)
	}
	steps, err := list(t.Context(), db.search, scan, `EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(steps, "\n")
}
