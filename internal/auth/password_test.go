package auth_test

import (
	"context"
	"strings"
	"testing"

	"convoke"
	"convoke/internal/auth"
)

func TestPassword(t *testing.T) {
	t.Parallel()
	hash, err := auth.HashPassword(t.Context(), convoke.NewSecret("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %s", hash)
	}
	again, err := auth.HashPassword(t.Context(), convoke.NewSecret("correct horse"))
	if err != nil || again == hash {
		t.Errorf("two hashes of one password are equal (%v): no salt?", err)
	}
	for password, want := range map[string]bool{
		"correct horse": true, "correct horse ": false, "": false, "Correct horse": false, strings.Repeat("x", 2000): false,
	} {
		if got, err := auth.VerifyPassword(t.Context(), hash, convoke.NewSecret(password)); err != nil || got != want {
			t.Errorf("VerifyPassword(%.20q) = %v, %v, want %v", password, got, err, want)
		}
	}
}

// TestVerifyForeignHash reads a hash of other parameters, made by the
// reference implementation.
func TestVerifyForeignHash(t *testing.T) {
	t.Parallel()
	const hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	if ok, err := auth.VerifyPassword(t.Context(), hash, convoke.NewSecret("password")); err != nil || !ok {
		t.Errorf("got %v, %v, want true", ok, err)
	}
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"", "1234567", strings.Repeat("x", 1025)} {
		if _, err := auth.HashPassword(t.Context(), convoke.NewSecret(p)); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("HashPassword of %d bytes: %v, want CodeValidation", len(p), err)
		}
	}
}

func TestVerifyRefusesStrangeHashes(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, hash := range []string{
		"", "password", "$2a$10$abc", "$argon2i$v=19$m=256,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=16$m=256,t=2,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=99999999,t=2,p=1$" + salt + "$" + key, // would take the machine's memory
		"$argon2id$v=19$m=256,t=9999,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=0,p=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=0$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$",
		"$argon2id$v=19$m=256,t=2,p=1,x=1$" + salt + "$" + key,
		"$argon2id$v=19$m=256,t=2,p=1$" + salt + "$!" + key,
	} {
		if ok, err := auth.VerifyPassword(t.Context(), hash, convoke.NewSecret("password")); ok || convoke.ErrorCode(err) != convoke.CodeInternal {
			t.Errorf("VerifyPassword with %q: %v, %v, want CodeInternal", hash, ok, err)
		}
	}
}

func TestHashingGivesUpWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // with room free, either outcome is right; an error must be ctx's
		if _, err := auth.HashPassword(ctx, convoke.NewSecret("correct horse")); err != nil && err != context.Canceled {
			t.Fatal(err)
		}
	}
}
