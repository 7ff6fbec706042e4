package function

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"convoke"
	"convoke/internal/build"
)

// Content is what a version consists of, as a change: nil members stay as they
// are. A map or list replaces the whole; an empty one that is not nil empties it.
type Content struct {
	Code        *string
	Files       map[string]string
	Language    *convoke.Language
	Contract    *convoke.Contract // "" detects it from the code
	Runtime     *string           // "" is the default
	Environment map[string]string
	Settings    *convoke.Settings
	// Domains narrows the account's allowed domains; an empty list allows none,
	// AllDomains alone does not narrow.
	Domains []string
}

// AllDomains stands for all domains that the account allows.
const AllDomains = "*"

// over is a version with the content of old, changed by c. The caller gives it
// its identity.
func (c Content) over(old *convoke.Version) *convoke.Version {
	v := &convoke.Version{
		Code:        old.Code,
		Files:       maps.Clone(old.Files),
		Language:    old.Language,
		Contract:    old.Contract,
		Runtime:     old.Runtime,
		Environment: maps.Clone(old.Environment),
		Settings:    old.Settings,
		Domains:     slices.Clone(old.Domains),
	}
	replace(&v.Code, c.Code)
	replace(&v.Language, c.Language)
	replace(&v.Contract, c.Contract)
	replace(&v.Runtime, c.Runtime)
	replace(&v.Settings, c.Settings)
	if c.Files != nil {
		v.Files = maps.Clone(c.Files)
	}
	if c.Environment != nil {
		v.Environment = maps.Clone(c.Environment)
	}
	switch {
	case slices.Equal(c.Domains, []string{AllDomains}):
		v.Domains = nil
	case c.Domains != nil:
		v.Domains = slices.Clone(c.Domains)
	}
	// A version says which runtime it was made for: a later server with
	// another default must not move old code to it.
	if v.Runtime == "" {
		v.Runtime = convoke.DefaultRuntime
	}
	return v
}

func replace[T any](to *T, with *T) {
	if with != nil {
		*to = *with
	}
}

// SaveInput is a change of a function's newest version.
type SaveInput struct {
	// Base is the number of the version the change was made from; 0 or less
	// changes whatever is newest.
	Base int
	// BaseID is the id of that version; "" is not checked.
	BaseID string
	Content
	// Compiles refuses code that does not compile.
	Compiles bool
}

// saveAttempts bounds how often a save without a base starts again because
// somebody else saved in between.
const saveAttempts = 10

// Save stores the change as a new version, which is not deployed. Version 1, as
// long as it has no code, is filled instead. It returns CodeRevision when the
// base is not the newest version, CodeUnchanged when nothing would change,
// CodeActionNotAllowed while the function is busy, CodeValidation,
// CodeValidationTooLong or CodeInvalidDomain for values that break a rule, and
// CodeFunctionNotFound.
// Whether the code compiles is found out by Deploy: unfinished work can be
// saved. Unless the change has to compile: then code that does not is
// CodeValidationSyntax with the Problems, and code without a lambda
// CodeValidationLambda.
func (s *Service) Save(ctx context.Context, by *convoke.Principal, accountID, functionID string, in SaveInput) (*convoke.Function, *convoke.Version, error) {
	for attempt := 1; ; attempt++ {
		f, v, err := s.saveOnce(ctx, by, accountID, functionID, in)
		// The store saw a save that came after our read. Read again: with a
		// base the next attempt says whose it was, without one it builds on it.
		if convoke.ErrorCode(err) == convoke.CodeRevision && f != nil && attempt < saveAttempts {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		return f, v, nil
	}
}

// saveOnce returns the function beside an error of the store.
func (s *Service) saveOnce(ctx context.Context, by *convoke.Principal, accountID, functionID string, in SaveInput) (*convoke.Function, *convoke.Version, error) {
	f, latest, err := s.Version(ctx, accountID, functionID, Latest)
	if err != nil {
		return nil, nil, err
	}
	if in.Base > 0 && in.Base != latest.Number || in.BaseID != "" && in.BaseID != latest.ID {
		return nil, nil, stale(f, latest)
	}

	v := in.over(latest)
	if v.SameContent(latest) {
		return nil, nil, convoke.Errorf(convoke.CodeUnchanged, "version %d of %s has this content already; there is nothing to save", latest.Number, f.Name)
	}
	if v.Code == "" && latest.Code != "" {
		return nil, nil, convoke.Errorf(convoke.CodeValidation, "the code is empty; to take %s out of service, undeploy it", f.Name)
	}
	limits := s.limitsOf(accountID)
	if err := v.Validate(limits); err != nil {
		return nil, nil, err
	}
	if in.Compiles {
		if err := s.mustCompile(ctx, v); err != nil {
			return nil, nil, err
		}
	}

	v.ID, v.AccountID, v.FunctionID, v.Number = uuid.NewString(), accountID, functionID, latest.Number+1
	if latest.Code == "" {
		v.ID, v.Number = latest.ID, latest.Number
	}
	v.CreatedAt, v.CreatedBy = time.Now().UTC(), by.String()
	stored, err := s.store.SaveVersion(ctx, v, limits.VersionsPerFunction, func(f *convoke.Function) error {
		if err := saved(f, v); err != nil {
			return err
		}
		f.UpdatedAt, f.UpdatedBy = v.CreatedAt, v.CreatedBy
		return nil
	})
	if err != nil {
		return f, nil, err
	}
	return stored, v, nil
}

// mustCompile finds out what can be without running the code. Code that is
// empty is a function whose code follows.
func (s *Service) mustCompile(ctx context.Context, v *convoke.Version) error {
	if v.Code == "" {
		return nil
	}
	out, err := s.compile(ctx, sourceOf(v))
	if e, ok := errors.AsType[*convoke.Error](err); ok && e.Code == convoke.CodeBuildFailed {
		code := convoke.CodeValidationSyntax
		if len(e.Problems) == 0 { // it took too long or too much
			code = convoke.CodeValidation
		}
		return &convoke.Error{Code: code, Message: e.Message, Problems: e.Problems, Cause: e}
	}
	if err == nil && out.Nameless {
		return convoke.Errorf(convoke.CodeValidationLambda, "the code has no function named lambda: declare function lambda(input, callback), or export it")
	}
	return err
}

func sourceOf(v *convoke.Version) build.Source {
	return build.Source{Code: v.Code, Files: v.Files, Language: v.Language, Contract: v.Contract, Runtime: v.Runtime}
}

func stale(f *convoke.Function, latest *convoke.Version) error {
	return convoke.Errorf(convoke.CodeRevision,
		"version %d of %s, saved by %s at %s, is newer than the one your change was made from; get it, make your change there and save again",
		latest.Number, f.Name, latest.CreatedBy, latest.CreatedAt.UTC().Format(time.RFC3339))
}

// Restore saves the content of an older version as the newest one. It does not
// deploy it; Deploy with the old number rolls back. It returns CodeNotFound for
// a version that does not exist, CodeUnchanged when the newest version has the
// same content, and what Save returns.
func (s *Service) Restore(ctx context.Context, by *convoke.Principal, accountID, functionID string, number int) (*convoke.Function, *convoke.Version, error) {
	old, err := s.store.FindVersion(ctx, accountID, functionID, number)
	if err != nil {
		return nil, nil, err
	}
	return s.Save(ctx, by, accountID, functionID, SaveInput{Content: contentOf(old)})
}

// contentOf is a change that makes any version equal to v.
func contentOf(v *convoke.Version) Content {
	c := Content{
		Code:        &v.Code,
		Files:       v.Files,
		Language:    &v.Language,
		Contract:    &v.Contract,
		Runtime:     &v.Runtime,
		Environment: v.Environment,
		Settings:    &v.Settings,
		Domains:     v.Domains,
	}
	if c.Domains == nil {
		c.Domains = []string{AllDomains}
	}
	if c.Files == nil {
		c.Files = map[string]string{}
	}
	if c.Environment == nil {
		c.Environment = map[string]string{}
	}
	return c
}
