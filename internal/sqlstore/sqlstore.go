// Package sqlstore keeps accounts, users, tokens, functions, versions,
// deployments, bundles, allowed domains, log entries, calls, invocations and
// counters in SQL. It implements every store contract of the root package.
//
// A data directory has two databases: convoke.db, the system of record, where
// what was acknowledged survives a power failure, and runlog.db, what running
// functions leave behind, where it survives the death of the process. They
// are apart so that writing logs never makes a save wait.
//
// Several processes may have the same directory open.
package sqlstore

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"convoke"
)

// Config says where a store is.
type Config struct {
	// Dir is the data directory. It is created, for the owner only, when it
	// does not exist.
	Dir string
	// Logger hears of migrations; nil is silent.
	Logger *slog.Logger
}

// Store implements the store contracts of the root package. It is safe for
// concurrent use. The functions that callers pass to its methods run inside
// the write transaction, so they must be quick and must not call the store.
type Store struct {
	main, runlog *database
	insertLogs   batchInsert
	insertRuns   batchInsert
	addCounters  batchInsert
	insertCalls  batchInsert
}

var (
	_ convoke.AccountStore    = (*Store)(nil)
	_ convoke.UserStore       = (*Store)(nil)
	_ convoke.TokenStore      = (*Store)(nil)
	_ convoke.FunctionStore   = (*Store)(nil)
	_ convoke.VersionStore    = (*Store)(nil)
	_ convoke.DeploymentStore = (*Store)(nil)
	_ convoke.LogStore        = (*Store)(nil)
	_ convoke.InvocationStore = (*Store)(nil)
	_ convoke.ActivityStore   = (*Store)(nil)
	_ convoke.DomainStore     = (*Store)(nil)
	_ convoke.CallStore       = (*Store)(nil)
	_ convoke.SessionStore    = (*Store)(nil)
	_ convoke.SecretStore     = (*Store)(nil)
	_ convoke.ScheduleStore   = (*Store)(nil)
	_ convoke.ClientStore     = (*Store)(nil)
	_ convoke.GrantStore      = (*Store)(nil)
	_ convoke.PageStore       = (*Store)(nil)
)

//go:embed migrations
var migrations embed.FS

// Open opens the store in a data directory and brings its schema up to date.
// It returns CodeInvalid when the directory cannot be used or was written by
// a newer Convoke, and CodeStorageFull when the disk is full.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, unusable(cfg.Dir, err)
	}
	// Two processes that create or migrate the same databases would trip over
	// each other; opening one by one costs less than a millisecond.
	unlock, err := lockDir(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer unlock()

	s := &Store{}
	if err := s.open(ctx, dir, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, dir string, log *slog.Logger) (err error) {
	s.main, err = openSQLite(ctx, sqliteConfig{
		path: filepath.Join(dir, "convoke.db"), migrations: "migrations/main", synchronous: "FULL", checkpoint: "1000", log: log,
	})
	if err != nil {
		return err
	}
	s.runlog, err = openSQLite(ctx, sqliteConfig{
		path: filepath.Join(dir, "runlog.db"), migrations: "migrations/runlog", synchronous: "NORMAL", checkpoint: "8000", log: log,
	})
	if err != nil {
		return err
	}
	for _, b := range []struct {
		into                  *batchInsert
		head, tail            string
		columns, rowsPerBatch int
	}{
		{&s.insertLogs, insertLogs, "", logColumnCount, 50},
		{&s.insertRuns, insertInvocations, "", invocationColumnCount, 25},
		// One by one: a statement may not add to the same counter twice in every engine.
		{&s.addCounters, insertCounters, addToCounters, counterColumnCount, 1},
		{&s.insertCalls, insertCalls, "", callColumnCount, 25},
	} {
		if *b.into, err = s.runlog.prepareBatch(ctx, b.head, b.tail, b.columns, b.rowsPerBatch); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for what is under way and closes both databases. The store
// cannot be used any more.
func (s *Store) Close() error {
	var errs []error
	for _, d := range []*database{s.main, s.runlog} {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	return errors.Join(errs...)
}

// Ping returns an error unless both databases answer.
func (s *Store) Ping(ctx context.Context) error {
	for _, d := range []*database{s.main, s.runlog} {
		if _, err := find(ctx, d.read, scanCount, never, `SELECT 1`); err != nil {
			return err
		}
	}
	return nil
}
