package build

import "strings"

// isBuiltin reports whether an import means a module of Node itself. Which of
// the "node:" ones exist is for the runtime to say: it differs from version to
// version, and a version that lacks one fails to load with a clear message.
func isBuiltin(name string) bool {
	return strings.HasPrefix(name, "node:") || builtins[name]
}

// builtins are the modules that have a name without "node:". New ones get none
// any more.
var builtins = set(`
	assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram
	diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector
	inspector/promises module net os path path/posix path/win32 perf_hooks process punycode querystring
	readline readline/promises repl stream stream/consumers stream/promises stream/web string_decoder sys
	timers timers/promises tls trace_events tty url util util/types v8 vm wasi worker_threads zlib`)

func set(names string) map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		m[name] = true
	}
	return m
}
