package function

import (
	"context"
	"errors"
	"fmt"
	"time"

	"convoke"
)

// Recover ends what the end of the last process cut short: deployments under
// way failed, undeployments are done. It is called once at start, before
// anything else may use the store; no instance runs yet, so nothing needs to be
// switched. What was live stays live.
func (s *Service) Recover(ctx context.Context) error {
	busy, err := s.store.ListBusyFunctions(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range busy {
		if err := s.recoverFunction(ctx, f); err != nil {
			errs = append(errs, fmt.Errorf("recover function %s of account %s: %w", f.ID, f.AccountID, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Service) recoverFunction(ctx context.Context, f *convoke.Function) (err error) {
	if f.State == convoke.StateMarkedUndeployed {
		f, err = s.finishUndeployment(ctx, f)
	} else {
		f, err = s.failInterrupted(ctx, f)
	}
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "function recovered", "account", f.AccountID, "fn", f.ID, "state", f.State)
	return nil
}

func (s *Service) failInterrupted(ctx context.Context, f *convoke.Function) (*convoke.Function, error) {
	d, err := s.store.FindDeployment(ctx, f.AccountID, f.PendingDeploymentID)
	if err != nil {
		return nil, err
	}
	d.State = convoke.DeploymentFailed
	d.ErrorCode, d.ErrorMessage = convoke.CodeDeployFailed, "the server stopped during the deployment; deploy again"
	d.UpdatedAt = time.Now().UTC()
	return s.store.FinishDeployment(ctx, d, s.limitsOf(f.AccountID).DeploymentsPerFunction, func(f *convoke.Function) error {
		return interrupted(f, d)
	})
}
