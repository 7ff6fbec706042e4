package convoke

import "log/slog"

// Secret is text that must never be printed: formatting, JSON and slog show
// a placeholder. Reveal is the only way to its value.
type Secret struct{ value string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{value: s} }

const redacted = "[redacted]"

// Reveal returns the text. Callers pass it on to what needs it and keep it nowhere.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.value == "" }

func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

func (s Secret) GoString() string             { return s.String() }
func (s Secret) LogValue() slog.Value         { return slog.StringValue(s.String()) }
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }
func (s Secret) MarshalYAML() (any, error)    { return s.String(), nil }

// UnmarshalText takes the text in, from the environment or a YAML file.
func (s *Secret) UnmarshalText(b []byte) error {
	s.value = string(b)
	return nil
}
