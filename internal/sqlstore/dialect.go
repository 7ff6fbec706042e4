package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// dialect is all that differs between engines in the statements of this
// package. They are written once, with ? for parameters; a second engine
// brings its dialect, its migrations and its way to connect, and must pass
// package storetest.
type dialect struct {
	goose goose.Dialect
	// rebind rewrites the ? of a statement to the engine's own placeholders.
	rebind func(string) string
	// lockRow ends a SELECT of a write transaction that is going to change the
	// row. Write transactions of SQLite have the database to themselves.
	lockRow string
	// containsFold is the condition that a column holds the text of one
	// parameter, upper and lower case alike.
	containsFold func(column string) string
	// classify says what a driver's error means.
	classify func(error) errorKind
}

var sqliteDialect = &dialect{
	goose:        goose.DialectSQLite3,
	rebind:       func(s string) string { return s },
	containsFold: func(column string) string { return "contains_fold(" + column + ", ?)" },
	classify:     classifySQLite,
}

func classifySQLite(err error) errorKind {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return otherError
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return duplicate
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return missingParent
	case sqlite3.SQLITE_IOERR_SHMSIZE: // the WAL's index could not grow
		return diskFull
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return diskFull
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return busy
	}
	return otherError
}

// connector opens connections that have the function contains_fold: SQLite's
// own LIKE and lower know ASCII only. It carries a driver of its own, because
// a function registered with the package would be there for the whole process.
type connector struct {
	driver *sqlite.Driver
	dsn    string
}

func newConnector(dsn string) *connector {
	d := &sqlite.Driver{}
	d.MustRegisterDeterministicScalarFunction("contains_fold", 2, containsFold)
	return &connector{driver: d, dsn: dsn}
}

func (c *connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

func (c *connector) Driver() driver.Driver { return c.driver }

// containsFold reports whether the first argument holds the second, which
// the caller has lowered.
func containsFold(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	text, _ := args[0].(string)
	part, _ := args[1].(string)
	return strings.Contains(strings.ToLower(text), part), nil
}
