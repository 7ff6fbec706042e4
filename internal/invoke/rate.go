package invoke

import (
	"context"
	"errors"
	"time"

	"convoke"
)

// ErrRate is in the error of an invocation that the rate of its function kept
// from beginning.
var ErrRate = errors.New("the rate of the function is used up")

// RefusalFunction is why such an invocation was refused, for metrics.
const RefusalFunction = "function-rate"

// take counts an invocation against the rate of the function, of which its
// account allows most. It returns CodeThrottled with ErrRate when it was called
// too often.
func (r *resolved) take(most int) error {
	perSecond := convoke.Tighter(r.perSecond, most)
	if perSecond == 0 || r.rate.Take(perSecond) {
		return nil
	}
	raise := "raise its setting invocationsPerSecond"
	if perSecond != r.perSecond {
		raise = "ask the operator to raise invocationsPerSecondPerFunction"
	}
	e := convoke.Errorf(convoke.CodeThrottled, "%s was called as often as it may be, %d a second; try again in a moment, or %s", r.function.Name, perSecond, raise)
	e.RetryAfter, e.Cause = time.Second, ErrRate
	return e
}

func (r *resolved) back(most int) {
	if perSecond := convoke.Tighter(r.perSecond, most); perSecond > 0 {
		r.rate.Back(perSecond)
	}
}

// Admit counts one invocation of each function against its rate, for requests
// that are Admitted then. It returns CodeThrottled with ErrRate, which uses
// nothing up, when one of them was called too often. Functions that are not
// deployed are left to Invoke.
func (s *Service) Admit(ctx context.Context, accountID string, most int, functionIDs []string) error {
	taken := make([]*resolved, 0, len(functionIDs))
	for _, id := range functionIDs {
		live, err := s.find(ctx, accountID, id)
		if convoke.ErrorCode(err) == convoke.CodeFunctionNotFound {
			continue
		}
		if err == nil {
			err = s.tell(live.take(most))
		}
		if err != nil {
			for _, other := range taken {
				other.back(most)
			}
			return err
		}
		taken = append(taken, live)
	}
	return nil
}

// tell tells the metrics of a refusal, if err is one.
func (s *Service) tell(err error) error {
	if err != nil && s.refused != nil {
		s.refused(RefusalFunction)
	}
	return err
}

// Busiest is how many invocations of its second the busiest function of an
// account has begun, of which the account allows each most; -1 when it allows
// any number, and nothing is counted.
func (s *Service) Busiest(accountID string, most int) (used int) {
	if most <= 0 {
		return -1
	}
	for _, key := range s.live.rates.Keys() {
		if meter, ok := s.live.rates.Peek(key); ok && key.account == accountID {
			used = max(used, meter.Used(most))
		}
	}
	return used
}
