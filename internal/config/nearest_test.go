package config

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"name", "event", "timeoutMs", "environmentVariables", "maxInstances", "minInstances"}
	for word, want := range map[string]string{
		"name": "name", "NAME": "name", "nam": "name", "timeout_ms": "timeoutMs", "timeOutSeconds": "",
		"enviromentVariable": "environmentVariables", "maxInstance": "maxInstances", "minInstance": "minInstances",
		"colour": "", "": "", "x": "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
