package function

import (
	"context"
	"time"

	"convoke"
)

// Undeploy takes a function out of service: no invocation begins any more, the
// running ones finish. It returns when the function is in state Draft, or with
// the error of ctx when that ends first; the undeployment then goes on. It
// returns CodeActionNotAllowed when the function is not deployed or busy,
// CodeFunctionNotFound, and CodeUnavailable while the server shuts down.
func (s *Service) Undeploy(ctx context.Context, by *convoke.Principal, accountID, functionID string) (*convoke.Function, error) {
	release, err := s.reserve()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		release()
		return nil, err
	}
	// Without the cancellation of ctx: were the client to go away during the
	// commit, the function could be left marked with nobody to go on.
	f, err := s.store.UpdateFunction(context.WithoutCancel(ctx), accountID, functionID, marked)
	if err != nil {
		release()
		return nil, err
	}
	var draft *convoke.Function
	err = s.outlive(ctx, release, func(ctx context.Context) error {
		if err := s.switchOver(ctx, f); err != nil {
			return err
		}
		err := s.insist(ctx, f, "finish undeployment", func(ctx context.Context) (err error) {
			draft, err = s.finishUndeployment(ctx, f)
			return err
		})
		if err != nil {
			return err
		}
		s.log.InfoContext(ctx, "function undeployed", "account", accountID, "fn", functionID, "version", f.LiveVersion, "by", by.String())
		return nil
	})
	if err != nil {
		return nil, err
	}
	return draft, nil
}

// finishUndeployment brings f, which is marked and drained, back to Draft.
func (s *Service) finishUndeployment(ctx context.Context, f *convoke.Function) (*convoke.Function, error) {
	d, err := s.store.FindDeployment(ctx, f.AccountID, f.LiveDeploymentID)
	if err != nil {
		return nil, err
	}
	d.UpdatedAt = time.Now().UTC() // UndeployedAt is set by the store, as for any deployment that ceases to be live
	return s.store.FinishDeployment(ctx, d, s.limitsOf(f.AccountID).DeploymentsPerFunction, undeployed)
}

// Remove deletes a function with its versions and deployments. It returns
// CodeActionNotAllowed while the function is deployed or busy, and
// CodeFunctionNotFound.
func (s *Service) Remove(ctx context.Context, by *convoke.Principal, accountID, functionID string) error {
	if err := s.store.DeleteFunction(ctx, accountID, functionID, mayRemove); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "function removed", "account", accountID, "fn", functionID, "by", by.String())
	return nil
}
