package account

import (
	"context"
	"time"

	"convoke"
)

// Sessions returns a page of the sessions of a user that last, sign-ins of the
// command line among them, with the mark of the next page. It returns
// CodeInvalid for a page that the list does not have.
func (s *Service) Sessions(ctx context.Context, accountID, userID string, p convoke.Page) ([]*convoke.Session, convoke.Mark, error) {
	return s.store.PageSessions(ctx, accountID, userID, s.lasting(), p)
}

// lasting selects the sessions that are good at this moment.
func (s *Service) lasting() convoke.SessionsAt {
	now := time.Now()
	return convoke.SessionsAt{At: now, Idle: now.Add(-s.auth.Idle())}
}

// SessionIdle is how long a session lasts that is not used.
func (s *Service) SessionIdle() time.Duration { return s.auth.Idle() }

// EndSession ends a session of a user and returns it; CodeNotFound when the
// user has none of that id that lasts. Its next request is refused, and streams
// that it has open end.
func (s *Service) EndSession(ctx context.Context, accountID, userID, id string) (*convoke.Session, error) {
	found, err := s.store.FindUserSession(ctx, accountID, userID, id, s.lasting())
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return nil, convoke.Errorf(convoke.CodeNotFound, "there is no such session; it may have ended already")
	}
	if err != nil {
		return nil, err
	}
	return found, s.auth.EndSession(ctx, accountID, id)
}

// EndSessions ends all sessions of a user but the one to keep, "" for none, and
// returns those that lasted.
func (s *Service) EndSessions(ctx context.Context, accountID, userID, keep string) ([]*convoke.Session, error) {
	all, _, err := s.store.PageSessions(ctx, accountID, userID, s.lasting(), convoke.Page{})
	if err != nil {
		return nil, err
	}
	ended := make([]*convoke.Session, 0, len(all))
	for _, one := range all {
		if one.ID != keep {
			ended = append(ended, one)
		}
	}
	return ended, s.auth.EndSessions(ctx, accountID, userID, keep)
}
