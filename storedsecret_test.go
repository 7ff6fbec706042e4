package convoke_test

import (
	"strings"
	"testing"

	"convoke"
)

func TestValidateSecretName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]convoke.Code{
		"API_key-2": "", strings.Repeat("a", 100): "",
		"": convoke.CodeValidation, strings.Repeat("a", 101): convoke.CodeValidation,
		"a b": convoke.CodeValidation, "a.b": convoke.CodeValidation, "ä": convoke.CodeValidation, "a/b": convoke.CodeValidation, "[": convoke.CodeValidation,
	} {
		if got := convoke.ErrorCode(convoke.ValidateSecretName(name)); got != want {
			t.Errorf("%.20q: code %q, want %q", name, got, want)
		}
	}
}

func TestSystemSecret(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"LIVEPERSON_DEFAULT_APP_KEY": true, "lp-faas-default-app-key": true, "lp-faas-orchestrator-app-key": true,
		"LIVEPERSON_KEY": false, "lp-faas-other": false, "liveperson_default_x": false,
	} {
		if got := convoke.SystemSecret(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}

func TestSecretValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ   convoke.SecretType
		value string
		ok    bool
	}{
		{convoke.SecretString, "any\ntext", true},
		{convoke.SecretString, "", false},
		{convoke.SecretString, strings.Repeat("ü", 16_384), true},
		{convoke.SecretString, strings.Repeat("ü", 16_385), false},
		{convoke.SecretNumber, "42", true},
		{convoke.SecretNumber, "-0.5e3", true},
		{convoke.SecretNumber, "0", true},
		{convoke.SecretNumber, " 4711", false},
		{convoke.SecretNumber, "4711\n", false},
		{convoke.SecretNumber, "0x2a", false},
		{convoke.SecretNumber, "NaN", false},
		{convoke.SecretNumber, "true", false},
		{convoke.SecretNumber, `"4711"`, false},
		{convoke.SecretJSON, `{"client_id":"x"}`, true},
		{convoke.SecretJSON, "\n[1]\n", true},
		{convoke.SecretJSON, `{client_id}`, false},
		{"Text", "x", false},
		{"", "x", false},
	} {
		err := c.typ.Validate(convoke.NewSecret(c.value))
		if code := convoke.ErrorCode(err); (code == "") != c.ok || !c.ok && code != convoke.CodeValidation {
			t.Errorf("%s %.20q: got error %v, want it taken: %t", c.typ, c.value, err, c.ok)
		}
		if err != nil && len(c.value) > 1 && strings.Contains(err.Error(), c.value) {
			t.Errorf("%s: the error quotes the value: %v", c.typ, err)
		}
	}
}
