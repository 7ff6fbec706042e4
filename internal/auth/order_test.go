package auth_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"convoke"
	"convoke/internal/auth"
)

// ending is an authorization server that looks, when something of its own ends,
// whether streams have been woken already.
type ending struct {
	woken <-chan struct{}
	early []string
}

func (e *ending) look(what string) {
	select {
	case <-e.woken:
		e.early = append(e.early, what)
	default:
	}
}

func (e *ending) Verify(*http.Request, string, bool) (*convoke.Principal, error) { return nil, nil }
func (e *ending) Still(context.Context, string) (*convoke.Principal, error)      { return nil, nil }
func (e *ending) ForgetUser(string, string)                                      { e.look("ForgetUser") }
func (e *ending) ForgetAccount(string)                                           { e.look("ForgetAccount") }

func (e *ending) EndSession(context.Context, string, string) error {
	e.look("EndSession")
	return nil
}

func (e *ending) EndSessions(context.Context, string, string, string) error {
	e.look("EndSessions")
	return nil
}

// TestStreamsWakeLast: a stream that is woken asks at once whether it may go
// on. By then what it came in by must have ended, that of the authorization
// server too, or it goes on until it asks again by itself.
func TestStreamsWakeLast(t *testing.T) {
	t.Parallel()
	_, store, u := people(t, t.TempDir())
	jwt := &ending{}
	a, err := auth.New(auth.Config{Tokens: store, People: store, JWT: jwt, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func() error{
		"a session":    func() error { return a.EndSession(t.Context(), u.AccountID, "s") },
		"all sessions": func() error { return a.EndSessions(t.Context(), u.AccountID, u.ID, "") },
		"a user":       func() error { a.ForgetUser(u.AccountID, u.ID); return nil },
		"an account":   func() error { a.ForgetAccount(u.AccountID); return nil },
	} {
		*jwt = ending{woken: a.Forgotten()}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-jwt.woken:
		default:
			t.Errorf("%s: nothing woke the streams", name)
		}
		if len(jwt.early) > 0 {
			t.Errorf("%s: streams were woken before %v", name, jwt.early)
		}
	}
}
