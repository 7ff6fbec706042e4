package convoke

import (
	"slices"
	"strings"
)

// Scope is what a client may be allowed to do (RFC 6749, section 3.3).
// faas.lambda.invoke is the reference's; the others are finer parts of what
// its roles hold.
type Scope string

const (
	ScopeInvoke        Scope = "faas.lambda.invoke"
	ScopeFunctionRead  Scope = "faas.function.read"
	ScopeFunctionWrite Scope = "faas.function.write"
	ScopeLogRead       Scope = "faas.log.read"
	ScopeReportRead    Scope = "faas.report.read"
	ScopeScheduleRead  Scope = "faas.schedule.read"
	ScopeScheduleWrite Scope = "faas.schedule.write"
	ScopeDomainRead    Scope = "faas.domain.read"
	ScopeDomainWrite   Scope = "faas.domain.write"
	ScopeSecretRead    Scope = "faas.secret.read"
	ScopeSecretWrite   Scope = "faas.secret.write"
	ScopeActivityRead  Scope = "faas.activity.read"
	ScopeAccountRead   Scope = "faas.account.read"
	// ScopeOpenID asks for an id token and grants nothing (OpenID Connect Core 3.1.2.1).
	ScopeOpenID Scope = "openid"
	// ScopeUser is all that the user may do, whatever that is at the time. Only
	// the command line has it: it is not in Scopes, so no client can be given it.
	ScopeUser Scope = "user"
)

// ScopeInfo is what a scope means.
type ScopeInfo struct {
	Scope       Scope
	Permissions []Permission
	About       string // completes "The application may …" on the page where a user agrees
}

// Scopes is the one table of scopes. None reaches people, tokens, clients or
// settings: a program that could change those could give itself more.
var Scopes = []ScopeInfo{
	{ScopeInvoke, []Permission{PermFunctionInvoke}, "invoke functions"},
	{ScopeFunctionRead, []Permission{PermFunctionRead}, "read functions and their code"},
	{ScopeFunctionWrite, []Permission{PermFunctionRead, PermFunctionWrite, PermFunctionDeploy}, "change and deploy functions"},
	{ScopeLogRead, []Permission{PermLogRead}, "read what functions log"},
	{ScopeReportRead, []Permission{PermReportRead}, "read reports of invocations"},
	{ScopeScheduleRead, []Permission{PermScheduleRead}, "read schedules"},
	{ScopeScheduleWrite, []Permission{PermScheduleRead, PermScheduleWrite}, "change schedules"},
	{ScopeDomainRead, []Permission{PermDomainRead}, "read which domains functions may call"},
	{ScopeDomainWrite, []Permission{PermDomainRead, PermDomainWrite}, "change which domains functions may call"},
	{ScopeSecretRead, []Permission{PermSecretRead}, "read the names of secrets"},
	{ScopeSecretWrite, []Permission{PermSecretRead, PermSecretWrite}, "set and remove secrets"},
	{ScopeActivityRead, []Permission{PermActivityRead}, "read who changed what"},
	{ScopeAccountRead, []Permission{PermAccountRead}, "read the account's limits and use"},
	{ScopeOpenID, nil, "learn who you are"},
}

// Granted reports whether any of the scopes grants p.
func Granted(scopes []Scope, p Permission) bool {
	return slices.ContainsFunc(Scopes, func(s ScopeInfo) bool {
		return slices.Contains(s.Permissions, p) && slices.Contains(scopes, s.Scope)
	})
}

// ParseScope returns CodeValidation for a scope that does not exist.
func ParseScope(text string) (Scope, error) {
	s := Scope(text)
	if !slices.ContainsFunc(Scopes, func(i ScopeInfo) bool { return i.Scope == s }) {
		names := make([]string, len(Scopes))
		for i, s := range Scopes {
			names[i] = string(s.Scope)
		}
		return "", Errorf(CodeValidation, "scope %.100q does not exist; use one of %s", text, strings.Join(names, ", "))
	}
	return s, nil
}

// JoinScopes is the form of a token and of a request: separated by spaces.
func JoinScopes(scopes []Scope) string {
	var b strings.Builder
	for i, s := range scopes {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(s))
	}
	return b.String()
}
