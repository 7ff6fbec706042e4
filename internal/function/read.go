package function

import (
	"context"

	"convoke"
)

// Latest stands for the newest version wherever a number is asked for.
const Latest = -1

// Get returns a function, or CodeFunctionNotFound.
func (s *Service) Get(ctx context.Context, accountID, functionID string) (*convoke.Function, error) {
	return s.store.FindFunction(ctx, accountID, functionID)
}

// GetByName returns a function, or CodeFunctionNotFound.
func (s *Service) GetByName(ctx context.Context, accountID, name string) (*convoke.Function, error) {
	return s.store.FindFunctionByName(ctx, accountID, name)
}

// List returns the functions that filter selects, in order of name.
func (s *Service) List(ctx context.Context, accountID string, filter convoke.FunctionFilter) ([]*convoke.Function, error) {
	return s.store.ListFunctions(ctx, accountID, filter)
}

// Counts returns how many functions the account has and how many are deployed.
func (s *Service) Counts(ctx context.Context, accountID string) (total, deployed int, err error) {
	return s.store.CountFunctions(ctx, accountID)
}

// Version returns a function and its version with that number, or the newest
// with Latest. It returns CodeFunctionNotFound or, for a version that never
// was or has been evicted, CodeNotFound.
func (s *Service) Version(ctx context.Context, accountID, functionID string, number int) (*convoke.Function, *convoke.Version, error) {
	f, err := s.store.FindFunction(ctx, accountID, functionID)
	if err != nil {
		return nil, nil, err
	}
	if number == Latest {
		number = f.LatestVersion
	}
	v, err := s.store.FindVersion(ctx, accountID, functionID, number)
	if err != nil {
		return nil, nil, err
	}
	return f, v, nil
}

// Versions returns a function with all its versions, newest first, or
// CodeFunctionNotFound.
func (s *Service) Versions(ctx context.Context, accountID, functionID string) (*convoke.Function, []*convoke.Version, error) {
	f, err := s.store.FindFunction(ctx, accountID, functionID)
	if err != nil {
		return nil, nil, err
	}
	versions, err := s.store.ListVersions(ctx, accountID, functionID)
	if err != nil {
		return nil, nil, err
	}
	return f, versions, nil
}

// Deployments returns the deployments of a function, newest first, or
// CodeFunctionNotFound.
func (s *Service) Deployments(ctx context.Context, accountID, functionID string) ([]*convoke.Deployment, error) {
	if _, err := s.store.FindFunction(ctx, accountID, functionID); err != nil {
		return nil, err
	}
	return s.store.ListDeployments(ctx, accountID, functionID)
}

// AccountDeployments returns the newest deployment of every function of the account.
func (s *Service) AccountDeployments(ctx context.Context, accountID string) ([]*convoke.Deployment, error) {
	return s.store.ListDeployments(ctx, accountID, "")
}
