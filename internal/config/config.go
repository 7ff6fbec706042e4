// Package config reads the server's settings and the profile of client
// commands. A setting is taken from the first of these that has it: the
// command line, a CONVOKE_ variable, the YAML file, the built-in default. Only
// internal/app, internal/cli and internal/project import it.
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
	SandboxAuto       Sandbox = "auto" // the strongest that the host allows, and never none
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
	Cgroup        string         `yaml:"cgroup" env:"CGROUP" help:"control group (cgroup v2) to put workers in, as a folder; found where systemd delegates one"`
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

	Domain         string        `yaml:"domain" env:"DOMAIN" help:"domain below which this server's host names are; clients find them by discovery"`
	HostsV1        string        `yaml:"hostsV1" env:"HOSTS_V1" help:"host names that discovery gives accounts of generation V1 instead of those below domain, such as faasGW=gw.example.com,faasUI=ui.example.com"`
	HostsV2        string        `yaml:"hostsV2" env:"HOSTS_V2" help:"the same for accounts of generation V2, such as faasGW=fninvocations.example.com"`
	TLS            TLS           `yaml:"tls" env:"TLS" help:"serve HTTPS too, with a certificate of the server's own authority (dev), from files (file) or of a public authority (acme); or off"`
	HTTPSListen    string        `yaml:"httpsListen" env:"HTTPS_LISTEN" help:"address to serve HTTPS on, unless tls is off"`
	HTTPListen     string        `yaml:"httpListen" env:"HTTP_LISTEN" help:"address to answer discovery and ACME challenges on over plain HTTP, and to redirect the rest to HTTPS, unless tls is off; off for none"`
	TLSCert        string        `yaml:"tlsCert" env:"TLS_CERT" help:"file of the certificate chain (PEM) for tls file; read again when it changes"`
	TLSKey         string        `yaml:"tlsKey" env:"TLS_KEY" help:"file of the private key (PEM) for tls file"`
	ACMEEmail      string        `yaml:"acmeEmail" env:"ACME_EMAIL" help:"address that the ACME authority may write to"`
	ACMEDirectory  string        `yaml:"acmeDirectory" env:"ACME_DIRECTORY" help:"URL of the ACME authority's directory; Let's Encrypt unless it says another"`
	TrustedProxies string        `yaml:"trustedProxies" env:"TRUSTED_PROXIES" help:"addresses or networks of reverse proxies whose forwarding headers are believed, such as 10.0.0.0/8,::1"`
	BodyTimeout    time.Duration `yaml:"bodyTimeout" env:"BODY_TIMEOUT" help:"how long a client may take to send the body of a request"`

	ShutdownGrace time.Duration `yaml:"shutdownGrace" env:"SHUTDOWN_GRACE" help:"how long a stop lets running invocations finish"`
	LogRetention  time.Duration `yaml:"logRetention" env:"LOG_RETENTION" help:"how long log entries and invocation records are kept"`

	ActivityRetention time.Duration `yaml:"activityRetention" env:"ACTIVITY_RETENTION" help:"how long it is kept who changed what"`
	ReportRetention   time.Duration `yaml:"reportRetention" env:"REPORT_RETENTION" help:"how long the daily counts of invocations are kept, at least as long as logRetention"`
	SessionIdle       time.Duration `yaml:"sessionIdle" env:"SESSION_IDLE" help:"a sign-in ends when it is not used for so long"`
	SessionLifetime   time.Duration `yaml:"sessionLifetime" env:"SESSION_LIFETIME" help:"a sign-in ends after so long"`

	OIDC  OIDC  `yaml:"oidc" envPrefix:"OIDC_"`
	OAuth OAuth `yaml:"oauth" envPrefix:"OAUTH_"`

	Limits convoke.Limits `yaml:"limits" envPrefix:"LIMIT_"`
	Egress Egress         `yaml:"egress" envPrefix:"EGRESS_"`

	sources map[string]string // setting -> where its value came from; absent is the default
}

// Log is how the server logs.
type Log struct {
	Level  slog.Level `yaml:"level" env:"LEVEL" help:"debug, info, warn or error"`
	Format string     `yaml:"format" env:"FORMAT" help:"text or json"`
}

// OAuth is how the authorization server issues tokens.
type OAuth struct {
	Issuer        string        `yaml:"issuer" env:"ISSUER" help:"URL that clients reach this server by, which names it in tokens, such as https://sentinel.example.com; the host name of sentinel with tls, the address it listens on otherwise"`
	TokenLifetime time.Duration `yaml:"tokenLifetime" env:"TOKEN_LIFETIME" help:"how long an access token is good; some clients fetch one with every call when it is less than an hour"`
	KeyRotation   time.Duration `yaml:"keyRotation" env:"KEY_ROTATION" help:"how long a key signs tokens before a new one takes its place"`
}

// Default is the configuration of a server that was told nothing. The values
// that depend on the machine are still zero; Load fills them.
func Default() *Config {
	return &Config{
		Listen:        "127.0.0.1:8080",
		Data:          "data",
		Sandbox:       SandboxAuto,
		MetricsPublic: true, // no figure names an account or a function
		Log:           Log{Level: slog.LevelInfo, Format: "text"},
		Blanks:        4,
		MaxWaiters:    1000,
		MaxWait:       10 * time.Second,
		Domain:        "localhost",
		TLS:           TLSOff,
		HTTPSListen:   "0.0.0.0:443",
		HTTPListen:    "0.0.0.0:80",
		BodyTimeout:   30 * time.Second,
		ShutdownGrace: 30 * time.Second,
		LogRetention:  30 * 24 * time.Hour,

		ActivityRetention: 90 * 24 * time.Hour,
		ReportRetention:   400 * 24 * time.Hour,
		SessionIdle:       8 * time.Hour,
		SessionLifetime:   24 * time.Hour,
		OIDC:              OIDC{Account: convoke.DefaultAccountID, RoleClaim: "roles"},
		OAuth:             OAuth{TokenLifetime: time.Hour, KeyRotation: 30 * 24 * time.Hour},

		Limits: convoke.DefaultLimits(),
		Egress: defaultEgress(),
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
