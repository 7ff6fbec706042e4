package config

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "convoke.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	file := write(t, "listen: 1.1.1.1:1\nmaxWait: 3s\nmaxWaiters: 7\nmetricsPublic: true\nlog:\n  level: warn\nlimits:\n  maxTimeout: 10m\n")
	c, err := Load(LoadOptions{
		File:  file,
		Env:   map[string]string{"CONVOKE_LISTEN": "2.2.2.2:2", "CONVOKE_MAX_WAIT": "4s", "CONVOKE_LIMIT_LOG_ENTRIES": "9", "CONVOKE_DATA": ""},
		Flags: map[string]string{"listen": "3.3.3.3:3", "log.format": "json"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][2]any{
		"listen":            {"3.3.3.3:3", "--listen"},
		"maxWait":           {"4s", "CONVOKE_MAX_WAIT"},
		"maxWaiters":        {7, file + ":3"},
		"metricsPublic":     {true, file + ":4"},
		"log.level":         {"warn", file + ":6"},
		"log.format":        {"json", "--log-format"},
		"limits.maxTimeout": {"10m", file + ":8"},
		"limits.logEntries": {9, "CONVOKE_LIMIT_LOG_ENTRIES"},
		"blanks":            {4, "default"},
		"memoryMiB":         {c.MemoryMiB, "half of the machine's memory"},
	} {
		if got := [2]any{c.Values()[path], c.Source(path)}; got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
	if c.MemoryMiB < 64 || c.MaxInstances < 8 || c.MaxInstancesPerAccount < 1 || !filepath.IsAbs(c.Data) {
		t.Errorf("not filled from the host: %+v", c)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		file  string
		env   map[string]string
		flags map[string]string
		want  []string
	}{
		"unknown key":      {file: "lisTen: x\nfoo: 1\n", want: []string{":1: there is no setting lisTen; did you mean listen?", ":2: there is no setting foo"}},
		"unknown in group": {file: "log:\n  depth: 3\n", want: []string{":2: there is no setting log.depth"}},
		"wrong group":      {file: "logEntries: 3\n", want: []string{"did you mean limits.logEntries?"}},
		"wrong type":       {file: "maxWait: soon\nblanks: [1]\n", want: []string{":1: maxWait must be a duration", ":2: blanks takes one value"}},
		"file duration":    {file: "maxWait: soon\n", want: []string{`:1: maxWait must be a duration such as 30s or 5m, not "soon"`}},
		"group as value":   {file: "log: warn\n", want: []string{":1: a mapping from names to values was expected"}},
		"no mapping":       {file: "- listen\n", want: []string{":1: a mapping"}},
		"no YAML":          {file: "a: [", want: []string{"is no valid YAML"}},
		"environment":      {env: map[string]string{"CONVOKE_BLANKS": "two", "CONVOKE_METRICS_PUBLIC": "maybe"}, want: []string{`CONVOKE_BLANKS: blanks must be a whole number, not "two"`, `CONVOKE_METRICS_PUBLIC: metricsPublic must be true or false, not "maybe"`}},
		"flag":             {flags: map[string]string{"log.level": "loud"}, want: []string{`--log-level: log.level must be debug, info, warn or error, not "loud"`}},
		"address":          {env: map[string]string{"CONVOKE_LISTEN": "8080"}, want: []string{`CONVOKE_LISTEN: listen must be an address such as 127.0.0.1:8080, not "8080"`}},
		"port":             {flags: map[string]string{"listen": ":70000"}, want: []string{"--listen: listen must be an address"}},
		"sandbox word":     {env: map[string]string{"CONVOKE_SANDBOX": "strong"}, want: []string{"must be auto, namespaces, landlock or none"}},
		"zero limit":       {env: map[string]string{"CONVOKE_LIMIT_NAME_LENGTH": "0"}, want: []string{"CONVOKE_LIMIT_NAME_LENGTH: limits.nameLength must be more than zero"}},
		"crossed limits":   {env: map[string]string{"CONVOKE_LIMIT_MAX_TIMEOUT": "5s"}, want: []string{"limits.defaultTimeout is 30s, more than limits.maxTimeout 5s"}},
		"nobody waits":     {flags: map[string]string{"maxWaiters": "0", "maxWait": "0s", "shutdownGrace": "0s"}, want: []string{"--max-waiters: maxWaiters must be at least 1", "--max-wait: maxWait must be from 1ms", "--shutdown-grace: shutdownGrace must be from 1ms"}},
		"oauth":            {flags: map[string]string{"oauth.issuer": "https://x/path", "oauth.tokenLifetime": "5m", "oauth.keyRotation": "1h"}, want: []string{`--oauth-issuer: oauth.issuer must be a URL without a path`, "--oauth-token-lifetime: oauth.tokenLifetime must be from 1h", "--oauth-key-rotation: oauth.keyRotation must be from 24h"}},
		"per account":      {flags: map[string]string{"maxInstances": "4", "maxInstancesPerAccount": "5"}, want: []string{"--max-instances-per-account: maxInstancesPerAccount is 5, more than maxInstances 4 (--max-instances)"}},
		"unread and bad":   {env: map[string]string{"CONVOKE_MAX_WAIT": "soon", "CONVOKE_LISTEN": "8080"}, want: []string{"2 settings are wrong:", `CONVOKE_MAX_WAIT: maxWait must be a duration such as 30s or 5m, not "soon"`, `CONVOKE_LISTEN: listen must be an address`}},
		"file and flag":    {file: "a: [", flags: map[string]string{"blanks": "x"}, want: []string{"is no valid YAML", "--blanks: blanks must be a whole number"}},
		"typing error":     {file: "lisen: :1\n", want: []string{":1: there is no setting lisen; did you mean listen?"}},
		"all at once":      {env: map[string]string{"CONVOKE_MAX_WAIT": "-1s", "CONVOKE_SHUTDOWN_GRACE": "2h", "CONVOKE_LOG_FORMAT": "xml"}, want: []string{"maxWait", "shutdownGrace", "log.format"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := LoadOptions{Env: tt.env, Flags: tt.flags}
			if tt.file != "" {
				o.File = write(t, tt.file)
			}
			c, err := Load(o)
			if code := convoke.ErrorCode(err); code != convoke.CodeValidation || c != nil {
				t.Fatalf("got %v, %v, want CodeValidation", c, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to contain %q", err, want)
				}
			}
		})
	}
	if _, err := Load(LoadOptions{File: filepath.Join(t.TempDir(), "none.yaml")}); convoke.ErrorCode(err) != convoke.CodeValidation {
		t.Errorf("missing file: got %v, want CodeValidation", err)
	}
}

// TestUnreadableSettingIsNotCompared: its default says nothing about the others.
func TestUnreadableSettingIsNotCompared(t *testing.T) {
	t.Parallel()
	for _, env := range []map[string]string{
		{"CONVOKE_LIMIT_DEFAULT_TIMEOUT": "soon", "CONVOKE_LIMIT_MAX_TIMEOUT": "1s"},
		{"CONVOKE_LIMIT_DEFAULT_MEMORY_MIB": "much", "CONVOKE_LIMIT_MAX_MEMORY_MIB": "64"},
		{"CONVOKE_LIMIT_CONCURRENCY_V1": "x", "CONVOKE_LIMIT_MAX_CONCURRENCY": "1"},
		{"CONVOKE_MAX_INSTANCES": "many", "CONVOKE_MAX_INSTANCES_PER_ACCOUNT": "1000000"},
	} {
		_, err := Load(LoadOptions{Env: env})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: got %v, want the one problem", env, err)
		}
	}
}

func TestWriteProfile(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	usual := filepath.Join(home, "convoke", "profile.yaml")
	for name, tt := range map[string]struct {
		file  string
		env   map[string]string
		flags map[string]string
		want  string
	}{
		"not said":      {},
		"to be read":    {env: map[string]string{"CONVOKE_PROFILE": "/mine"}},
		"empty in file": {file: "writeProfile: \"\"\n"},
		"default":       {env: map[string]string{"CONVOKE_WRITE_PROFILE": "default"}, want: usual},
		"in file":       {file: "writeProfile: default\n", want: usual},
		"empty flag":    {env: map[string]string{"CONVOKE_WRITE_PROFILE": "/there"}, flags: map[string]string{"writeProfile": ""}, want: usual},
		"path":          {flags: map[string]string{"writeProfile": "/there"}, want: "/there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"XDG_CONFIG_HOME": home}
			maps.Copy(env, tt.env)
			o := LoadOptions{Env: env, Flags: tt.flags}
			if tt.file != "" {
				o.File = write(t, tt.file)
			}
			c, err := Load(o)
			if err != nil {
				t.Fatal(err)
			}
			if c.WriteProfile != tt.want {
				t.Errorf("got %q, want %q", c.WriteProfile, tt.want)
			}
		})
	}
}

func TestEgressInternal(t *testing.T) {
	t.Parallel()
	const good = "crm.corp.example,*.corp.example,10.1.0.0/16 10.0.0.7,fd00::/8,::1"
	if _, err := Load(LoadOptions{Env: map[string]string{"CONVOKE_EGRESS_INTERNAL": good}}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"999.1.1.1/8", "10.0.0.0/33", "crm.corp.example:443", "https://crm", "fe80::1%eth0"} {
		_, err := Load(LoadOptions{Flags: map[string]string{"egress.internal": "10.0.0.1," + bad}})
		if err == nil || !strings.Contains(err.Error(), bad) || strings.Contains(err.Error(), `"10.0.0.1"`) {
			t.Errorf("%s: got %v, want an error that names it alone", bad, err)
		}
	}
}

func TestEmptyFileIsFine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "# nothing\n", "log:\nlimits:\n", "listen:\n"} {
		if _, err := Load(LoadOptions{File: write(t, text)}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	c, err := Load(LoadOptions{
		Env:   map[string]string{"CONVOKE_ADMIN_PASSWORD": "hunter2hunter2"},
		Flags: map[string]string{"adminPassword": "on-the-command-line"}, // has no flag: ignored
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.AdminPassword.Reveal(); got != "hunter2hunter2" {
		t.Errorf("got %q", got)
	}
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") || !strings.Contains(b.String(), "[redacted]") {
		t.Errorf("printed:\n%s", b.String())
	}
	if got := c.Values()["adminPassword"]; got != "[redacted]" {
		t.Errorf("Values: got %v", got)
	}
}

// TestPrintLoadsAgain feeds the printed configuration back in.
func TestPrintLoadsAgain(t *testing.T) {
	t.Parallel()
	c, err := Load(LoadOptions{Env: map[string]string{"CONVOKE_MAX_WAIT": "90s", "CONVOKE_LOG_LEVEL": "debug", "CONVOKE_LISTEN": ":0", "CONVOKE_LIMIT_IDLE_TIMEOUT": "1h"}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"maxWait: 1m30s", "# CONVOKE_MAX_WAIT\n", "  level: debug", "logRetention: 720h ", "# default\n", "  idleTimeout: 1h "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
	again, err := Load(LoadOptions{File: write(t, b.String())})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, again, cmpopts.IgnoreUnexported(Config{}), cmp.AllowUnexported(convoke.Secret{})); diff != "" {
		t.Errorf("(-printed +loaded):\n%s", diff)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	flags := map[string]bool{}
	for _, s := range Settings() {
		if s.Env == envPrefix || s.Path == "" {
			t.Errorf("%+v lacks a name", s)
		}
		if s.Flag == "" {
			continue
		}
		if flags[s.Flag] || s.Flag != strings.ToLower(s.Flag) || s.Help == "" {
			t.Errorf("%+v: flag twice, not lower case, or without help", s)
		}
		flags[s.Flag] = true
	}
	for _, want := range []string{"listen", "log-level", "max-instances-per-account", "memory-mib", "metrics-public"} {
		if !flags[want] {
			t.Errorf("there is no flag %s", want)
		}
	}
	if flags["admin-password"] {
		t.Error("a password must not be a flag: others see it in the process list")
	}
}

func TestMemoryOf(t *testing.T) {
	t.Parallel()
	meminfo := "MemTotal:        8388608 kB\nMemFree: 1 kB\n"
	for _, tt := range []struct {
		meminfo, limit string
		want           int
	}{
		{meminfo, "", 8192},
		{meminfo, "max\n", 8192},
		{meminfo, "1073741824\n", 1024},
		{meminfo, "99999999999999\n", 8192},
		{meminfo, "1\n", 128},
		{"", "", fallbackMemoryMiB},
		{"MemTotal: lots kB", "", fallbackMemoryMiB},
	} {
		if got := memoryOf([]byte(tt.meminfo), []byte(tt.limit)); got != tt.want {
			t.Errorf("memoryOf(%q, %q) = %d, want %d", tt.meminfo, tt.limit, got, tt.want)
		}
	}
}

func TestFindRuntimes(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	want := filepath.Join(root, "runtime", "node")
	if err := os.MkdirAll(filepath.Join(want, "node_modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, exe := range []string{filepath.Join(root, "convoke"), filepath.Join(root, "bin", "convoke")} {
		if got := findRuntimes(exe); got != want {
			t.Errorf("findRuntimes(%s) = %q, want %q", exe, got, want)
		}
	}
	if got := findRuntimes(filepath.Join(t.TempDir(), "convoke")); got != "" {
		t.Errorf("got %q, want none", got)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0s", time.Second: "1s", time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", 20 * time.Hour: "20h"} {
		if got := duration(d); got != want {
			t.Errorf("duration(%v) = %s, want %s", d, got, want)
		}
	}
}
