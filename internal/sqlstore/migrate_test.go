package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"convoke"
)

// databases are the files of a data directory and their migrations.
var databases = map[string]string{"convoke.db": "migrations/main", "runlog.db": "migrations/runlog"}

// TestMigrationsAreLocked keeps a released migration as it is: a database
// that ran it would never hear of a later edit.
func TestMigrationsAreLocked(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/migrations.sum")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, name := range migrationNames(t, ".") {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%x  %s\n", sha256.Sum256(text), name)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("migrations are not what testdata/migrations.sum says. Never edit a migration that was released: "+
			"write the next one, and add its line to the file (-want +got):\n%s", diff)
	}
}

func migrationNames(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(migrations, dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var takesAway = regexp.MustCompile(`(?i)\b(DROP|RENAME|TRUNCATE|DELETE\s+FROM)\b|\+goose\s+Down`)

// TestMigrationsAdd keeps migrations additive, so that the version before can
// still run on the schema after.
func TestMigrationsAdd(t *testing.T) {
	t.Parallel()
	for _, name := range migrationNames(t, ".") {
		text, err := migrations.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := takesAway.FindString(string(text)); found != "" {
			t.Errorf("%s has %q: migrations only add", name, found)
		}
	}
	if !takesAway.MatchString("alter table x drop column y") {
		t.Error("the rule finds nothing")
	}
}

// TestUpgrade upgrades from every earlier schema and compares with a fresh one.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	fresh := t.TempDir()
	open(t, fresh)
	for file, dir := range databases {
		want := schema(t, filepath.Join(fresh, file))
		if !strings.Contains(want, "CREATE TABLE") {
			t.Fatalf("%s has no tables:\n%s", file, want)
		}
		files, err := fs.Sub(migrations, dir)
		if err != nil {
			t.Fatal(err)
		}
		latest, err := latestMigration(files)
		if err != nil {
			t.Fatal(err)
		}
		for from := range latest + 1 {
			old := t.TempDir()
			db := openRaw(t, filepath.Join(old, file))
			provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
			if err != nil {
				t.Fatal(err)
			}
			if from > 0 { // 0 is an empty file
				if _, err := provider.UpTo(t.Context(), from); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			open(t, old)
			if diff := cmp.Diff(want, schema(t, filepath.Join(old, file))); diff != "" {
				t.Errorf("%s upgraded from schema %d is not like a fresh one (-want +got):\n%s", file, from, diff)
			}
		}
	}
}

func openRaw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(newConnector(dsn(path, nil)))
	t.Cleanup(func() { db.Close() })
	return db
}

func schema(t *testing.T, path string) string {
	t.Helper()
	c := conn{sqliteDialect, openRaw(t, path)}
	all, err := list(t.Context(), c, scanText, `SELECT COALESCE(sql, name) FROM sqlite_master ORDER BY type, name`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for file := range databases {
		dir := t.TempDir()
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := openRaw(t, filepath.Join(dir, file)).Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), Config{Dir: dir})
		if convoke.ErrorCode(err) != convoke.CodeInvalid || !strings.Contains(err.Error(), "newer") {
			t.Errorf("%s: got error %v", file, err)
		}
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: file}); convoke.ErrorCode(err) != convoke.CodeInvalid {
		t.Errorf("a file as data directory: got error %v", err)
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, "convoke.db"), []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: garbage}); convoke.ErrorCode(err) != convoke.CodeInternal {
		t.Errorf("garbage as database: got error %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(gone, Config{Dir: t.TempDir()}); err == nil {
		t.Error("opened for a caller who gave up")
	}
}
