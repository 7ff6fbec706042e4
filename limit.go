package convoke

import "time"

// Limits are the bounds of an account's things and of single invocations.
// The defaults are those of the reference (spec/platform.md 3) where users
// rely on them and wider where they suffer from them; all are settings.
type Limits struct {
	FunctionsPerAccount    int `yaml:"functionsPerAccount" env:"FUNCTIONS_PER_ACCOUNT"`
	ConcurrentDeployments  int `yaml:"concurrentDeployments" env:"CONCURRENT_DEPLOYMENTS"` // per account
	NameLength             int `yaml:"nameLength" env:"NAME_LENGTH"`
	DescriptionLength      int `yaml:"descriptionLength" env:"DESCRIPTION_LENGTH"`
	SkillsPerFunction      int `yaml:"skillsPerFunction" env:"SKILLS_PER_FUNCTION"`
	SourceLength           int `yaml:"sourceLength" env:"SOURCE_LENGTH"` // characters, all files together
	FilesPerFunction       int `yaml:"filesPerFunction" env:"FILES_PER_FUNCTION"`
	VersionsPerFunction    int `yaml:"versionsPerFunction" env:"VERSIONS_PER_FUNCTION"`
	DeploymentsPerFunction int `yaml:"deploymentsPerFunction" env:"DEPLOYMENTS_PER_FUNCTION"`
	VariablesPerFunction   int `yaml:"variablesPerFunction" env:"VARIABLES_PER_FUNCTION"`
	VariableNameLength     int `yaml:"variableNameLength" env:"VARIABLE_NAME_LENGTH"`
	VariableValueLength    int `yaml:"variableValueLength" env:"VARIABLE_VALUE_LENGTH"`
	DomainsPerAccount      int `yaml:"domainsPerAccount" env:"DOMAINS_PER_ACCOUNT"`
	SecretsPerAccount      int `yaml:"secretsPerAccount" env:"SECRETS_PER_ACCOUNT"`
	SchedulesPerAccount    int `yaml:"schedulesPerAccount" env:"SCHEDULES_PER_ACCOUNT"`

	// Of invocations; 0 is no limit. A rate lets one second's worth through at
	// once. A month is one of the calendar, in UTC.
	InvocationsPerSecond            int `yaml:"invocationsPerSecond" env:"INVOCATIONS_PER_SECOND" zero:"unlimited"` // per account
	InvocationsPerSecondPerFunction int `yaml:"invocationsPerSecondPerFunction" env:"INVOCATIONS_PER_SECOND_PER_FUNCTION" zero:"unlimited"`
	InvocationsPerSecondPerClient   int `yaml:"invocationsPerSecondPerClient" env:"INVOCATIONS_PER_SECOND_PER_CLIENT" zero:"unlimited"` // who calls: an OAuth client, a token, a user
	InvocationsPerMonth             int `yaml:"invocationsPerMonth" env:"INVOCATIONS_PER_MONTH" zero:"unlimited"`                       // per account

	PayloadBytes  int `yaml:"payloadBytes" env:"PAYLOAD_BYTES"`   // of an invocation's body
	ResultBytes   int `yaml:"resultBytes" env:"RESULT_BYTES"`     // of a result as JSON
	LogEntries    int `yaml:"logEntries" env:"LOG_ENTRIES"`       // per invocation
	LogCharacters int `yaml:"logCharacters" env:"LOG_CHARACTERS"` // per invocation, messages and extras

	DefaultTimeout time.Duration `yaml:"defaultTimeout" env:"DEFAULT_TIMEOUT"`
	MaxTimeout     time.Duration `yaml:"maxTimeout" env:"MAX_TIMEOUT"`
	DefaultMemory  int           `yaml:"defaultMemoryMiB" env:"DEFAULT_MEMORY_MIB"`
	MaxMemoryMiB   int           `yaml:"maxMemoryMiB" env:"MAX_MEMORY_MIB"`
	ConcurrencyV1  int           `yaml:"concurrencyV1" env:"CONCURRENCY_V1"` // default of the V1 contract
	ConcurrencyV2  int           `yaml:"concurrencyV2" env:"CONCURRENCY_V2"` // default of the V2 contract
	MaxConcurrency int           `yaml:"maxConcurrency" env:"MAX_CONCURRENCY"`
	MaxInstances   int           `yaml:"maxInstances" env:"MAX_INSTANCES"` // per function, default and maximum
	IdleTimeout    time.Duration `yaml:"idleTimeout" env:"IDLE_TIMEOUT"`
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
