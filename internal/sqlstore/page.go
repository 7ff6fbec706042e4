package sqlstore

import (
	"context"
	"strings"

	"convoke"
)

// maxRecords is how many rows of a list without end there are for who names no
// number.
const maxRecords = 1000

// column is one that a list is sorted by.
type column struct {
	name string
	text bool // a number otherwise
}

func text(name string) column   { return column{name, true} }
func number(name string) column { return column{name, false} }

// listing is a list that is read by pages. A page begins behind the values
// that the last row of the one before was sorted by, and not at a number of
// rows: rows that come and go meanwhile move nothing, and the last page costs
// no more than the first.
type listing[T any] struct {
	order   convoke.Order
	columns string
	from    string
	scan    func(row) (T, error)
	// keys are the columns of each field of the order; together they are unique
	// in the list, so that no row can be lost between equal ones.
	keys map[string][]column
	// whole is how many rows a page without a limit has; 0 is all.
	whole int
}

// page reads a page of the rows that where selects, and the mark of the next one.
func (l *listing[T]) page(ctx context.Context, c conn, where *filter, p convoke.Page) ([]T, convoke.Mark, error) {
	keys, limit, query, err := l.query(where, p)
	if err != nil {
		return nil, nil, err
	}
	if limit <= 0 {
		all, err := list(ctx, c, l.scan, query, where.args...)
		return all, nil, err
	}
	var last, mark convoke.Mark
	n := 0
	scan := func(r row) (T, error) {
		values := newMark(keys)
		v, err := l.scan(markedRow{r, values})
		if n++; n == limit {
			last = values.mark()
		}
		return v, err
	}
	all, err := list(ctx, c, scan, query, where.args...)
	if err == nil && len(all) > limit {
		all, mark = all[:limit], last
	}
	return all, mark, err
}

// query is the statement of a page, whose arguments end up in where. With a
// limit, the keys stand behind the list's columns, and there is one row more
// than asked for: it says whether there is a next page.
func (l *listing[T]) query(where *filter, p convoke.Page) (keys []column, limit int, query string, err error) {
	field, descending, err := l.order.Resolve(p.Sort)
	if err != nil {
		return nil, 0, "", err
	}
	keys = l.keys[field]
	direction, beyond := "", " > "
	if descending {
		direction, beyond = " DESC", " < "
	}
	var names, ordered, marks []string
	for _, k := range keys {
		names, ordered, marks = append(names, k.name), append(ordered, k.name+direction), append(marks, "?")
	}
	if p.After != nil {
		if err := fits(p.After, keys); err != nil {
			return nil, 0, "", err
		}
		where.add(tuple(names)+beyond+tuple(marks), p.After...)
	}
	query = ` FROM ` + l.from + ` WHERE ` + where.String() + ` ORDER BY ` + strings.Join(ordered, ", ")
	if limit = positive(p.Limit, l.whole); limit <= 0 {
		return keys, 0, `SELECT ` + l.columns + query, nil
	}
	where.args = append(where.args, limit+1)
	return keys, limit, `SELECT ` + l.columns + `, ` + strings.Join(names, ", ") + query + ` LIMIT ?`, nil
}

// tuple is a row value. Alone, a column is compared as it is.
func tuple(parts []string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// fits returns CodeInvalid for a mark of another sort: engines differ in what
// they make of a text that is compared with a number.
func fits(m convoke.Mark, keys []column) error {
	ok := len(m) == len(keys)
	for i := 0; ok && i < len(m); i++ {
		_, isText := m[i].(string)
		_, isNumber := m[i].(int64)
		ok = keys[i].text && isText || !keys[i].text && isNumber
	}
	if !ok {
		return convoke.Errorf(convoke.CodeInvalid, "the mark is that of a list sorted by something else")
	}
	return nil
}

// markValues are where the columns of a mark are scanned into, *string and *int64.
type markValues []any

func newMark(keys []column) markValues {
	values := make(markValues, len(keys))
	for i, k := range keys {
		values[i] = new(int64)
		if k.text {
			values[i] = new(string)
		}
	}
	return values
}

func (v markValues) mark() convoke.Mark {
	m := make(convoke.Mark, len(v))
	for i, value := range v {
		switch value := value.(type) {
		case *string:
			m[i] = *value
		case *int64:
			m[i] = *value
		}
	}
	return m
}

// markedRow is a row with the columns of its mark behind those that its
// scanner knows.
type markedRow struct {
	row
	values markValues
}

func (r markedRow) Scan(dest ...any) error { return r.row.Scan(append(dest, r.values...)...) }
