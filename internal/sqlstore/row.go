package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// row is the current row of a result.
type row interface{ Scan(dest ...any) error }

// find returns the only row of a query, or what missing makes when there is none.
func find[T any](ctx context.Context, c conn, scan func(row) (T, error), missing func() error, query string, args ...any) (T, error) {
	var none T
	rows, err := c.db.QueryContext(ctx, c.dialect.rebind(query), args...)
	if err != nil {
		return none, c.dialect.fail(err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return none, c.dialect.fail(err)
		}
		return none, missing()
	}
	v, err := scan(rows)
	if err != nil {
		return none, c.dialect.fail(err)
	}
	return v, nil
}

// list returns all rows of a query.
func list[T any](ctx context.Context, c conn, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := c.db.QueryContext(ctx, c.dialect.rebind(query), args...)
	if err != nil {
		return nil, c.dialect.fail(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, c.dialect.fail(err)
		}
		all = append(all, v)
	}
	return all, c.dialect.fail(rows.Err())
}

// scanCount reads a row of one number.
func scanCount(r row) (int, error) {
	var n int
	return n, r.Scan(&n)
}

// scanInt64 reads a row of one id.
func scanInt64(r row) (int64, error) {
	var n int64
	return n, r.Scan(&n)
}

// never is for queries that always have a row.
func never() error { return sql.ErrNoRows }

// filter collects the conditions of a query.
type filter struct {
	conditions []string
	args       []any
}

func (f *filter) add(condition string, args ...any) {
	f.conditions = append(f.conditions, condition)
	f.args = append(f.args, args...)
}

func (f *filter) String() string { return strings.Join(f.conditions, " AND ") }

// oneOf adds the condition that a column has one of the values.
func oneOf[T ~string](f *filter, column string, values []T) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	f.add(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

// nanos is how a time is stored: nanoseconds since 1970, 0 for the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// timeColumn reads what nanos wrote.
type timeColumn struct{ to *time.Time }

func (c timeColumn) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", src)
	}
	*c.to = time.Time{}
	if n != 0 {
		*c.to = time.Unix(0, n).UTC()
	}
	return nil
}

// jsonText is how lists, maps and structs are stored: as JSON, and as empty
// text when there is nothing in them, which costs nothing to read.
func jsonText[T any](v T, length int) (string, error) {
	if length == 0 {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// jsonColumn reads what jsonText wrote.
type jsonColumn struct{ to any }

func (c jsonColumn) Scan(src any) error {
	var text []byte
	switch s := src.(type) {
	case string:
		text = []byte(s)
	case []byte:
		text = s
	default:
		return fmt.Errorf("JSON is stored as %T", src)
	}
	if len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, c.to)
}

// bytes keeps an empty column from being NULL.
func bytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
