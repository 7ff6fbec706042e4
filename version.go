package convoke

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Contract is the generation a function is written for (spec/platform.md 2).
type Contract string

const (
	ContractV1 Contract = "v1" // function lambda(input, callback), CommonJS
	ContractV2 Contract = "v2" // async function lambda(input), ES module
)

// Contracts lists the contracts.
var Contracts = []Contract{ContractV1, ContractV2}

// Language is what the source is written in.
type Language string

const (
	JavaScript Language = "javascript"
	TypeScript Language = "typescript"
)

// Languages lists the languages.
var Languages = []Language{JavaScript, TypeScript}

// Version is one immutable saved state of a function's code and settings (the
// reference calls it manifest). The one exception: version 1 is created empty
// with the function, and the first save fills it.
type Version struct {
	ID          string // UUID
	AccountID   string
	FunctionID  string
	Number      int // from 1; 0 is kept for imported V1 code
	Code        string
	Files       map[string]string // further modules by relative path, for imports such as "./text.js"
	Language    Language
	Contract    Contract // "" detects it from the code
	Runtime     string   // name of a Runtime, such as "node26"; "" is the default
	Environment map[string]string
	// Domains narrows the account's allowed domains for this version, in the
	// form of ParseDomain; nil does not narrow, an empty list allows none.
	Domains   []string
	Settings  Settings
	CreatedAt time.Time
	CreatedBy string
}

// maxVersionDomains bounds what each instance keeps and each call compares.
const maxVersionDomains = 100

// Settings are how instances of a version run. Zero values take the default.
type Settings struct {
	Timeout      time.Duration `json:"timeout,omitempty"`      // wall time of one invocation
	MemoryMiB    int           `json:"memoryMiB,omitempty"`    // of one instance
	Concurrency  int           `json:"concurrency,omitempty"`  // invocations one instance runs at a time
	MinInstances int           `json:"minInstances,omitempty"` // kept warm
	MaxInstances int           `json:"maxInstances,omitempty"`
	IdleTimeout  time.Duration `json:"idleTimeout,omitempty"` // an idle instance goes after it
	// InvocationsPerSecond is how many invocations callers may begin, within
	// what the account's functions may; 0 is no limit of its own.
	InvocationsPerSecond int `json:"invocationsPerSecond,omitempty"`
}

// SameContent reports whether saving v after old would change nothing.
func (v *Version) SameContent(old *Version) bool {
	return v.Code == old.Code && maps.Equal(v.Files, old.Files) && v.Language == old.Language &&
		v.Contract == old.Contract && v.Runtime == old.Runtime &&
		maps.Equal(v.Environment, old.Environment) && v.Settings == old.Settings &&
		slices.Equal(v.Domains, old.Domains) && (v.Domains == nil) == (old.Domains == nil)
}

// reservedVariables are set by the platform (spec/toolbelt.md 2).
var reservedVariables = []string{
	"X_LIVEPERSON_BRAND_ID", "X_LIVEPERSON_CSDS_DOMAIN", "X_LIVEPERSON_PROJECT_ID", "X_LIVEPERSON_FUNCTION_UUID",
	"BRAND_ID", "LAMBDA_UUID", "DOMAIN", "DC", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
	"VAULT_K8S_MOUNT", "VAULT_DOMAIN", "VAULT_SERVICE_ENV", "VAULT_LAMBDA_ROLE", "WATCHDOG_VERSION",
	"NODE_ENV", "CONTEXT_SERVICE_ENVIRONMENT",
}

// ReservedVariable reports whether name belongs to the platform: the
// reference's reserved names, and whatever steers Node or the loader itself.
func ReservedVariable(name string) bool {
	return slices.Contains(reservedVariables, name) || strings.HasPrefix(name, "X_LIVEPERSON_") ||
		strings.HasPrefix(name, "CONVOKE_") || strings.HasPrefix(name, "NODE_") || strings.HasPrefix(name, "LD_")
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate checks code size, files, environment, domains, runtime name and settings
// against l. It returns CodeValidation, CodeValidationTooLong or
// CodeInvalidDomain.
func (v *Version) Validate(l Limits) error {
	size := len([]rune(v.Code))
	for path, text := range v.Files {
		if err := validatePath(path); err != nil {
			return err
		}
		size += len([]rune(text))
	}
	if size > l.SourceLength {
		return Errorf(CodeValidationTooLong, "the source has %d characters; at most %d are allowed", size, l.SourceLength)
	}
	if len(v.Files) > l.FilesPerFunction {
		return Errorf(CodeValidation, "the function has %d further files; at most %d are allowed", len(v.Files), l.FilesPerFunction)
	}
	if !slices.Contains(Languages, v.Language) {
		return Errorf(CodeValidation, "the language is javascript or typescript, not %q", v.Language)
	}
	if v.Contract != "" && !slices.Contains(Contracts, v.Contract) {
		return Errorf(CodeValidation, "the contract is v1 or v2, not %q; leave it out to detect it from the code", v.Contract)
	}
	if v.Runtime != "" && !HasRuntime(v.Runtime) {
		return Errorf(CodeValidation, "runtime %q does not exist; use one of %s", v.Runtime, strings.Join(RuntimeNames(), ", "))
	}
	if err := validateEnvironment(v.Environment, l); err != nil {
		return err
	}
	if err := validateDomains(v.Domains); err != nil {
		return err
	}
	return v.Settings.Validate(l)
}

func validatePath(path string) error {
	clean := path != "" && len(path) <= 200 && !strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "\\\x00")
	for part := range strings.SplitSeq(path, "/") {
		clean = clean && part != "" && part != "." && part != ".."
	}
	if !clean {
		return Errorf(CodeValidation, "%q is not a relative path of plain names", path)
	}
	return nil
}

func validateEnvironment(env map[string]string, l Limits) error {
	if len(env) > l.VariablesPerFunction {
		return Errorf(CodeValidation, "the function has %d environment variables; at most %d are allowed", len(env), l.VariablesPerFunction)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case len(name) > l.VariableNameLength || !variableName.MatchString(name):
			return Errorf(CodeValidation, "%q is no name for an environment variable: letters, digits and _, not starting with a digit, at most %d characters", name, l.VariableNameLength)
		case ReservedVariable(name):
			return Errorf(CodeValidation, "Variable name is reserved and thereby blocked for use. (%s)", name)
		case len([]rune(env[name])) > l.VariableValueLength:
			return Errorf(CodeValidation, "the value of %s has %d characters; at most %d are allowed", name, len([]rune(env[name])), l.VariableValueLength)
		case strings.ContainsRune(env[name], 0):
			return Errorf(CodeValidation, "the value of %s holds a NUL character", name)
		}
	}
	return nil
}

func validateDomains(domains []string) error {
	if len(domains) > maxVersionDomains {
		return Errorf(CodeValidation, "the function names %d allowed domains; at most %d are possible, and *.example.com covers many", len(domains), maxVersionDomains)
	}
	for _, d := range domains {
		if _, _, err := ParseDomain(d); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks settings against the operator's maxima, returning CodeValidation.
func (s Settings) Validate(l Limits) error {
	within := func(what string, got, low, high int, unit string) error {
		if got != 0 && (got < low || got > high) {
			return Errorf(CodeValidation, "%s is %d%s; it must be from %d to %d%s", what, got, unit, low, high, unit)
		}
		return nil
	}
	for _, err := range []error{
		within("timeout", int(s.Timeout/time.Millisecond), 10, int(l.MaxTimeout/time.Millisecond), " ms"),
		within("memory", s.MemoryMiB, 64, l.MaxMemoryMiB, " MiB"),
		within("concurrency", s.Concurrency, 1, l.MaxConcurrency, ""),
		within("minInstances", s.MinInstances, 0, l.MaxInstances, ""),
		within("maxInstances", s.MaxInstances, 1, l.MaxInstances, ""),
		within("invocationsPerSecond", s.InvocationsPerSecond, 1, cmp.Or(l.InvocationsPerSecondPerFunction, maxAccountLimit), ""),
		within("idleTimeout", int(s.IdleTimeout/time.Second), 1, 86400, " s"),
	} {
		if err != nil {
			return err
		}
	}
	if s.MaxInstances != 0 && s.MinInstances > s.MaxInstances {
		return Errorf(CodeValidation, "minInstances is %d, more than maxInstances %d", s.MinInstances, s.MaxInstances)
	}
	return nil
}

// VersionStore keeps versions.
type VersionStore interface {
	// SaveVersion stores v as the newest version of its function and runs
	// change on the function, in one transaction. v.Number must be the
	// function's LatestVersion+1, or LatestVersion when that one is still
	// empty (no code) and is filled; otherwise CodeRevision. Versions beyond
	// keep are evicted, oldest first, never version 0, the live one or one
	// that a pending deployment uses. An error from change is returned as it is.
	SaveVersion(ctx context.Context, v *Version, keep int, change func(*Function) error) (*Function, error)
	// FindVersion returns CodeNotFound when there is none.
	FindVersion(ctx context.Context, accountID, functionID string, number int) (*Version, error)
	// ListVersions returns versions newest first.
	ListVersions(ctx context.Context, accountID, functionID string) ([]*Version, error)
}
