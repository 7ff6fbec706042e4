package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/pressly/goose/v3"

	"convoke"
	"convoke/internal/cores"
)

const (
	// busyTimeout is how long, in milliseconds, a write waits for another
	// process that writes.
	busyTimeout = "10000"
	// lockTimeout is how long, in milliseconds, Open waits for another
	// process that opens, which may be migrating.
	lockTimeout = "60000"
)

// database is one database: one connection that writes, because SQLite has
// one writer and queueing for it in Go is fair and cheap, and some that read.
type database struct {
	dialect *dialect
	writer  *sql.DB
	readers *sql.DB
	// read runs statements whose text is fixed: they are prepared once.
	read conn
	// search runs statements whose text depends on what is asked for.
	search conn
}

type sqliteConfig struct {
	path        string
	migrations  string // directory in the embedded files
	synchronous string
	checkpoint  string // pages in the WAL that make SQLite move them to the database
	log         *slog.Logger
}

func openSQLite(ctx context.Context, cfg sqliteConfig) (*database, error) {
	if err := createFile(cfg.path); err != nil {
		return nil, err
	}
	d := &database{
		dialect: sqliteDialect,
		writer: openPool(cfg.path, 1, url.Values{
			"_journal_mode": {"WAL"},
			"_txlock":       {"immediate"},
			"_pragma": {"cache_size(-16000)", "journal_size_limit(67108864)",
				// A statement of many rows keeps what it would have to undo, by
				// default in a file: a quarter of the cost of appending.
				"temp_store(memory)", "wal_autocheckpoint(" + cfg.checkpoint + ")"},
		}, cfg.synchronous),
		readers: openPool(cfg.path, max(4, runtime.GOMAXPROCS(0)), url.Values{
			"_query_only": {"on"},
		}, cfg.synchronous),
	}
	d.read = conn{d.dialect, &prepared{db: d.readers}}
	d.search = conn{d.dialect, d.readers}
	if err := d.migrate(ctx, cfg); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// creating keeps a file that createFile is about to close from being opened.
var creating sync.Mutex

// createFile makes an empty database that only its owner can read; SQLite
// gives the files beside it the same mode. An existing file is not even
// opened: closing it again would drop the locks that this process holds on it.
func createFile(path string) error {
	creating.Lock()
	defer creating.Unlock()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return unusable(filepath.Dir(path), err)
	}
	return f.Close()
}

func unusable(dir string, cause error) error {
	e := convoke.Errorf(convoke.CodeInvalid, "the data directory %s cannot be used; name one that this user may write", dir)
	e.Cause = cause
	return e
}

// openPool opens at most size connections. The driver sets busy_timeout
// before anything that could have to wait.
func openPool(path string, size int, options url.Values, synchronous string) *sql.DB {
	options.Set("_busy_timeout", busyTimeout)
	options.Set("_synchronous", synchronous)
	options.Set("_foreign_keys", "on")
	options.Set("_dqs", "false")
	db := sql.OpenDB(newConnector(dsn(path, options)))
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db
}

func dsn(path string, options url.Values) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // a drive letter
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: options.Encode()}).String()
}

// lockDir keeps other processes from opening the directory until unlock is
// called. The lock is SQLite's own, on an empty database, so it works on
// every system and goes when the process dies.
func lockDir(ctx context.Context, dir string) (unlock func(), err error) {
	path := filepath.Join(dir, "open.lock")
	if err := createFile(path); err != nil {
		return nil, err
	}
	db := sql.OpenDB(newConnector(dsn(path, url.Values{"_busy_timeout": {lockTimeout}, "_txlock": {"exclusive"}})))
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(sqliteDialect.fail(err), db.Close())
	}
	return func() {
		_ = tx.Rollback() // nothing was written; closing frees the lock in any case
		_ = db.Close()
	}, nil
}

// migrate brings the schema up to date. That it is so already, the usual
// case, costs one query.
func (d *database) migrate(ctx context.Context, cfg sqliteConfig) error {
	files, err := fs.Sub(migrations, cfg.migrations)
	if err != nil {
		return err
	}
	latest, err := latestMigration(files)
	if err != nil {
		return err
	}
	var current int64
	// A new database has no such table; any other fault goose finds as well.
	_ = d.writer.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&current)
	if current > latest {
		return convoke.Errorf(convoke.CodeInvalid,
			"%s has schema %d, this Convoke knows %d: it was written by a newer one; start that again, or restore a backup made before the upgrade",
			cfg.path, current, latest)
	}
	if current == latest {
		return nil
	}
	provider, err := goose.NewProvider(d.dialect.goose, d.writer, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return d.dialect.fail(err)
	}
	cfg.log.InfoContext(ctx, "database migrated", "file", filepath.Base(cfg.path), "from", current, "to", latest)
	return nil
}

func latestMigration(files fs.FS) (int64, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, err
	}
	var latest int64
	for _, name := range names {
		n, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		latest = max(latest, n)
	}
	return latest, nil
}

// close closes the readers first: the last connection to go empties the WAL,
// and that has to be one that may write.
func (d *database) close() error {
	return errors.Join(d.readers.Close(), d.writer.Close())
}

// conn is where queries run: the readers, or a write transaction.
type conn struct {
	dialect *dialect
	db      queryer
}

// queryer is what *sql.DB, *sql.Tx and *prepared have in common.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// tx is a write transaction. Nothing is written outside of one.
type tx struct {
	conn
	sql *sql.Tx
}

// exec runs a statement and says how many rows it touched.
func (t tx) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := t.sql.ExecContext(ctx, t.dialect.rebind(statement), args...)
	if err != nil {
		return 0, t.dialect.fail(err)
	}
	n, err := result.RowsAffected()
	return n, t.dialect.fail(err)
}

// write runs do in a write transaction. When do returns an error nothing is
// stored and the error is returned as it is.
func (d *database) write(ctx context.Context, do func(tx) error) error {
	begun, err := d.writer.BeginTx(ctx, nil)
	if err != nil {
		return d.dialect.fail(err)
	}
	defer begun.Rollback() // after a commit there is nothing to roll back
	defer cores.Busy()()
	if err := do(tx{conn{d.dialect, begun}, begun}); err != nil {
		return err
	}
	return d.dialect.fail(begun.Commit())
}

// snapshot runs several queries on the database as it is at one moment.
func (d *database) snapshot(ctx context.Context, do func(conn) error) error {
	begun, err := d.readers.BeginTx(ctx, nil)
	if err != nil {
		return d.dialect.fail(err)
	}
	defer begun.Rollback() // nothing was written
	return do(conn{d.dialect, begun})
}

// prepared runs queries on a pool and keeps them prepared. There are as many
// as there are fixed texts in this package.
type prepared struct {
	db    *sql.DB
	stmts sync.Map // text → *sql.Stmt
}

func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.stmts.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, ok := p.stmts.LoadOrStore(query, s); ok {
		return first.(*sql.Stmt), s.Close()
	}
	return s, nil
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// To watch a context while it runs costs as much again as a short query,
	// and one that is interrupted takes its connection with it, with all that
	// was prepared there.
	ctx = context.WithoutCancel(ctx)
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// batchInsert adds rows of a fixed number of columns, many a statement.
type batchInsert struct {
	columns, rows int
	many, one     *sql.Stmt
}

// prepareBatch prepares head VALUES (…), (…) tail.
func (d *database) prepareBatch(ctx context.Context, head, tail string, columns, rows int) (batchInsert, error) {
	tuple := "(?" + strings.Repeat(", ?", columns-1) + ")"
	b := batchInsert{columns: columns, rows: rows}
	for _, s := range []struct {
		into *(*sql.Stmt)
		rows int
	}{{&b.many, rows}, {&b.one, 1}} {
		text := head + " VALUES " + tuple + strings.Repeat(", "+tuple, s.rows-1) + " " + tail
		stmt, err := d.writer.PrepareContext(ctx, d.dialect.rebind(text))
		if err != nil {
			return batchInsert{}, d.dialect.fail(err)
		}
		*s.into = stmt
	}
	return b, nil
}

// insert adds n rows; values appends the columns of row i.
func (b batchInsert) insert(ctx context.Context, t tx, n int, values func(args []any, i int) []any) error {
	args := make([]any, 0, b.rows*b.columns)
	for i := 0; i < n; {
		stmt, rows := b.one, 1
		if n-i >= b.rows {
			stmt, rows = b.many, b.rows
		}
		args = args[:0]
		for range rows {
			args = values(args, i)
			i++
		}
		if _, err := t.sql.StmtContext(ctx, stmt).ExecContext(ctx, args...); err != nil {
			return t.dialect.fail(err)
		}
	}
	return nil
}
