package account

import (
	"context"
	"time"

	"convoke"
)

// lockout is a login name that begins to be locked out.
type lockout struct {
	accountID, loginName string
	from, requestID      string
	at                   time.Time
}

// maxLockouts bounds those that wait to be recorded.
const maxLockouts = 100

// failed has the lock-out recorded that begins with a wrong password, if one
// does. Run writes it: what a wrong password costs must not tell whether there
// is a user of that name.
func (s *Service) failed(key string, l lockout) {
	if !s.attempts.locks(key, userAttempts) {
		return
	}
	l.at = time.Now()
	select {
	case s.lockouts <- l:
	default: // so many at once are seen in the log
		s.log.Warn("a lock-out is not in the audit trail: too many began at once", "account", l.accountID, "remote", l.from, "request", l.requestID)
	}
}

// recordLockouts keeps one in the audit trail, and those that wait behind it.
func (s *Service) recordLockouts(ctx context.Context, l lockout) {
	for more := true; more; {
		if err := s.recordLockout(ctx, l); err != nil {
			s.log.ErrorContext(ctx, "a lock-out could not be recorded", "account", l.accountID, "remote", l.from, "request", l.requestID, "err", err)
		}
		select {
		case l = <-s.lockouts:
		default:
			more = false
		}
	}
}

// recordLockout keeps in the audit trail that a user is locked out. Of names
// that nobody has there is nothing: a guesser would fill the trail with them.
func (s *Service) recordLockout(ctx context.Context, l lockout) error {
	u, err := s.store.FindUserByLogin(ctx, l.accountID, l.loginName)
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return s.store.AppendActivity(ctx, &convoke.Activity{
		AccountID: u.AccountID, At: l.at, ActorID: unknown, Actor: unknown, From: l.from, RequestID: l.requestID,
		Action: "session.locked", Subject: u.ID, Name: u.LoginName,
	})
}

// unknown is who tried to sign in.
const unknown = "unknown"
