package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/project"
)

// The exit codes of the program. They are part of its interface.
const (
	ExitOK          = 0
	ExitFailure     = 1   // anything that has no code of its own
	ExitUsage       = 2   // wrong flags or arguments, or a value that breaks a rule
	ExitUnavailable = 3   // the server cannot be reached or is not ready
	ExitAuth        = 4   // no token, a wrong one, or one that may not do this
	ExitNotFound    = 5   // no such function, version or route
	ExitConflict    = 6   // the state of the function forbids it, or a name is taken
	ExitBuild       = 7   // the code could not be built or loaded
	ExitFunction    = 8   // the function itself failed
	ExitLimit       = 9   // too many calls, or another limit
	ExitChanges     = 10  // --plan --exit-code: something would change
	ExitInterrupted = 130 // stopped by a signal
)

func exitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "The program's exit codes",
		Long: `  0    done
  1    another failure, such as an error inside the server
  2    wrong flags or arguments, or a value that breaks a rule
  3    the server cannot be reached or is not ready
  4    no token, a wrong one, or one that may not do this
  5    no such function, version or path
  6    the state of the function forbids it, or a name is taken
  7    the code could not be built or loaded
  8    the function itself failed: it threw, crashed, ran out of time or memory
  9    too many invocations, or another limit
  10   with --plan --exit-code: something would change
  130  stopped by a signal`,
	}
}

// usageError is a mistake on the command line.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exitOf is the exit code for err.
func exitOf(err error) int {
	if _, ok := errors.AsType[*usageError](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[*project.Mistake](err); ok {
		return ExitUsage
	}
	if several, ok := errors.AsType[*severalError](err); ok {
		return exitOf(several.first)
	}
	if _, ok := errors.AsType[*changesError](err); ok {
		return ExitChanges
	}
	switch convoke.ErrorCode(err) {
	case convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeValidationSyntax, convoke.CodeValidationLambda,
		convoke.CodeValidationTooLong, convoke.CodeInvalidDomain, convoke.CodePayloadTooLarge:
		return ExitUsage
	case convoke.CodeUnavailable:
		return ExitUnavailable
	case convoke.CodeUnauthorized, convoke.CodeForbidden:
		return ExitAuth
	case convoke.CodeFunctionNotFound, convoke.CodeNotFound, convoke.CodeRouteNotFound:
		return ExitNotFound
	case convoke.CodeActionNotAllowed, convoke.CodeConflict, convoke.CodeRevision, convoke.CodeConditionFailed, convoke.CodeUnchanged:
		return ExitConflict
	case convoke.CodeBuildFailed, convoke.CodeDeployFailed:
		return ExitBuild
	case convoke.CodeThrew, convoke.CodeRuntimeError, convoke.CodeTimeout, convoke.CodeLimitReached:
		return ExitFunction
	case convoke.CodeThrottled, convoke.CodeLocked, convoke.CodeLimitExceeded, convoke.CodeStorageFull:
		return ExitLimit
	}
	return ExitFailure
}

// hinted is an error with advice of its own.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// hint says what to do about err; "" when its message says it already.
func hint(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	if left, ok := errors.AsType[*project.LeftDraft](err); ok {
		advice := fmt.Sprintf("%s was created and is a draft; convoke remove %s removes it", left.Name, left.Name)
		if h := hint(left.Err); h != "" {
			advice = h + "; " + advice
		}
		return advice
	}
	if h, ok := errors.AsType[*project.Hinted](err); ok {
		return h.Hint
	}
	switch e, _ := errors.AsType[*convoke.Error](err); convoke.ErrorCode(err) {
	case convoke.CodeUnauthorized:
		return "convoke login signs in; or give a token by CONVOKE_TOKEN, --token or a profile: on the server's machine, convoke token create makes one"
	case convoke.CodeForbidden:
		// The server's sentence says what is wrong: another account, a password
		// to change, a wrong token. Of a role that is missing it says what it lacks.
		if strings.Contains(e.Message, "lacks the permission") {
			return "convoke whoami shows your roles; an admin can give you others, or a token with them"
		}
		return ""
	case convoke.CodeUnavailable:
		if client.UnknownAuthority(err) {
			return "SSL_CERT_FILE names the file of an authority to trust, where there is one; of a server with --tls dev that is tls/ca.pem in its data folder"
		}
		if client.Untrusted(err) {
			return "the cause says what is wrong with it; --url must name the host as the certificate does"
		}
		if client.Unreachable(err) {
			return "convoke serve starts a server here; --url or CONVOKE_URL name another"
		}
		return again(e)
	case convoke.CodeRevision, convoke.CodeConditionFailed:
		return "run the command again: it starts from the newest version"
	case convoke.CodeThrottled, convoke.CodeLocked:
		return again(e)
	case convoke.CodeTimeout:
		return "the function's own time-out can be raised: convoke deploy --timeout"
	}
	return ""
}

func again(e *convoke.Error) string {
	if e.RetryAfter > 0 {
		return fmt.Sprintf("try again in %s", e.RetryAfter)
	}
	return "try again in a moment"
}

// report prints err and returns its exit code.
func (a *app) report(err error) int {
	e := shown(err)
	if a.json {
		a.reportJSON(err, e)
		return exitOf(err)
	}
	for _, p := range e.Problems {
		a.problem(p)
	}
	fmt.Fprintf(a.Stderr, "convoke: %s\n", visible(e.Message))
	if e.Cause != nil {
		fmt.Fprintf(a.Stderr, "  cause: %s\n", visible(e.Cause.Error()))
	}
	if e.Code != "" {
		fmt.Fprintf(a.Stderr, "  code: %s\n", e.Code)
	}
	if h := hint(err); h != "" {
		fmt.Fprintf(a.Stderr, "  hint: %s\n", h)
	}
	for _, l := range api.LogLines(e.Logs) {
		a.logLine(l)
	}
	return exitOf(err)
}

// shown is the coded error in err, with the words that were put around it: the
// cause, which the message of a coded error leaves out, is a line of its own.
func shown(err error) *convoke.Error {
	inner, ok := errors.AsType[*convoke.Error](err)
	if !ok {
		return &convoke.Error{Message: err.Error()}
	}
	e := *inner
	e.Message = strings.Replace(err.Error(), inner.Error(), inner.Message, 1)
	return &e
}

func (a *app) reportJSON(err error, e *convoke.Error) {
	body := struct {
		api.Error
		Cause    string `json:"cause,omitempty"`
		Hint     string `json:"hint,omitempty"`
		ExitCode int    `json:"exitCode"`
	}{Error: api.NewError(e, ""), Hint: hint(err), ExitCode: exitOf(err)}
	if e.Cause != nil {
		body.Cause = e.Cause.Error()
	}
	body.Code = cmp.Or(body.Code, "convoke.cli.usage")
	enc := json.NewEncoder(a.Stderr)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // nothing is left to report a failing stderr to
}
