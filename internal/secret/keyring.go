package secret

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"convoke"
)

// keyring is the master keys of a data directory: the primary one, which
// seals, and older ones that may have sealed something still. It never
// changes; rotation makes another.
type keyring struct {
	handle  *keyset.Handle
	primary uint32
	// envelope encrypts each value with a key of its own (AES-256-GCM) and
	// that key with the primary master key.
	envelope tink.AEAD
}

func newKeyring(h *keyset.Handle) (*keyring, error) {
	master, err := aead.New(h)
	if err != nil {
		return nil, err
	}
	return &keyring{
		handle: h, primary: h.KeysetInfo().GetPrimaryKeyId(),
		envelope: aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), master),
	}, nil
}

// freshKeyring has one new key.
func freshKeyring() (*keyring, error) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	return newKeyring(h)
}

// grown has a new primary key beside the old ones.
func (k *keyring) grown() (*keyring, error) {
	m := keyset.NewManagerFromHandle(k.handle)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return newKeyring(h)
}

// pruned has the primary key only.
func (k *keyring) pruned() (*keyring, error) {
	m := keyset.NewManagerFromHandle(k.handle)
	for _, info := range k.handle.KeysetInfo().GetKeyInfo() {
		if id := info.GetKeyId(); id != k.primary {
			if err := m.Delete(id); err != nil {
				return nil, err
			}
		}
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return newKeyring(h)
}

func (k *keyring) has(id uint32) bool {
	for _, info := range k.handle.KeysetInfo().GetKeyInfo() {
		if info.GetKeyId() == id {
			return true
		}
	}
	return false
}

// seal sets what e keeps of a value.
func (k *keyring) seal(e *convoke.StoredSecret, plain []byte) error {
	sealed, err := k.envelope.Encrypt(plain, binding(e))
	if err != nil {
		return &convoke.Error{Code: convoke.CodeInternal, Message: "the value could not be sealed; nothing was changed", Cause: err}
	}
	e.Sealed, e.KeyID = sealed, k.primary
	return nil
}

// open returns the value of e, which the caller wipes after use. It returns
// CodeUnreadable when the master key is gone, and when the row is not what was
// sealed.
func (k *keyring) open(e *convoke.StoredSecret) ([]byte, error) {
	if !k.has(e.KeyID) {
		return nil, convoke.Errorf(convoke.CodeUnreadable,
			"the secret %s is sealed with a master key that this server does not have; restore the folder of keys from a backup, or set the value anew", e.Name)
	}
	plain, err := k.envelope.Decrypt(e.Sealed, binding(e))
	if err != nil {
		return nil, &convoke.Error{Code: convoke.CodeUnreadable, Cause: err,
			Message: fmt.Sprintf("the secret %s cannot be decrypted: its row was changed, or is not where it was written; set the value anew", e.Name)}
	}
	return plain, nil
}

// binding is what a value is sealed for: a row that is copied to another
// account or name, or put back after a change, does not open. No part of it
// can hold the byte between them.
func binding(e *convoke.StoredSecret) []byte {
	return fmt.Appendf(nil, "convoke secret\x00%s\x00%s\x00%d", e.AccountID, e.Name, e.Version)
}
