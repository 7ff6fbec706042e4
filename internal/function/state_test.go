package function

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

// actions are all that can happen to a function's state.
var actions = map[string]func(*convoke.Function) error{
	"save":         func(f *convoke.Function) error { return saved(f, &convoke.Version{Number: f.LatestVersion + 1}) },
	"begin":        mustBeIdle,
	"succeed new":  func(f *convoke.Function) error { return succeeded(f, pending(f.LatestVersion)) },
	"succeed old":  func(f *convoke.Function) error { return succeeded(f, pending(f.LatestVersion-1)) },
	"fail build":   func(f *convoke.Function) error { return failed(f, pending(1), convoke.StateBuildError) },
	"fail load":    func(f *convoke.Function) error { return failed(f, pending(1), convoke.StateDeployError) },
	"interrupt":    func(f *convoke.Function) error { return interrupted(f, pending(1)) },
	"mark":         marked,
	"end undeploy": undeployed,
	"remove":       mayRemove,
}

func pending(version int) *convoke.Deployment {
	return &convoke.Deployment{ID: "pending", VersionNumber: version}
}

// situation is everything about a function that decides where an action leads.
type situation struct {
	State   convoke.State
	Live    string // "": not deployed, "old", "new": is the live version the newest?
	Pending bool
}

func (s situation) String() string {
	return fmt.Sprintf("%s live=%q pending=%t", s.State, s.Live, s.Pending)
}

func (s situation) function() *convoke.Function {
	f := &convoke.Function{Name: "f", State: s.State, LatestVersion: 5}
	switch s.Live {
	case "old":
		f.LiveDeploymentID, f.LiveVersion = "live", 3
	case "new":
		f.LiveDeploymentID, f.LiveVersion = "live", 5
	}
	if s.Pending {
		f.PendingDeploymentID = "pending"
	}
	return f
}

func situationOf(f *convoke.Function) situation {
	s := situation{State: f.State, Pending: f.PendingDeploymentID != ""}
	switch {
	case f.LiveDeploymentID == "":
	case f.LiveVersion == f.LatestVersion:
		s.Live = "new"
	default:
		s.Live = "old"
	}
	return s
}

// outcome is where an action leads: a situation, or an error that changes nothing.
type outcome struct {
	Next situation
	Code convoke.Code
}

// expected is the specification, written apart from the code: by cases of the
// action, not by functions that change fields.
func expected(s situation, action string) outcome {
	refused := outcome{s, convoke.CodeActionNotAllowed}
	gone := outcome{s, convoke.CodeConflict}
	busy := s.Pending || s.State == convoke.StateMarkedUndeployed
	to := func(state convoke.State, live string, pending bool) outcome {
		return outcome{Next: situation{state, live, pending}}
	}
	served := map[string]convoke.State{"": convoke.StateDeployError, "old": convoke.StateModified, "new": convoke.StateProductive}

	switch action {
	case "save":
		switch {
		case busy:
			return refused
		case s.Live == "":
			return to(convoke.StateDraft, "", false)
		default:
			return to(convoke.StateModified, "old", false)
		}
	case "begin":
		if busy {
			return refused
		}
		return outcome{Next: s}
	case "mark":
		if busy || s.Live == "" {
			return refused
		}
		return to(convoke.StateMarkedUndeployed, s.Live, false)
	case "remove":
		if busy || s.Live != "" {
			return refused
		}
		return outcome{Next: s}
	case "end undeploy":
		if s.State != convoke.StateMarkedUndeployed {
			return gone
		}
		return to(convoke.StateDraft, "", s.Pending)
	}
	if !s.Pending {
		return gone
	}
	switch action {
	case "succeed new":
		return to(convoke.StateProductive, "new", false)
	case "succeed old":
		return to(convoke.StateModified, "old", false)
	case "fail build":
		return to(convoke.StateBuildError, s.Live, false)
	case "fail load":
		return to(convoke.StateDeployError, s.Live, false)
	case "interrupt":
		return to(served[s.Live], s.Live, false)
	}
	panic("no expectation for " + action)
}

func TestEveryActionInEverySituation(t *testing.T) {
	t.Parallel()
	for _, state := range convoke.States {
		for _, live := range []string{"", "old", "new"} {
			for _, pending := range []bool{false, true} {
				for action, do := range actions {
					s := situation{state, live, pending}
					f := s.function()
					before := *f
					err := do(f)
					got := outcome{situationOf(f), convoke.ErrorCode(err)}
					if diff := cmp.Diff(expected(s, action), got); diff != "" {
						t.Errorf("%s in %s (-want +got):\n%s", action, s, diff)
					}
					if err != nil && !cmp.Equal(before, *f) {
						t.Errorf("%s in %s failed and changed the function: %s", action, s, cmp.Diff(before, *f))
					}
				}
			}
		}
	}
}
