package api

// Manifest is one version of a function: code and settings (the reference's word).
type Manifest struct {
	ID                 string            `json:"id"`
	Version            int               `json:"version"`
	Runtime            string            `json:"runtime"` // such as "node26"
	Code               string            `json:"code"`
	Environment        map[string]string `json:"environment"` // never null
	CustomDependencies map[string]string `json:"customDependencies,omitempty"`
	CreatedAt          Time              `json:"createdAt,omitzero"`
	CreatedBy          string            `json:"createdBy"`
	UpdatedAt          Time              `json:"updatedAt,omitzero"` // a version never changes: as created
	UpdatedBy          string            `json:"updatedBy"`

	// Convoke's own.
	Language string            `json:"language"`           // "javascript" or "typescript"
	Contract string            `json:"contract,omitempty"` // "v1" or "v2"; absent: detected from the code
	Files    map[string]string `json:"files,omitempty"`    // further modules by relative path
	Settings Settings          `json:"settings"`

	// AllowedDomains narrows the domains that the account allows: absent does
	// not narrow, an empty list allows none.
	AllowedDomains []string `json:"allowedDomains,omitzero"`
}

// ManifestRef names a version.
type ManifestRef struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// Settings are how instances of a version run. Absent members take the
// server's default.
type Settings struct {
	TimeoutMs          int64 `json:"timeoutMs,omitempty"`
	MemoryMiB          int   `json:"memoryMiB,omitempty"`
	Concurrency        int   `json:"concurrency,omitempty"`
	MinInstances       int   `json:"minInstances,omitempty"`
	MaxInstances       int   `json:"maxInstances,omitempty"`
	IdleTimeoutSeconds int64 `json:"idleTimeoutSeconds,omitempty"`

	// InvocationsPerSecond is how many invocations callers may begin, within
	// what the account allows each function.
	InvocationsPerSecond int `json:"invocationsPerSecond,omitempty"`
}

// ManifestRequest saves a new version. Absent members are taken over from the
// newest version; an empty object or string clears.
type ManifestRequest struct {
	// Version is the number of the version the change is based on: a stale one
	// is refused. Absent or -1 saves whatever the newest is.
	Version            *int              `json:"version,omitempty"`
	ID                 string            `json:"id,omitempty"` // the base version's id; sent by the reference's client, the number decides
	Code               *string           `json:"code,omitempty"`
	Environment        map[string]string `json:"environment,omitzero"` // nil is absent, {} clears
	Runtime            *string           `json:"runtime,omitempty"`
	CustomDependencies map[string]string `json:"customDependencies,omitempty"` // must be empty: the reference does not use it yet, neither do we

	// Convoke's own.
	Files    map[string]string `json:"files,omitzero"` // nil is absent, {} clears
	Language *string           `json:"language,omitempty"`
	Contract *string           `json:"contract,omitempty"`
	Settings *Settings         `json:"settings,omitempty"` // replaces all settings

	// AllowedDomains narrows the domains that the account allows to these; an
	// empty list allows none, ["*"] all that the account does. Nil is absent.
	AllowedDomains []string `json:"allowedDomains,omitzero"`
}
