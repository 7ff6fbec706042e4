package convoke

import "time"

// Limits are the bounds of an account's things and of single invocations.
// The defaults are those of the reference (spec/platform.md 3) where users
// rely on them and wider where they suffer from them; all are settings. The
// tags about and unit are for who asks what limits there are.
type Limits struct {
	FunctionsPerAccount    int `yaml:"functionsPerAccount" env:"FUNCTIONS_PER_ACCOUNT" about:"functions of the account"`
	ConcurrentDeployments  int `yaml:"concurrentDeployments" env:"CONCURRENT_DEPLOYMENTS" about:"deployments of the account under way at a time"` // per account
	NameLength             int `yaml:"nameLength" env:"NAME_LENGTH" about:"of a function's name" unit:"characters"`
	DescriptionLength      int `yaml:"descriptionLength" env:"DESCRIPTION_LENGTH" about:"of a function's description" unit:"characters"`
	SkillsPerFunction      int `yaml:"skillsPerFunction" env:"SKILLS_PER_FUNCTION" about:"skills that a function is kept to"`
	SourceLength           int `yaml:"sourceLength" env:"SOURCE_LENGTH" about:"of a function's source, all files together" unit:"characters"` // characters, all files together
	FilesPerFunction       int `yaml:"filesPerFunction" env:"FILES_PER_FUNCTION" about:"modules of a function beside the first"`
	VersionsPerFunction    int `yaml:"versionsPerFunction" env:"VERSIONS_PER_FUNCTION" about:"versions kept of a function"`
	DeploymentsPerFunction int `yaml:"deploymentsPerFunction" env:"DEPLOYMENTS_PER_FUNCTION" about:"deployments kept of a function"`
	VariablesPerFunction   int `yaml:"variablesPerFunction" env:"VARIABLES_PER_FUNCTION" about:"environment variables of a function"`
	VariableNameLength     int `yaml:"variableNameLength" env:"VARIABLE_NAME_LENGTH" about:"of an environment variable's name" unit:"characters"`
	VariableValueLength    int `yaml:"variableValueLength" env:"VARIABLE_VALUE_LENGTH" about:"of an environment variable's value" unit:"characters"`
	DomainsPerAccount      int `yaml:"domainsPerAccount" env:"DOMAINS_PER_ACCOUNT" about:"allowed domains of the account"`
	SecretsPerAccount      int `yaml:"secretsPerAccount" env:"SECRETS_PER_ACCOUNT" about:"secrets of the account"`
	UsersPerAccount        int `yaml:"usersPerAccount" env:"USERS_PER_ACCOUNT" about:"users of the account"`
	ClientsPerAccount      int `yaml:"clientsPerAccount" env:"CLIENTS_PER_ACCOUNT" about:"OAuth clients of the account"`
	SchedulesPerAccount    int `yaml:"schedulesPerAccount" env:"SCHEDULES_PER_ACCOUNT" about:"schedules of the account"`

	// Of invocations; 0 is no limit. A rate lets one second's worth through at
	// once. A month is one of the calendar, in UTC.
	InvocationsPerSecond            int `yaml:"invocationsPerSecond" env:"INVOCATIONS_PER_SECOND" zero:"unlimited" about:"invocations that callers may begin in the account in a second"` // per account
	InvocationsPerSecondPerFunction int `yaml:"invocationsPerSecondPerFunction" env:"INVOCATIONS_PER_SECOND_PER_FUNCTION" zero:"unlimited" about:"invocations that callers may begin of one function in a second; used: of the busiest"`
	InvocationsPerSecondPerClient   int `yaml:"invocationsPerSecondPerClient" env:"INVOCATIONS_PER_SECOND_PER_CLIENT" zero:"unlimited" about:"invocations that one caller may begin in a second; used: by the busiest"` // who calls: an OAuth client, a token, a user
	InvocationsPerMonth             int `yaml:"invocationsPerMonth" env:"INVOCATIONS_PER_MONTH" zero:"unlimited" about:"invocations of the account in this month"`                                                      // per account

	PayloadBytes  int `yaml:"payloadBytes" env:"PAYLOAD_BYTES" about:"of an invocation's body" unit:"bytes"`         // of an invocation's body
	ResultBytes   int `yaml:"resultBytes" env:"RESULT_BYTES" about:"of a result as JSON" unit:"bytes"`               // of a result as JSON
	LogEntries    int `yaml:"logEntries" env:"LOG_ENTRIES" about:"log entries of one invocation"`                    // per invocation
	LogCharacters int `yaml:"logCharacters" env:"LOG_CHARACTERS" about:"that one invocation logs" unit:"characters"` // per invocation, messages and extras

	DefaultTimeout time.Duration `yaml:"defaultTimeout" env:"DEFAULT_TIMEOUT" about:"that an invocation may take, unless its function says otherwise"`
	MaxTimeout     time.Duration `yaml:"maxTimeout" env:"MAX_TIMEOUT" about:"that a function can ask for as its time-out"`
	DefaultMemory  int           `yaml:"defaultMemoryMiB" env:"DEFAULT_MEMORY_MIB" about:"of an instance, unless its function says otherwise" unit:"MiB"`
	MaxMemoryMiB   int           `yaml:"maxMemoryMiB" env:"MAX_MEMORY_MIB" about:"that a function can ask for" unit:"MiB"`
	ConcurrencyV1  int           `yaml:"concurrencyV1" env:"CONCURRENCY_V1" about:"invocations that an instance runs at a time, of a function of the contract v1 that does not say otherwise"` // default of the V1 contract
	ConcurrencyV2  int           `yaml:"concurrencyV2" env:"CONCURRENCY_V2" about:"invocations that an instance runs at a time, of a function of the contract v2 that does not say otherwise"` // default of the V2 contract
	MaxConcurrency int           `yaml:"maxConcurrency" env:"MAX_CONCURRENCY" about:"invocations at a time that a function can ask for"`
	MaxInstances   int           `yaml:"maxInstances" env:"MAX_INSTANCES" about:"instances of one function at a time"` // per function, default and maximum
	IdleTimeout    time.Duration `yaml:"idleTimeout" env:"IDLE_TIMEOUT" about:"after which an idle instance ends, unless its function says otherwise"`
}

// DefaultLimits are the limits of a new installation.
func DefaultLimits() Limits {
	return Limits{
		FunctionsPerAccount:    20000,
		ConcurrentDeployments:  3,
		NameLength:             50,
		DescriptionLength:      200,
		SkillsPerFunction:      500,
		SourceLength:           100_000,
		FilesPerFunction:       50,
		VersionsPerFunction:    10,
		DeploymentsPerFunction: 50,
		VariablesPerFunction:   512,
		VariableNameLength:     200,
		VariableValueLength:    1024,
		DomainsPerAccount:      1000,
		SecretsPerAccount:      200,
		SchedulesPerAccount:    50,
		UsersPerAccount:        1000,
		ClientsPerAccount:      1000,

		PayloadBytes:  1 << 20,
		ResultBytes:   1 << 20,
		LogEntries:    500,
		LogCharacters: 128 << 10,

		DefaultTimeout: 30 * time.Second,
		MaxTimeout:     5 * time.Minute,
		DefaultMemory:  256,
		MaxMemoryMiB:   1024,
		ConcurrencyV1:  16,
		ConcurrencyV2:  1,
		MaxConcurrency: 256,
		MaxInstances:   50,
		IdleTimeout:    5 * time.Minute,
	}
}

// Tighter is the smaller one of two limits of which 0 is none: a limit that
// somebody set for himself within one that was set for him.
func Tighter(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// Resolve fills the zero members of s with the defaults for contract c.
func (l Limits) Resolve(s Settings, c Contract) Settings {
	if s.Timeout == 0 {
		s.Timeout = l.DefaultTimeout
	}
	if s.MemoryMiB == 0 {
		s.MemoryMiB = l.DefaultMemory
	}
	if s.Concurrency == 0 {
		s.Concurrency = l.ConcurrencyV2
		if c == ContractV1 {
			s.Concurrency = l.ConcurrencyV1
		}
	}
	if s.MaxInstances == 0 {
		s.MaxInstances = max(l.MaxInstances, s.MinInstances)
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = l.IdleTimeout
	}
	return s
}

// FixedLimit is a limit that no setting changes.
type FixedLimit struct {
	Name, About string
	Unit        string // "" for a count
	Limit       int
}

// FixedLimits are the limits of an account's things that no setting changes.
var FixedLimits = []FixedLimit{
	{"accountNameLength", "of the account's name", "characters", maxAccountName},
	{"loginNameLength", "of a user's login name", "characters", maxLoginName},
	{"clientNameLength", "of an OAuth client's name", "characters", maxClientName},
	{"redirectUrisPerClient", "redirect URIs of an OAuth client", "", maxRedirectURIs},
	{"redirectUriBytes", "of a redirect URI", "bytes", maxRedirectURI},
	{"allowedDomainsPerFunction", "domains that a function narrows its calls to", "", maxVersionDomains},
	{"secretNameLength", "of a secret's name", "characters", maxSecretName},
	{"secretValueLength", "of a secret's value", "characters", MaxSecretValue},
	{"scheduleDescriptionLength", "of a schedule's description", "characters", maxScheduleDescription},
	{"schedulePayloadLength", "of the payload that a schedule sends", "characters", maxSchedulePayload},
	{"scheduleHeaders", "headers that a schedule sends", "", maxScheduleHeaders},
}
