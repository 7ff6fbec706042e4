// Package config reads the server's settings and the profile of client
// commands. A setting is taken from the first of these that has it: the
// command line, a CONVOKE_ variable, the YAML file, the built-in default. Only
// internal/app and internal/cli import it.
package config

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"convoke"
)

// Sandbox is how a worker process is isolated.
type Sandbox string

const (
	SandboxAuto       Sandbox = "auto" // the strongest that the host allows
	SandboxNamespaces Sandbox = "namespaces"
	SandboxLandlock   Sandbox = "landlock"
	SandboxNone       Sandbox = "none"
)

// Config is every setting of the server. The yaml tag is a setting's name in
// the file, the env tag its variable's name behind CONVOKE_, and help says
// what it is; flag:"no" keeps it off the command line.
type Config struct {
	Listen        string         `yaml:"listen" env:"LISTEN" help:"address to serve HTTP on"`
	Data          string         `yaml:"data" env:"DATA" help:"folder of the database and everything else that is kept"`
	Runtimes      string         `yaml:"runtimes" env:"RUNTIMES" help:"folder of the pinned Node.js builds; searched for beside the binary and in runtime/node"`
	Sandbox       Sandbox        `yaml:"sandbox" env:"SANDBOX" help:"how functions are isolated: auto, namespaces, landlock or none"`
	AdminPassword convoke.Secret `yaml:"adminPassword" env:"ADMIN_PASSWORD" flag:"no" help:"password of the user admin, who is created at the first start; one is made up and shown otherwise"`
	WriteProfile  string         `yaml:"writeProfile" env:"WRITE_PROFILE" help:"file to write a profile for client commands to at start; the word default stands for the one they look for"`

	Log           Log  `yaml:"log" envPrefix:"LOG_"`
	MetricsPublic bool `yaml:"metricsPublic" env:"METRICS_PUBLIC" help:"serve /metrics without a token"`

	Blanks                 int           `yaml:"blanks" env:"BLANKS" help:"pre-started processes kept ready for cold starts"`
	MaxInstances           int           `yaml:"maxInstances" env:"MAX_INSTANCES" help:"function instances on this machine; 0 takes it from processors and memory"`
	MaxInstancesPerAccount int           `yaml:"maxInstancesPerAccount" env:"MAX_INSTANCES_PER_ACCOUNT" help:"of them, for one account; 0 is three quarters"`
	MemoryMiB              int           `yaml:"memoryMiB" env:"MEMORY_MIB" help:"memory for all instances together; 0 is half of the machine's"`
	MaxWaiters             int           `yaml:"maxWaiters" env:"MAX_WAITERS" help:"invocations that may wait for an instance of one function; more are refused with 429"`
	MaxWait                time.Duration `yaml:"maxWait" env:"MAX_WAIT" help:"how long an invocation waits for an instance"`

	ShutdownGrace time.Duration `yaml:"shutdownGrace" env:"SHUTDOWN_GRACE" help:"how long a stop lets running invocations finish"`
	LogRetention  time.Duration `yaml:"logRetention" env:"LOG_RETENTION" help:"how long log entries and invocation records are kept"`

	OAuth OAuth `yaml:"oauth" envPrefix:"OAUTH_"`

	Limits convoke.Limits `yaml:"limits" envPrefix:"LIMIT_"`

	sources map[string]string // setting -> where its value came from; absent is the default
}

// Log is how the server logs.
type Log struct {
	Level  slog.Level `yaml:"level" env:"LEVEL" help:"debug, info, warn or error"`
	Format string     `yaml:"format" env:"FORMAT" help:"text or json"`
}

// OAuth is how the authorization server issues tokens.
type OAuth struct {
	Issuer        string        `yaml:"issuer" env:"ISSUER" help:"URL that clients reach this server by, which names it in tokens, such as https://sentinel.example.com; the address it listens on otherwise"`
	TokenLifetime time.Duration `yaml:"tokenLifetime" env:"TOKEN_LIFETIME" help:"how long an access token is good; some clients fetch one with every call when it is less than an hour"`
	KeyRotation   time.Duration `yaml:"keyRotation" env:"KEY_ROTATION" help:"how long a key signs tokens before a new one takes its place"`
}

// Default is the configuration of a server that was told nothing. The values
// that depend on the machine are still zero; Load fills them.
func Default() *Config {
	return &Config{
		Listen:        "127.0.0.1:8080",
		Data:          "data",
		Sandbox:       SandboxNone, // until functions can reach allowed domains from inside one
		MetricsPublic: true,        // no figure names an account or a function
		Log:           Log{Level: slog.LevelInfo, Format: "text"},
		Blanks:        4,
		MaxWaiters:    1000,
		MaxWait:       10 * time.Second,
		ShutdownGrace: 30 * time.Second,
		LogRetention:  30 * 24 * time.Hour,
		OAuth:         OAuth{TokenLifetime: time.Hour, KeyRotation: 30 * 24 * time.Hour},
		Limits:        convoke.DefaultLimits(),
	}
}

// LoadOptions says where settings come from.
type LoadOptions struct {
	File       string            // path of the YAML file; "" for none
	Env        map[string]string // the process environment
	Flags      map[string]string // by setting path, such as "log.level"; only those given
	Executable string            // path of the running binary, to find the Node builds beside it; may be ""
}

// defaultProfile as the value of writeProfile means the file that client
// commands read when nobody names another.
const defaultProfile = "default"

// Load reads and validates the configuration. All problems are reported
// together, each with the place that it came from, as CodeValidation.
func Load(o LoadOptions) (*Config, error) {
	c := Default()
	c.sources = map[string]string{}
	values, problems := gather(o)
	unread, unreadable := c.apply(values)
	problems = append(problems, unread...)
	c.fillFromHost(o.Executable)
	problems = append(problems, c.problems(unreadable)...)
	if err := c.placeProfile(o); err != nil {
		problems = append(problems, err.Error())
	}
	if err := joined(problems); err != nil {
		return nil, err
	}
	return c, nil
}

// placeProfile puts the file in the place of "default" and of an empty flag.
func (c *Config) placeProfile(o LoadOptions) (err error) {
	const path = "writeProfile"
	flag, given := o.Flags[path]
	if empty := given && flag == ""; !empty && c.WriteProfile != defaultProfile {
		return nil
	}
	if c.WriteProfile, err = ProfilePath(o.Env); err != nil {
		return fmt.Errorf("%s: %s: %w", c.Source(path), path, err)
	}
	return nil
}

// fillFromHost sets what depends on the machine and was not set.
func (c *Config) fillFromHost(executable string) {
	cpus, memory := hostSize()
	fill := func(path string, field *int, value int, why string) {
		if *field == 0 {
			*field = value
			c.sources[path] = why
		}
	}
	fill("memoryMiB", &c.MemoryMiB, memory/2, "half of the machine's memory")
	// A warm instance of a small function takes about 32 MiB; more than a few
	// dozen per processor only wait for each other.
	fill("maxInstances", &c.MaxInstances, min(max(c.MemoryMiB/32, 8), 64*cpus), "from processors and memory")
	fill("maxInstancesPerAccount", &c.MaxInstancesPerAccount, max(c.MaxInstances*3/4, 1), "three quarters of maxInstances")
	if c.Runtimes == "" {
		if c.Runtimes = findRuntimes(executable); c.Runtimes != "" {
			c.sources["runtimes"] = "found"
		}
	}
	if abs, err := filepath.Abs(c.Data); err == nil {
		c.Data = abs // what is printed and logged then says where the data really is
	}
}

// Source says where the value of the setting at path came from.
func (c *Config) Source(path string) string {
	if s, ok := c.sources[path]; ok {
		return s
	}
	return "default"
}
