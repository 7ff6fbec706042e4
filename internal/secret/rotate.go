package secret

import (
	"context"

	"convoke"
)

// resealAtOnce is how many secrets are sealed anew in one transaction.
const resealAtOnce = 100

// Rotation is what a change of the master key did.
type Rotation struct {
	KeyID    uint32 // of the new master key
	Resealed int    // secrets that it seals now
	// Unreadable are secrets that could not be opened. They are left as they
	// are, and the old keys with them.
	Unreadable []*convoke.StoredSecret
}

// Rotate makes a new master key, seals every secret with it and then forgets
// the old ones. It may be interrupted at any point: no secret is ever without
// its key, and Recover goes on. It returns CodeConflict while another rotation
// is under way, and CodeStorageFull.
func (s *Service) Rotate(ctx context.Context) (*Rotation, error) {
	if !s.rotation.TryLock() {
		return nil, convoke.Errorf(convoke.CodeConflict, "the master key is being changed already; wait for that to end")
	}
	defer s.rotation.Unlock()
	if err := s.replaceKeys((*keyring).grown); err != nil {
		return nil, err
	}
	return s.reseal(ctx)
}

// Recover completes a rotation that was interrupted.
func (s *Service) Recover(ctx context.Context) error {
	s.rotation.Lock()
	defer s.rotation.Unlock()
	if s.current().handle.Len() == 1 {
		return nil
	}
	_, err := s.reseal(ctx)
	return err
}

// replaceKeys puts other keys in the place of the present ones. They are in
// the file before anything can be sealed with them.
func (s *Service) replaceKeys(change func(*keyring) (*keyring, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := change(s.keys)
	if err != nil {
		return err
	}
	if err := saveKeys(s.file, keys); err != nil {
		return err
	}
	s.keys = keys
	return nil
}

func (s *Service) current() *keyring {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.keys
}

// reseal seals with the primary key what others seal, and forgets those when
// nothing is left under them.
func (s *Service) reseal(ctx context.Context) (*Rotation, error) {
	keys := s.current() // it stays: rotation is held
	out := &Rotation{KeyID: keys.primary}
	for after := (*convoke.StoredSecret)(nil); ; {
		page, err := s.store.ListSecretsToReseal(ctx, keys.primary, after, resealAtOnce)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1]
		resealed := s.resealPage(page, keys, out)
		if err := s.store.ResealSecrets(ctx, resealed); err != nil {
			return nil, err
		}
		out.Resealed += len(resealed)
	}
	if len(out.Unreadable) == 0 {
		if err := s.replaceKeys((*keyring).pruned); err != nil {
			return nil, err
		}
	}
	s.log.InfoContext(ctx, "master key changed", "key", out.KeyID, "resealed", out.Resealed, "unreadable", len(out.Unreadable))
	return out, nil
}

// resealPage returns those of page that could be opened, sealed anew.
func (s *Service) resealPage(page []*convoke.StoredSecret, keys *keyring, out *Rotation) []*convoke.StoredSecret {
	var resealed []*convoke.StoredSecret
	for _, e := range page {
		if err := sealAnew(e, keys); err != nil {
			s.log.Warn("secret cannot be sealed with the new master key", "account", e.AccountID, "secret", e.Name, "err", err)
			out.Unreadable = append(out.Unreadable, e)
			continue
		}
		resealed = append(resealed, e)
	}
	return resealed
}

func sealAnew(e *convoke.StoredSecret, keys *keyring) error {
	plain, err := keys.open(e)
	if err != nil {
		return err
	}
	defer clear(plain)
	return keys.seal(e, plain)
}
