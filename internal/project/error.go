package project

import (
	"context"
	"errors"
	"fmt"

	"convoke"
)

// Mistake is something wrong in the files, or in what was asked of them: the
// user's own to mend. What the server refuses is a *convoke.Error.
type Mistake struct{ message string }

func (e *Mistake) Error() string { return e.message }

func mistakef(format string, args ...any) error { return &Mistake{fmt.Sprintf(format, args...)} }

// Hinted is an error with what can be done about it.
type Hinted struct {
	Err  error
	Hint string
}

func (h *Hinted) Error() string { return h.Err.Error() }
func (h *Hinted) Unwrap() error { return h.Err }

// LeftDraft is the failure of a function that was created before: as a draft
// without code it is still there.
type LeftDraft struct {
	Err  error
	Name string
}

func (l *LeftDraft) Error() string { return l.Err.Error() }
func (l *LeftDraft) Unwrap() error { return l.Err }

// leftover says that a function was left behind. One that failed for the code
// needs no word: the next attempt mends it.
func leftover(err error, name string) error {
	switch convoke.ErrorCode(err) {
	case convoke.CodeBuildFailed, convoke.CodeDeployFailed, convoke.CodeUnavailable:
		return err
	}
	return &LeftDraft{err, name}
}

// Stops reports whether an error ends all that was asked for and not only one
// thing of several: nothing else would work either.
func Stops(err error) bool {
	code := convoke.ErrorCode(err)
	return code == convoke.CodeUnauthorized || code == convoke.CodeUnavailable || errors.Is(err, context.Canceled)
}

// ruleOf is the sentence of the rule that a value breaks, without its code.
func ruleOf(err error) string {
	if e, ok := errors.AsType[*convoke.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
