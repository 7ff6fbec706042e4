package convoke

import (
	"errors"
	"fmt"
	"time"
)

// Code is a stable, machine-readable error code. Codes are part of the wire
// contract (spec/platform.md 5, spec/api-surface.md 3.1) and never change
// their meaning. The table from code to HTTP status and to the V1 spelling
// stands in package api.
type Code string

// Codes of the reference system, spelled as its second generation spells them.
const (
	CodeInternal          Code = "com.liveperson.faas.evg.general"                    // we failed; details are in the server's log only
	CodeInvalid           Code = "com.liveperson.faas.evg.invalid"                    // a request that cannot be understood
	CodeUnavailable       Code = "com.liveperson.faas.evg.unavailable"                // not ready, shutting down, or an instance was lost: try again
	CodeFunctionNotFound  Code = "com.liveperson.faas.function.not-found"             // unknown, or not deployed when it is invoked
	CodeUnchanged         Code = "com.liveperson.faas.function.unchanged"             // nothing to save
	CodeThrew             Code = "com.customer.faas.function.threw-error"             // the function failed on purpose
	CodeRuntimeError      Code = "com.customer.faas.function.js-runtime-error"        // the function's code is broken or its process died
	CodeTimeout           Code = "com.customer.faas.function.execution-exceeded"      // no answer before the deadline
	CodeLimitReached      Code = "com.liveperson.faas.function.runtime.limit-reached" // memory, result size or another limit of the function
	CodeValidation        Code = "com.liveperson.faas.fm.validation.general"          // a value breaks a rule
	CodeValidationSyntax  Code = "com.liveperson.faas.fm.validation.invalid-syntax"
	CodeValidationLambda  Code = "com.liveperson.faas.fm.validation.contract-error"
	CodeValidationTooLong Code = "com.liveperson.faas.fm.validation.to-long" // sic
	CodeInvalidDomain     Code = "com.liveperson.faas.fm.validation.invalid-domain"
	CodeActionNotAllowed  Code = "com.liveperson.faas.dm.action.not-allowed" // the state of the function forbids it
	CodeBuildFailed       Code = "com.liveperson.faas.dm.build.general"
	CodeDeployFailed      Code = "com.liveperson.faas.dm.deploy.general"
	CodeRevision          Code = "com.liveperson.faas.db.error.revision" // somebody saved a newer version in between
	CodeConflict          Code = "com.liveperson.faas.db.conflict"       // the name is taken, or another change is under way
	CodeNotFound          Code = "com.liveperson.faas.db.not-found"      // any other thing that does not exist
	CodePayloadTooLarge   Code = "com.liveperson.faas.ui.payload-too-large"
)

// Codes that only Convoke has.
const (
	CodeUnauthorized    Code = "convoke.auth.unauthorized" // no token, or one that is wrong, expired or revoked
	CodeForbidden       Code = "convoke.auth.forbidden"    // the token is good but may not do this
	CodeLocked          Code = "convoke.auth.locked"       // too many failed sign-ins: wait
	CodeThrottled       Code = "convoke.invoke.throttled"  // too many in flight or waiting
	CodeLimitExceeded   Code = "convoke.limit.exceeded"    // an account's count limit (functions, versions, deployments)
	CodeStorageFull     Code = "convoke.store.full"        // the disk is full: the change was refused, nothing was lost
	CodeMethodNotKnown  Code = "convoke.http.method-not-allowed"
	CodeRouteNotFound   Code = "convoke.http.not-found"
	CodeRequestTimeout  Code = "convoke.http.timeout"             // the body did not arrive in time
	CodeConditionFailed Code = "convoke.http.precondition-failed" // it is not what it was when the caller read it

	CodeUnreadable Code = "convoke.secret.unreadable" // a secret cannot be decrypted: its row or the master key is not what it was
)

// Error is the one error that crosses layers. Message is a sentence for the
// person who made the request and says what to do; it never holds a secret.
// Cause is for the log only.
type Error struct {
	Code       Code
	Message    string
	Logs       []LogEntry    // what the function wrote before it failed, when the caller may see it
	Problems   []Problem     // where in the source, for build errors
	RetryAfter time.Duration // set with CodeThrottled, CodeLocked and CodeUnavailable
	Cause      error
}

// Problem is one finding of the build, in the developer's own file and lines.
type Problem struct {
	File     string `json:"file"`               // path of the module
	Line     int    `json:"line"`               // from 1
	Column   int    `json:"column"`             // from 1
	Text     string `json:"text"`               // what is wrong
	LineText string `json:"lineText,omitempty"` // the line
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error with a formatted message.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ErrorCode is the code of err: of the first *Error in its chain, CodeInternal
// for any other error, and "" for nil.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
