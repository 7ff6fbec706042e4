package sqlstore

import (
	"context"
	"errors"
	"time"

	"convoke"
)

// errorKind is what an engine's error means to a caller.
type errorKind int

const (
	otherError    errorKind = iota
	duplicate               // a unique key is taken
	missingParent           // a foreign key points nowhere
	diskFull
	busy // another process held the database for longer than busyTimeout
)

// fail turns an engine's error into the project's: CodeConflict for a
// duplicate, CodeNotFound for a missing parent, CodeStorageFull, CodeUnavailable
// when the database is busy or the caller gave up, and CodeInternal for
// anything else. An error that has a code already stays as it is.
func (d *dialect) fail(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*convoke.Error](err); ok {
		return err
	}
	e := &convoke.Error{Cause: err}
	switch kind := d.classify(err); {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Code, e.Message = convoke.CodeUnavailable, "the request ended before the database answered; nothing was changed"
	case kind == duplicate:
		e.Code, e.Message = convoke.CodeConflict, "it exists already"
	case kind == missingParent:
		e.Code, e.Message = convoke.CodeNotFound, "the account or function that this belongs to does not exist"
	case kind == diskFull:
		e.Code, e.Message = convoke.CodeStorageFull, "the disk is full: nothing was changed; free some space in the data directory and try again"
	case kind == busy:
		e.Code, e.Message, e.RetryAfter = convoke.CodeUnavailable, "the database is busy with another change; try again", time.Second
	default:
		e.Code, e.Message = convoke.CodeInternal, "the database failed"
	}
	return e
}

// onConflict gives a CodeConflict a sentence that says what is taken.
func onConflict(err error, format string, args ...any) error {
	if convoke.ErrorCode(err) != convoke.CodeConflict {
		return err
	}
	e := convoke.Errorf(convoke.CodeConflict, format, args...)
	e.Cause = err
	return e
}
