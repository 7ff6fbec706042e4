package config

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Print writes the effective configuration as YAML that Load reads again,
// each line with its source. Secrets are redacted.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	group := ""
	for _, s := range Settings() {
		name, indent := s.Path, ""
		if g, rest, ok := strings.Cut(s.Path, "."); ok {
			if g != group {
				fmt.Fprintf(&b, "%s:\n", g)
			}
			group, name, indent = g, rest, "  "
		}
		text, err := scalar(reflect.ValueOf(c).Elem().FieldByIndex(s.index).Interface())
		if err != nil {
			return fmt.Errorf("print %s: %w", s.Path, err)
		}
		fmt.Fprintf(&b, "%-40s # %s\n", indent+name+": "+text, c.Source(s.Path))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Values are the effective settings by path, for output as JSON. Secrets are redacted.
func (c *Config) Values() map[string]any {
	values := map[string]any{}
	for _, s := range Settings() {
		values[s.Path] = plain(reflect.ValueOf(c).Elem().FieldByIndex(s.index).Interface())
	}
	return values
}

func scalar(v any) (string, error) {
	b, err := yaml.Dump(plain(v), yaml.WithLineWidth(-1))
	return strings.TrimSpace(string(b)), err
}

// plain is v as a person writes it: "30s", "info".
func plain(v any) any {
	switch v := v.(type) {
	case time.Duration:
		return duration(v)
	case slog.Level:
		return strings.ToLower(v.String())
	case fmt.Stringer: // a secret shows its placeholder
		return v.String()
	case Sandbox:
		return string(v)
	case TLS:
		return string(v)
	default:
		return v
	}
}

// duration leaves out the "0m0s" of round values.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
