package function

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"convoke"
)

// CreateInput describes a new function.
type CreateInput struct {
	Name        string
	Description string
	EventID     string
	Skills      []string
	Content     // of the first version; nil members are empty or the default
	// Compiles refuses code that does not compile, as with SaveInput.
	Compiles bool
}

// Create makes a function in state Draft with version 1, which is empty unless
// in brings code. It returns CodeValidation, CodeValidationTooLong or
// CodeInvalidDomain for values that break a rule, CodeConflict for a name that is taken,
// CodeLimitExceeded when the account has all the functions it may have, and
// what Save returns for code that has to compile.
func (s *Service) Create(ctx context.Context, by *convoke.Principal, accountID string, in CreateInput) (*convoke.Function, *convoke.Version, error) {
	now := time.Now().UTC()
	f := &convoke.Function{
		ID:            uuid.NewString(),
		AccountID:     accountID,
		Name:          in.Name,
		Description:   in.Description,
		EventID:       in.EventID,
		Skills:        in.Skills,
		State:         convoke.StateDraft,
		LatestVersion: 1,
		CreatedAt:     now,
		CreatedBy:     by.String(),
		UpdatedAt:     now,
		UpdatedBy:     by.String(),
	}
	limits := s.limitsOf(accountID)
	if err := convoke.ValidateName(f.Name, limits.NameLength); err != nil {
		return nil, nil, err
	}
	if err := f.ValidateMeta(limits); err != nil {
		return nil, nil, err
	}

	v := in.over(&convoke.Version{Language: convoke.JavaScript})
	v.ID, v.AccountID, v.FunctionID, v.Number = uuid.NewString(), accountID, f.ID, 1
	v.CreatedAt, v.CreatedBy = now, by.String()
	if err := v.Validate(limits); err != nil {
		return nil, nil, err
	}
	if in.Compiles {
		if err := s.mustCompile(ctx, v); err != nil {
			return nil, nil, err
		}
	}

	if err := s.store.CreateFunction(ctx, f, v, limits.FunctionsPerAccount); err != nil {
		return nil, nil, err
	}
	return f, v, nil
}

// MetaInput changes what all versions of a function share. Nil members stay.
type MetaInput struct {
	Description *string
	Skills      []string // an empty list that is not nil removes all skills
	// Name and EventID are fixed at creation; they may be repeated, not changed.
	Name    *string
	EventID *string
}

// UpdateMeta changes description and skills. Skills of a deployed function hold
// for the next event, without a deployment. It returns CodeValidation for values
// that break a rule or change what is fixed, CodeUnchanged when there is nothing
// to change, CodeActionNotAllowed while the function is busy or when, being
// deployed, it would meet another function of its event, and
// CodeFunctionNotFound.
func (s *Service) UpdateMeta(ctx context.Context, by *convoke.Principal, accountID, functionID string, in MetaInput) (*convoke.Function, error) {
	if in.Skills == nil {
		return s.storeMeta(ctx, by, accountID, functionID, in)
	}
	release, err := s.reserve()
	if err != nil {
		return nil, err
	}
	s.event.Lock()
	f, err := s.storeMeta(ctx, by, accountID, functionID, in)
	s.event.Unlock()
	if err != nil || !f.Deployed() {
		release()
		return f, err
	}

	if err := s.outlive(ctx, release, func(ctx context.Context) error { return s.switchOver(ctx, f) }); err != nil {
		return nil, err
	}
	return f, nil
}

// storeMeta checks and stores. With skills, s.event must be held.
func (s *Service) storeMeta(ctx context.Context, by *convoke.Principal, accountID, functionID string, in MetaInput) (*convoke.Function, error) {
	var neighbours []*convoke.Function
	if in.Skills != nil {
		f, err := s.store.FindFunction(ctx, accountID, functionID)
		if err != nil {
			return nil, err
		}
		if neighbours, err = s.neighbours(ctx, f); err != nil {
			return nil, err
		}
	}
	// Without the cancellation of ctx: were the client to go away during the
	// commit, we could not tell whether matching has to follow.
	return s.store.UpdateFunction(context.WithoutCancel(ctx), accountID, functionID, func(f *convoke.Function) error {
		if err := mustBeIdle(f); err != nil {
			return err
		}
		if in.Name != nil && *in.Name != f.Name {
			return convoke.Errorf(convoke.CodeValidation, "the name of a function is fixed; create a new function to have another name than %s", f.Name)
		}
		if in.EventID != nil && *in.EventID != f.EventID {
			return convoke.Errorf(convoke.CodeValidation, "the event of a function is fixed; create a new function for event %q", *in.EventID)
		}
		description := *cmp.Or(in.Description, &f.Description)
		sameSkills := in.Skills == nil || slices.Equal(in.Skills, f.Skills)
		if description == f.Description && sameSkills {
			return convoke.Errorf(convoke.CodeUnchanged, "%s has this description and these skills already; there is nothing to save", f.Name)
		}
		f.Description = description
		if !sameSkills {
			f.Skills = in.Skills
		}
		f.UpdatedAt, f.UpdatedBy = time.Now().UTC(), by.String()
		if err := f.ValidateMeta(s.limitsOf(accountID)); err != nil {
			return err
		}
		if !sameSkills && f.Deployed() {
			return fitsEvent(f, neighbours)
		}
		return nil
	})
}
