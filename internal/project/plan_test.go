package project

import (
	"context"
	"errors"
	"slices"
	"testing"

	"convoke"
)

// TestCarryOut: a failure takes along what needs the same function, and what
// would fail for the same reason ends it all.
func TestCarryOut(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	away := convoke.Errorf(convoke.CodeUnavailable, "away")
	for _, tt := range []struct {
		name string
		fail map[string]error
		want []Result
		end  error
	}{
		{"all done", nil, []Result{Done, Done, Done, Done}, nil},
		{"one function", map[string]error{"save a": broken}, []Result{Failed, Done, Skipped, Done}, nil},
		{"something without a function", map[string]error{"secret": broken}, []Result{Done, Done, Done, Failed}, nil},
		{"no server", map[string]error{"save b": away}, []Result{Done, Failed, Skipped, Skipped}, away},
	} {
		var steps []*Step
		for _, name := range []struct{ title, needs string }{{"save a", "a"}, {"save b", "b"}, {"deploy a", "a"}, {"secret", ""}} {
			st := newStep("", name.title, ActionChange, func(context.Context) error { return tt.fail[name.title] })
			st.needs = name.needs
			steps = append(steps, st)
		}
		var told []Result
		begun, ended := 0, 0
		end := CarryOut(t.Context(), steps, func(*Step) func() { begun++; return func() { ended++ } }, func(s *Step) { told = append(told, s.Result) })
		if !errors.Is(end, tt.end) || !slices.Equal(told, tt.want) {
			t.Errorf("%s: got %v, error %v, want %v, error %v", tt.name, told, end, tt.want, tt.end)
		}
		skipped := len(slices.DeleteFunc(told, func(r Result) bool { return r != Skipped }))
		if begun != ended || begun != len(steps)-skipped {
			t.Errorf("%s: %d steps began and %d ended", tt.name, begun, ended)
		}
	}
}

// TestReady: what would keep a step from being done is found before any is.
func TestReady(t *testing.T) {
	t.Parallel()
	asked := 0
	ready := func(err error) *Step {
		return &Step{ready: func(context.Context) error { asked++; return err }}
	}
	missing := errors.New("the variable is not set")
	if err := Ready(t.Context(), []*Step{ready(nil), {}, ready(missing), ready(nil)}); !errors.Is(err, missing) || asked != 2 {
		t.Errorf("got %v after %d steps", err, asked)
	}
}

func TestSecretType(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"": "", "JSON": "JSON", "string": "String", "Number": "Number"} {
		if got, ok := SecretType(name); got != want || !ok {
			t.Errorf("%q: got %q, %v, want %q", name, got, ok, want)
		}
	}
	if _, ok := SecretType("xml"); ok {
		t.Error("xml is no type")
	}
}
