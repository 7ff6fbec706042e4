package convoke

import (
	"slices"
	"strings"
)

// Role is what a user or a token may do, after spec/platform.md 13.
type Role string

const (
	RoleAdmin     Role = "admin"     // everything a developer may, and people, secrets, domains, settings
	RoleDeveloper Role = "developer" // write, deploy, invoke functions; read logs; schedules
	RoleInvoker   Role = "invoker"   // invoke functions and read their description
	RoleViewer    Role = "viewer"    // read everything but people, change and invoke nothing
)

// Permission is one thing a route can ask for.
type Permission string

const (
	PermFunctionRead   Permission = "function:read"
	PermFunctionWrite  Permission = "function:write"
	PermFunctionDeploy Permission = "function:deploy"
	PermFunctionInvoke Permission = "function:invoke"
	PermLogRead        Permission = "log:read"
	PermReportRead     Permission = "report:read"
	PermScheduleRead   Permission = "schedule:read"
	PermScheduleWrite  Permission = "schedule:write"
	PermDomainRead     Permission = "domain:read"
	PermDomainWrite    Permission = "domain:write"
	PermSecretRead     Permission = "secret:read" // names only: no role reads a value
	PermSecretWrite    Permission = "secret:write"
	PermActivityRead   Permission = "activity:read"
	PermAccountRead    Permission = "account:read"  // settings, limits and what is used of them
	PermAccountWrite   Permission = "account:write" // settings
	PermTokenWrite     Permission = "token:write"
	PermUserWrite      Permission = "user:write"   // people and their roles
	PermClientWrite    Permission = "client:write" // OAuth clients
)

var (
	readPermissions = []Permission{PermFunctionRead, PermLogRead, PermReportRead, PermScheduleRead, PermAccountRead}
	lookPermissions = append(slices.Clone(readPermissions), PermDomainRead, PermSecretRead, PermActivityRead)
	workPermissions = append(slices.Clone(lookPermissions), PermFunctionWrite, PermFunctionDeploy, PermFunctionInvoke, PermScheduleWrite)
)

var rolePermissions = map[Role][]Permission{
	RoleAdmin: append(slices.Clone(workPermissions), PermDomainWrite, PermSecretWrite, PermAccountWrite,
		PermTokenWrite, PermUserWrite, PermClientWrite),
	RoleDeveloper: workPermissions,
	RoleInvoker:   append(slices.Clone(readPermissions), PermFunctionInvoke),
	RoleViewer:    lookPermissions,
}

// Roles lists the roles, the mightiest first.
var Roles = []Role{RoleAdmin, RoleDeveloper, RoleInvoker, RoleViewer}

// May reports whether any of the roles grants p.
func May(roles []Role, p Permission) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(rolePermissions[r], p) })
}

// ParseRole returns CodeValidation for a role that does not exist.
func ParseRole(s string) (Role, error) {
	r := Role(s)
	if !slices.Contains(Roles, r) {
		names := make([]string, len(Roles))
		for i, r := range Roles {
			names[i] = string(r)
		}
		return "", Errorf(CodeValidation, "role %q does not exist; use one of %s", s, strings.Join(names, ", "))
	}
	return r, nil
}
