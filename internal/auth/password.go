package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"convoke"
)

// Parameters of new hashes, after OWASP's password storage advice for
// argon2id: 19 MiB, two passes, one lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	saltBytes   = 16
	keyBytes    = 32

	minPassword = 8    // characters
	maxPassword = 1024 // bytes
)

// Upper bounds of parameters that VerifyPassword accepts in a stored hash.
const (
	maxArgonMemory = 256 * 1024 // KiB
	maxArgonPasses = 16
	maxArgonLanes  = 8
)

// hashing bounds the memory that sign-ins occupy at one time, process-wide:
// each takes 19 MiB.
var hashing = make(chan struct{}, 4)

// HashPassword returns the argon2id hash of password in PHC string format. It
// returns CodeValidation for one that is too short or too long and ctx's error
// when it ends before there is room.
func HashPassword(ctx context.Context, password convoke.Secret) (string, error) {
	text := password.Reveal()
	if len([]rune(text)) < minPassword || len(text) > maxPassword {
		return "", convoke.Errorf(convoke.CodeValidation, "a password has at least %d characters and at most %d bytes", minPassword, maxPassword)
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails
	p := phc{memory: argonMemory, passes: argonPasses, lanes: argonLanes, salt: salt}
	key, err := p.derive(ctx, text, keyBytes)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// VerifyPassword reports whether password belongs to hash. It returns
// CodeInternal for a hash it cannot read and ctx's error when it ends before
// there is room.
func VerifyPassword(ctx context.Context, hash string, password convoke.Secret) (bool, error) {
	p, err := parsePHC(hash)
	if err != nil {
		return false, err
	}
	if len(password.Reveal()) > maxPassword {
		return false, nil
	}
	key, err := p.derive(ctx, password.Reveal(), len(p.key))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

// VerifyNobody takes as long as VerifyPassword does with a new hash, for
// sign-ins of somebody who does not exist: the time must not tell. It returns
// ctx's error when it ends before there is room.
func VerifyNobody(ctx context.Context, password convoke.Secret) error {
	text := password.Reveal()
	if len(text) > maxPassword {
		return nil
	}
	p := phc{memory: argonMemory, passes: argonPasses, lanes: argonLanes, salt: make([]byte, saltBytes)}
	_, err := p.derive(ctx, text, keyBytes)
	return err
}

// phc is a hash as "$argon2id$v=19$m=19456,t=2,p=1$salt$key".
type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.passes, p.lanes,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

func parsePHC(s string) (phc, error) {
	unreadable := convoke.Errorf(convoke.CodeInternal, "the stored password hash is not argon2id in PHC format")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, unreadable
	}
	var p phc
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return phc{}, unreadable
	}
	var saltErr, keyErr error
	p.salt, saltErr = base64.RawStdEncoding.DecodeString(parts[4])
	p.key, keyErr = base64.RawStdEncoding.DecodeString(parts[5])
	readable := saltErr == nil && keyErr == nil && len(p.salt) >= 8 && len(p.key) >= 16 && len(p.key) <= 64 &&
		p.memory >= 8 && p.memory <= maxArgonMemory && p.passes >= 1 && p.passes <= maxArgonPasses &&
		p.lanes >= 1 && p.lanes <= maxArgonLanes && p.String() == s
	if !readable {
		return phc{}, unreadable
	}
	return p, nil
}

func (p phc) derive(ctx context.Context, password string, size int) ([]byte, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
		return argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(size)), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
