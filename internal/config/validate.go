package config

import (
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// problems says what is wrong with the values. The unreadable settings still
// have their defaults: nothing can be said about how others go with them.
func (c *Config) problems(unreadable []string) (problems []string) {
	known := func(paths ...string) bool {
		return !slices.ContainsFunc(paths, func(p string) bool { return slices.Contains(unreadable, p) })
	}
	say := func(path, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%s: %s ", c.Source(path), path)+fmt.Sprintf(format, args...))
	}

	if !isAddress(c.Listen) {
		say("listen", "must be an address such as 127.0.0.1:8080, not %q", c.Listen)
	}
	c.edgeProblems(say)
	if c.Data == "" {
		say("data", "must name a folder")
	}
	switch c.Sandbox {
	case SandboxAuto, SandboxNamespaces, SandboxLandlock, SandboxNone:
	default:
		say("sandbox", "must be auto, namespaces, landlock or none, not %q", c.Sandbox)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		say("log.format", "must be text or json, not %q", c.Log.Format)
	}

	atLeast := func(path string, got, low int) {
		if got < low {
			say(path, "must be at least %d, not %d", low, got)
		}
	}
	atLeast("blanks", c.Blanks, 0)
	atLeast("maxInstances", c.MaxInstances, 1)
	atLeast("maxInstancesPerAccount", c.MaxInstancesPerAccount, 1)
	atLeast("memoryMiB", c.MemoryMiB, 64)
	atLeast("maxWaiters", c.MaxWaiters, 1) // who starts an instance waits for it, too
	if known("maxInstances", "memoryMiB") && c.MaxInstancesPerAccount > c.MaxInstances {
		say("maxInstancesPerAccount", "is %d, more than maxInstances %d (%s)", c.MaxInstancesPerAccount, c.MaxInstances, c.Source("maxInstances"))
	}

	within := func(path string, got, low, high time.Duration) {
		if got < low || got > high {
			say(path, "must be from %s to %s, not %s", low, high, got)
		}
	}
	within("bodyTimeout", c.BodyTimeout, time.Millisecond, 10*time.Minute)
	within("maxWait", c.MaxWait, time.Millisecond, 10*time.Minute)
	within("shutdownGrace", c.ShutdownGrace, time.Millisecond, time.Hour)
	within("logRetention", c.LogRetention, time.Minute, 10*365*24*time.Hour)
	within("reportRetention", c.ReportRetention, time.Minute, 10*365*24*time.Hour)
	within("activityRetention", c.ActivityRetention, time.Minute, 10*365*24*time.Hour)
	within("sessionIdle", c.SessionIdle, time.Minute, 365*24*time.Hour)
	within("sessionLifetime", c.SessionLifetime, time.Minute, 365*24*time.Hour)

	c.Egress.problems(say)
	c.OIDC.problems(say)
	within("oauth.tokenLifetime", c.OAuth.TokenLifetime, time.Hour, 24*time.Hour)
	within("oauth.keyRotation", c.OAuth.KeyRotation, 24*time.Hour, 365*24*time.Hour)
	if u, err := url.Parse(c.OAuth.Issuer); c.OAuth.Issuer != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.TrimSuffix(c.OAuth.Issuer, "/") != u.Scheme+"://"+u.Host) {
		say("oauth.issuer", "must be a URL without a path, such as https://sentinel.example.com, not %q", c.OAuth.Issuer)
	}

	for _, s := range Settings() {
		v := reflect.ValueOf(c).Elem().FieldByIndex(s.index)
		if len(s.index) == 2 && s.Help == "" && v.CanInt() {
			switch {
			case s.zero && v.Int() < 0:
				say(s.Path, "must be 0 for no limit or more, not %v", v.Interface())
			case !s.zero && v.Int() < 1:
				say(s.Path, "must be more than zero, not %v", v.Interface())
			}
		}
	}
	if known("limits.defaultTimeout", "limits.maxTimeout") && c.Limits.DefaultTimeout > c.Limits.MaxTimeout {
		say("limits.defaultTimeout", "is %s, more than limits.maxTimeout %s", c.Limits.DefaultTimeout, c.Limits.MaxTimeout)
	}
	if known("limits.defaultMemoryMiB", "limits.maxMemoryMiB") && c.Limits.DefaultMemory > c.Limits.MaxMemoryMiB {
		say("limits.defaultMemoryMiB", "is %d, more than limits.maxMemoryMiB %d", c.Limits.DefaultMemory, c.Limits.MaxMemoryMiB)
	}
	if most := max(c.Limits.ConcurrencyV1, c.Limits.ConcurrencyV2); known("limits.concurrencyV1", "limits.concurrencyV2", "limits.maxConcurrency") && most > c.Limits.MaxConcurrency {
		say("limits.maxConcurrency", "is %d, less than the default of one contract, %d", c.Limits.MaxConcurrency, most)
	}
	return problems
}

// isAddress reports whether s is host:port; the host may be empty, the port 0.
func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n <= 65535
}
