package api

// Manifest is one version of a function: code and settings (the reference's word).
type Manifest struct {
	ID                 string            `json:"id"`                           // of this version
	Version            int               `json:"version"`                      // its number, from 1
	Runtime            string            `json:"runtime" enum:"runtime"`       // such as "node26"
	Code               string            `json:"code"`                         // the source of its first module
	Environment        map[string]string `json:"environment"`                  // what the function sees in process.env
	CustomDependencies map[string]string `json:"customDependencies,omitempty"` // always empty
	CreatedAt          Time              `json:"createdAt,omitzero"`
	CreatedBy          string            `json:"createdBy"`
	UpdatedAt          Time              `json:"updatedAt,omitzero"` // a version never changes: as created
	UpdatedBy          string            `json:"updatedBy"`

	// Convoke's own.
	Language string            `json:"language" enum:"language"`           // what the source is written in
	Contract string            `json:"contract,omitempty" enum:"contract"` // "v1" or "v2"; absent: detected from the code
	Files    map[string]string `json:"files,omitempty"`                    // further modules by relative path
	Settings Settings          `json:"settings"`                           // how instances run

	// AllowedDomains narrows the domains that the account allows: absent does
	// not narrow, an empty list allows none.
	AllowedDomains []string `json:"allowedDomains,omitzero"`
}

// ManifestRef names a version.
type ManifestRef struct {
	ID      string `json:"id"`      // of the version
	Version int    `json:"version"` // its number
}

// Settings are how instances of a version run. Absent members take the
// server's default.
type Settings struct {
	TimeoutMs          int64 `json:"timeoutMs,omitempty"`          // how long an invocation may take, in milliseconds
	MemoryMiB          int   `json:"memoryMiB,omitempty"`          // of one instance
	Concurrency        int   `json:"concurrency,omitempty"`        // invocations that one instance runs at a time
	MinInstances       int   `json:"minInstances,omitempty"`       // kept warm
	MaxInstances       int   `json:"maxInstances,omitempty"`       // at a time
	IdleTimeoutSeconds int64 `json:"idleTimeoutSeconds,omitempty"` // an idle instance ends after it

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
	ID                 string            `json:"id,omitempty"`                     // the base version's id; sent by the reference's client, the number decides
	Code               *string           `json:"code,omitempty"`                   // the source of the first module
	Environment        map[string]string `json:"environment,omitzero"`             // what the function sees in process.env; {} clears
	Runtime            *string           `json:"runtime,omitempty" enum:"runtime"` // what it runs on
	CustomDependencies map[string]string `json:"customDependencies,omitempty"`     // must be empty: the reference does not use it yet, neither do we

	// Convoke's own.
	Files    map[string]string `json:"files,omitzero"`                     // further modules by relative path; {} clears
	Language *string           `json:"language,omitempty" enum:"language"` // what the source is written in
	Contract *string           `json:"contract,omitempty" enum:"contract"` // the generation that the code is written for; "" detects it from the code
	Settings *Settings         `json:"settings,omitempty"`                 // replaces all settings

	// AllowedDomains narrows the domains that the account allows to these; an
	// empty list allows none, ["*"] all that the account does. Nil is absent.
	AllowedDomains []string `json:"allowedDomains,omitzero"`
}
