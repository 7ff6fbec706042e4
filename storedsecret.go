package convoke

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// SecretType is what the value of a secret has to be (spec/platform.md 7). It
// is checked when the value is set and means nothing to whoever reads it.
type SecretType string

const (
	SecretString SecretType = "String"
	SecretNumber SecretType = "Number"
	SecretJSON   SecretType = "JSON"
)

// SecretTypes lists the types of secrets.
var SecretTypes = []SecretType{SecretString, SecretNumber, SecretJSON}

// StoredSecret is a named value of an account as it is kept: sealed. The value
// itself is a [Secret] and never stands in a store.
type StoredSecret struct {
	AccountID string
	Name      string // unique in the account
	Type      SecretType
	// Sealed is the encrypted value. It opens only for the account, the name
	// and the version that it was sealed for.
	Sealed    []byte
	KeyID     uint32 // of the master key that sealed it
	Version   int    // from 1, raised by each change of the value
	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
	UpdatedBy string
}

const (
	maxSecretName = 100
	// MaxSecretValue is how many characters a value may have.
	MaxSecretValue = 16_384
)

// systemSecrets are the names of the platform's own secrets of the first
// generation; those of the second share a prefix.
var systemSecrets = map[string]bool{"lp-faas-default-app-key": true, "lp-faas-orchestrator-app-key": true}

const systemSecretPrefix = "LIVEPERSON_DEFAULT_"

// SystemSecret reports whether name belongs to the platform: lists leave such
// secrets out unless they are asked for, and people cannot change them.
func SystemSecret(name string) bool {
	return systemSecrets[name] || strings.HasPrefix(name, systemSecretPrefix)
}

// SystemSecrets is what SystemSecret goes by, for who has to ask a database:
// the beginning that their names share, and the names beside it.
func SystemSecrets() (prefix string, names []string) {
	return systemSecretPrefix, slices.Sorted(maps.Keys(systemSecrets))
}

// ValidateSecretName returns CodeValidation unless name is 1 to 100 characters
// of A-Z a-z 0-9 _ -.
func ValidateSecretName(name string) error {
	ok := len(name) > 0 && len(name) <= maxSecretName
	for _, c := range []byte(name) {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	if !ok {
		return Errorf(CodeValidation, "%.120q cannot be the name of a secret: use letters, digits, _ and -, at most %d of them", name, maxSecretName)
	}
	return nil
}

// Validate returns CodeValidation for a type that does not exist, and for a
// value that is empty, too long or not of the type. The message never quotes
// the value.
func (t SecretType) Validate(value Secret) error {
	text := value.Reveal()
	n := len([]rune(text))
	switch {
	case !slices.Contains(SecretTypes, t):
		return Errorf(CodeValidation, "the type of a secret is String, Number or JSON, not %.40q", string(t))
	case n == 0:
		return Errorf(CodeValidation, "the secret has no value; give one in the member value")
	case n > MaxSecretValue:
		return Errorf(CodeValidation, "the value has %d characters; at most %d are allowed", n, MaxSecretValue)
	case t == SecretNumber && !isNumber(text):
		return Errorf(CodeValidation, "the value is not a number such as 42 or -0.5; correct it, or choose the type String")
	case t == SecretJSON && !json.Valid([]byte(text)):
		return Errorf(CodeValidation, "the value is not valid JSON; correct it, or choose the type String")
	}
	return nil
}

// isNumber reports whether text is a number as JSON spells it.
func isNumber(text string) bool {
	digit := func(c byte) bool { return c >= '0' && c <= '9' }
	last := text[len(text)-1]
	return (digit(text[0]) || text[0] == '-') && digit(last) && json.Valid([]byte(text))
}

// SecretStore keeps sealed secrets.
type SecretStore interface {
	// PutSecret runs change on the stored secret, nil when there is none,
	// inside one write transaction and stores what it returns. An error from
	// change is returned as it is and nothing is stored. CodeLimitExceeded when
	// the secret would be a new one and the account has limit already (0: no
	// limit), CodeNotFound when there is no such account.
	PutSecret(ctx context.Context, accountID, name string, limit int, change func(old *StoredSecret) (*StoredSecret, error)) error
	// FindSecret returns CodeNotFound when there is none.
	FindSecret(ctx context.Context, accountID, name string) (*StoredSecret, error)
	// ListSecrets returns an account's secrets in order of name, without what
	// is sealed.
	ListSecrets(ctx context.Context, accountID string) ([]*StoredSecret, error)
	// DeleteSecret returns CodeNotFound when there is none.
	DeleteSecret(ctx context.Context, accountID, name string) error

	// CountSecretsByKey says, over all accounts, how many secrets each master
	// key seals.
	CountSecretsByKey(ctx context.Context) (map[uint32]int, error)
	// ListSecretsToReseal returns secrets of all accounts that another master
	// key than keyID seals, in order of account and name: at most limit of
	// those behind after, nil for the first.
	ListSecretsToReseal(ctx context.Context, keyID uint32, after *StoredSecret, limit int) ([]*StoredSecret, error)
	// ResealSecrets stores what is sealed, and by which key, of secrets that
	// still have the version given, in one transaction.
	ResealSecrets(ctx context.Context, secrets []*StoredSecret) error
}
