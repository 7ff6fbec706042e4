package convoke

import (
	"slices"
	"strings"
)

// Role is what a user or a token may do, after spec/platform.md 13.
type Role string

const (
	RoleOperator  Role = "operator"  // manage accounts; for users and tokens of DefaultAccountID only
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
	PermUserWrite      Permission = "user:write"     // people and their roles
	PermClientWrite    Permission = "client:write"   // OAuth clients
	PermAccountManage  Permission = "account:manage" // all accounts of the server and their limits
)

// Permissions lists the permissions.
var Permissions = []Permission{
	PermFunctionRead, PermFunctionWrite, PermFunctionDeploy, PermFunctionInvoke, PermLogRead, PermReportRead, PermScheduleRead, PermScheduleWrite,
	PermDomainRead, PermDomainWrite, PermSecretRead, PermSecretWrite, PermActivityRead, PermAccountRead, PermAccountWrite,
	PermTokenWrite, PermUserWrite, PermClientWrite, PermAccountManage,
}

var (
	readPermissions = []Permission{PermFunctionRead, PermLogRead, PermReportRead, PermScheduleRead, PermAccountRead}
	lookPermissions = append(slices.Clone(readPermissions), PermDomainRead, PermSecretRead, PermActivityRead)
	workPermissions = append(slices.Clone(lookPermissions), PermFunctionWrite, PermFunctionDeploy, PermFunctionInvoke, PermScheduleWrite)
)

var rolePermissions = map[Role][]Permission{
	RoleAdmin: append(slices.Clone(workPermissions), PermDomainWrite, PermSecretWrite, PermAccountWrite,
		PermTokenWrite, PermUserWrite, PermClientWrite),
	RoleOperator:  {PermAccountManage},
	RoleDeveloper: workPermissions,
	RoleInvoker:   append(slices.Clone(readPermissions), PermFunctionInvoke),
	RoleViewer:    lookPermissions,
}

// Roles lists the roles, the mightiest first.
var Roles = []Role{RoleOperator, RoleAdmin, RoleDeveloper, RoleInvoker, RoleViewer}

// May reports whether any of the roles grants p.
func May(roles []Role, p Permission) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(rolePermissions[r], p) })
}

// PermissionsOf lists what the roles allow together, in order of name.
func PermissionsOf(roles []Role) []Permission {
	var all []Permission
	for _, r := range roles {
		all = append(all, rolePermissions[r]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// MayGrant reports whether who holds the roles may give r to another: nobody
// grants what he may not do himself.
func MayGrant(roles []Role, r Role) bool {
	return !slices.ContainsFunc(rolePermissions[r], func(p Permission) bool { return !May(roles, p) })
}

// ValidateRoles returns CodeValidation unless roles are one or more, each once,
// that may be held in the account.
func ValidateRoles(accountID string, roles []Role) error {
	if len(roles) == 0 {
		return Errorf(CodeValidation, "at least one role is needed: %s", roleNames())
	}
	for i, r := range roles {
		if _, err := ParseRole(string(r)); err != nil {
			return err
		}
		if slices.Contains(roles[:i], r) {
			return Errorf(CodeValidation, "role %s is listed twice", r)
		}
		if r == RoleOperator && accountID != DefaultAccountID {
			return Errorf(CodeValidation, "the role operator can be held in account %s only", DefaultAccountID)
		}
	}
	return nil
}

// ParseRole returns CodeValidation for a role that does not exist.
func ParseRole(s string) (Role, error) {
	r := Role(s)
	if !slices.Contains(Roles, r) {
		return "", Errorf(CodeValidation, "role %q does not exist; use one of %s", s, roleNames())
	}
	return r, nil
}

func roleNames() string {
	names := make([]string, len(Roles))
	for i, r := range Roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}
