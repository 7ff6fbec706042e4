package sqlstore

import (
	"strings"
	"testing"

	"convoke"
)

// TestSecretOnAFullDisk: a change that has no room is refused and leaves what
// was there.
func TestSecretOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	addAccount(t, s)
	put := func(sealed string) error {
		return s.PutSecret(t.Context(), "1", "key", 0, func(*convoke.StoredSecret) (*convoke.StoredSecret, error) {
			return &convoke.StoredSecret{Type: convoke.SecretString, Version: 1, Sealed: []byte(sealed)}, nil
		})
	}
	if err := put("small"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.main.writer.Exec(`PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}
	if err := put(strings.Repeat("x", 1<<20)); convoke.ErrorCode(err) != convoke.CodeStorageFull {
		t.Errorf("set on a full disk: got error %v", err)
	}
	e, err := s.FindSecret(t.Context(), "1", "key")
	if err != nil || string(e.Sealed) != "small" {
		t.Errorf("after a refused change: %v, error %v", e, err)
	}
}

// TestSchedulePlans holds the indexes of what the runner asks for all the time.
func TestSchedulePlans(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for query, want := range map[string]string{
		`SELECT next_at FROM schedules WHERE next_at > 0 ORDER BY next_at LIMIT 1`:                                   "COVERING INDEX schedules_due",
		`SELECT * FROM schedules WHERE next_at > 0 AND next_at <= ? ORDER BY next_at, id LIMIT 9`:                    "INDEX schedules_due",
		`SELECT * FROM schedule_runs WHERE ` + runOpen + ` ORDER BY due_at, schedule_id`:                             "INDEX schedule_runs_open",
		`SELECT * FROM schedule_runs WHERE account_id = ? AND schedule_id = ? ORDER BY due_at DESC LIMIT 9`:          "INDEX sqlite_autoindex_schedule_runs_1 (account_id=? AND schedule_id=?)",
		`DELETE FROM schedules WHERE account_id = ? AND function_id = ?`:                                             "INDEX schedules_by_function",
		`SELECT * FROM secrets WHERE key_id <> 1 AND (account_id, name) > (?, ?) ORDER BY account_id, name LIMIT 99`: "INDEX sqlite_autoindex_secrets_1",
		`SELECT key_id, COUNT(*) FROM secrets GROUP BY key_id`:                                                       "COVERING INDEX secrets_by_key",
	} {
		scan := func(r row) (detail string, err error) {
			var id, parent, unused int
			return detail, r.Scan(&id, &parent, &unused, &detail)
		}
		steps, err := list(t.Context(), s.main.search, scan, `EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(steps, "\n"); !strings.Contains(plan, want) {
			t.Errorf("%s\nhas the plan\n%s\nwant %q", query, plan, want)
		}
	}
}
