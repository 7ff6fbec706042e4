package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"convoke"
)

// StatusCustomerCode is the reference's HTTP status for an error in the
// customer's code. Its clients must not see 5xx there: they would repeat the
// invocation.
const StatusCustomerCode = 901

// Error is the body of every failed request of the V2 dialect.
type Error struct {
	Code      convoke.Code      `json:"code"`                // stable, one of docs/errors.md; more may come
	Message   string            `json:"message"`             // for people: what is wrong and what to do
	ErrorLogs []LogLine         `json:"errorLogs,omitempty"` // what the function wrote before it failed
	Problems  []convoke.Problem `json:"problems,omitempty"`  // where in the source
	ErrorID   string            `json:"errorId,omitempty"`   // finds an internal error in the server's log
}

// ErrorV1 is the body of every failed request of the V1 dialect, with exactly
// these members: a client of the reference refuses others.
type ErrorV1 struct {
	ErrorCode string    `json:"errorCode"`           // stable, one of docs/errors.md; more may come
	ErrorMsg  string    `json:"errorMsg"`            // for people: what is wrong and what to do
	ErrorLogs []LogLine `json:"errorLogs,omitempty"` // what the function wrote before it failed, or where in the source
}

// NewError is the V2 body of err. errorID may be "".
func NewError(err *convoke.Error, errorID string) Error {
	e := Error{Code: err.Code, Message: err.Message, Problems: err.Problems, ErrorID: errorID}
	if len(err.Logs) > 0 {
		e.ErrorLogs = LogLines(err.Logs)
	}
	return e
}

// V1 translates the body into the older dialect.
func (e Error) V1() ErrorV1 {
	msg := e.Message
	if e.ErrorID != "" {
		msg = fmt.Sprintf("%s (error id %s)", msg, e.ErrorID)
	}
	logs := e.ErrorLogs
	if len(e.Problems) > 0 { // which has no member of its own there
		logs = append(ProblemLines(e.Problems, time.Now()), logs...)
	}
	return ErrorV1{ErrorCode: CodeV1(e.Code), ErrorMsg: msg, ErrorLogs: logs}
}

// ProblemLines puts problems of the source into the form of log lines, in which
// V1 has them. It is never nil.
func ProblemLines(problems []convoke.Problem, at time.Time) []LogLine {
	lines := make([]LogLine, len(problems))
	for i, p := range problems {
		lines[i] = LogLine{
			Level: string(convoke.LevelError), Message: fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text),
			Extras: json.RawMessage("[]"), Timestamp: at.UnixMilli(),
		}
	}
	return lines
}

// CodeInfo is what the wire makes of one error code.
type CodeInfo struct {
	Code    convoke.Code
	Status  int
	V1      string   // the V1 spelling
	V1Also  []string // V1 spellings of the reference that mean the same
	Meaning string
}

// Codes is the one table of error codes; spec/platform.md 5.2 and 5.3.
// A test holds it complete.
var Codes = []CodeInfo{
	{convoke.CodeInvalid, 400, "com.liveperson.faas.es.badinput", nil, "The request cannot be understood."},
	{convoke.CodeValidation, 400, "com.liveperson.faas.fm.validation.general", nil, "A value breaks a rule."},
	{convoke.CodeValidationSyntax, 400, "com.liveperson.faas.fm.validation.invalid-syntax", nil, "The code is no valid JavaScript or TypeScript."},
	{convoke.CodeValidationLambda, 400, "com.liveperson.faas.fm.validation.contract-error", nil, "The code has no function lambda of the expected form."},
	{convoke.CodeInvalidDomain, 400, "com.liveperson.faas.fm.validation.invalid-domain", nil, "The domain is not valid."},
	{convoke.CodeValidationTooLong, 400, "com.liveperson.faas.fm.validation.to-long", nil, "The source is too long."},
	{convoke.CodeUnauthorized, 401, "convoke.auth.unauthorized", nil, "There is no token, or it is wrong, expired or revoked."},
	{convoke.CodeForbidden, 403, "convoke.auth.forbidden", nil, "The token may not do this."},
	{convoke.CodeFunctionNotFound, 404, "com.liveperson.faas.es.missinglambda", []string{"com.liveperson.faas.es.notdeployed"}, "The function does not exist, or is not deployed when it is invoked."},
	{convoke.CodeNotFound, 404, "com.liveperson.faas.db.not-found", nil, "There is no such thing."},
	{convoke.CodeRouteNotFound, 404, "convoke.http.not-found", nil, "The server has no such path."},
	{convoke.CodeMethodNotKnown, 405, "convoke.http.method-not-allowed", nil, "The path exists, but not with this method."},
	{convoke.CodeRequestTimeout, 408, "convoke.http.timeout", nil, "The body of the request did not arrive in time."},
	{convoke.CodeUnchanged, 409, "com.liveperson.faas.function.unchanged", nil, "There is nothing to save."},
	{convoke.CodeRevision, 409, "com.liveperson.faas.db.error.revision", nil, "Somebody saved a newer version in between."},
	{convoke.CodeConflict, 409, "com.liveperson.faas.db.conflict", nil, "The name is taken, or another change is under way."},
	{convoke.CodeActionNotAllowed, 409, "com.liveperson.faas.dm.action.not-allowed", nil, "The state of the function forbids it."},
	{convoke.CodeLimitExceeded, 409, "convoke.limit.exceeded", nil, "A limit of the account is reached."},
	{convoke.CodeConditionFailed, 412, "convoke.http.precondition-failed", nil, "It is not what it was when you read it."},
	{convoke.CodePayloadTooLarge, 413, "com.liveperson.faas.ui.payload-too-large", nil, "The body is too large."},
	{convoke.CodeBuildFailed, 422, "com.liveperson.faas.dm.build.general", nil, "The code cannot be bundled; problems says where."},
	{convoke.CodeDeployFailed, 422, "com.liveperson.faas.dm.deploy.general", nil, "The bundle cannot be loaded."},
	{convoke.CodeThrottled, 429, "convoke.invoke.throttled", nil, "Too many invocations are in flight or waiting, or a rate or the month's quota is used up."},
	{convoke.CodeLocked, 429, "convoke.auth.locked", nil, "Too many sign-ins failed or came at once."},
	{convoke.CodeInternal, 500, "com.liveperson.faas.es.general", []string{"com.liveperson.faas.fm.general", "com.liveperson.faas.db.general", "com.liveperson.faas.dm.general"}, "The server failed; errorId finds the details in its log."},
	{convoke.CodeUnreadable, 500, "convoke.secret.unreadable", nil, "A secret cannot be decrypted."},
	{convoke.CodeUnavailable, 503, "com.liveperson.faas.es.unavailable", []string{"com.liveperson.faas.fm.unavailable"}, "The server is not ready or shutting down: try again."},
	{convoke.CodeStorageFull, 507, "convoke.store.full", nil, "The disk is full: the change was refused, nothing was lost."},
	{convoke.CodeThrew, StatusCustomerCode, "com.liveperson.faas.handler.custom-failure", nil, "The function failed on purpose."},
	{convoke.CodeRuntimeError, StatusCustomerCode, "com.liveperson.faas.handler.runtime-exception", nil, "The function's code is broken or its process died."},
	{convoke.CodeTimeout, StatusCustomerCode, "com.liveperson.faas.handler.executiontime-exceeded", nil, "The function did not answer in time."},
	{convoke.CodeLimitReached, StatusCustomerCode, "com.liveperson.faas.handler.log-limit-reached", nil, "The function reached one of its limits."},
}

var (
	byCode = map[convoke.Code]CodeInfo{}
	byV1   = map[string]convoke.Code{}
)

func init() {
	for _, c := range Codes {
		byCode[c.Code] = c
		for _, v1 := range append([]string{c.V1}, c.V1Also...) {
			byV1[v1] = c.Code
		}
	}
}

// Status is the HTTP status of code; 500 for one that the table does not have.
func Status(code convoke.Code) int {
	return cmp.Or(byCode[code].Status, http.StatusInternalServerError)
}

// CodeV1 is the V1 spelling of code.
func CodeV1(code convoke.Code) string { return cmp.Or(byCode[code].V1, string(code)) }

// CodeFromV1 is the code that V1 spells so; an unknown one is kept as it is.
func CodeFromV1(v1 string) convoke.Code { return cmp.Or(byV1[v1], convoke.Code(v1)) }

// ParseError turns a failed answer of either dialect into the error that the
// server meant. A body that is no error body, from a proxy in between, becomes
// a message with the status.
func ParseError(status int, header http.Header, body []byte) *convoke.Error {
	var both struct {
		Code      convoke.Code      `json:"code"`
		Message   string            `json:"message"`
		ErrorCode string            `json:"errorCode"`
		ErrorMsg  string            `json:"errorMsg"`
		ErrorLogs []LogLine         `json:"errorLogs"`
		Problems  []convoke.Problem `json:"problems"`
		ErrorID   string            `json:"errorId"`
	}
	if err := json.Unmarshal(body, &both); err != nil || both.Code == "" && both.ErrorCode == "" {
		return &convoke.Error{Code: codeOfStatus(status), RetryAfter: retryAfter(header),
			Message: fmt.Sprintf("the server answered %d %s without an error body: %.200q", status, http.StatusText(status), body)}
	}
	e := &convoke.Error{
		Code:       cmp.Or(both.Code, CodeFromV1(both.ErrorCode)),
		Message:    cmp.Or(both.Message, both.ErrorMsg),
		Problems:   both.Problems,
		RetryAfter: retryAfter(header),
	}
	if both.ErrorID != "" {
		e.Message = fmt.Sprintf("%s (error id %s)", e.Message, both.ErrorID)
	}
	for _, l := range both.ErrorLogs {
		e.Logs = append(e.Logs, convoke.LogEntry{Level: convoke.LogLevel(l.Level), Message: l.Message, Extras: l.Extras, Time: time.UnixMilli(l.Timestamp).UTC()})
	}
	return e
}

// codeOfStatus is the most general code with that status.
func codeOfStatus(status int) convoke.Code {
	switch status {
	case http.StatusNotFound:
		return convoke.CodeNotFound
	case http.StatusConflict:
		return convoke.CodeConflict
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return convoke.CodeUnavailable
	case http.StatusUnprocessableEntity:
		return convoke.CodeValidation
	}
	for _, c := range Codes {
		if c.Status == status {
			return c.Code
		}
	}
	if status >= 400 && status < 500 {
		return convoke.CodeInvalid
	}
	return convoke.CodeInternal
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
