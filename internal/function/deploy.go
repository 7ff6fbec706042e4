package function

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"convoke"
)

// DeployInput says what to deploy.
type DeployInput struct {
	// Version is the number of the version; 0 and Latest are the newest. An
	// older one rolls back.
	Version int
}

// Pending is a deployment under way. It goes on whether somebody waits or not.
type Pending struct {
	begun convoke.Deployment
	done  chan struct{}
	ended *convoke.Deployment // set before done is closed, like err
	err   error
}

// Deployment is the deployment as it began.
func (p *Pending) Deployment() *convoke.Deployment {
	d := p.begun
	return &d
}

// Done is closed when the deployment has ended.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait returns the deployment as it ended. One that failed comes with its
// error: CodeBuildFailed with the problems in the source, CodeDeployFailed with
// the reason and what the code logged, or the code of what went wrong on the
// server. Wait returns CodeUnavailable when the server stops before the end,
// and the error of ctx when that ends first.
func (p *Pending) Wait(ctx context.Context) (*convoke.Deployment, error) {
	select {
	case <-p.done:
		return p.ended, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Deploy begins to make a version live: it builds it, loads it once in a
// worker, switches invocations over and drains the instances of what was live
// before. That goes on after Deploy has returned, and whether or not ctx ends.
//
// It returns CodeActionNotAllowed while the function is busy, when the version
// has no code, and when a deployed function of the same event takes the same
// skills; CodeLimitExceeded when the event has all the functions it may have or
// the account all the deployments under way; CodeFunctionNotFound, CodeNotFound
// for the version, and CodeUnavailable while the server shuts down.
func (s *Service) Deploy(ctx context.Context, by *convoke.Principal, accountID, functionID string, in DeployInput) (*Pending, error) {
	release, err := s.reserve()
	if err != nil {
		return nil, err
	}
	f, d, err := s.begin(ctx, by, accountID, functionID, in)
	if err != nil {
		release()
		return nil, err
	}
	p := &Pending{begun: *d, done: make(chan struct{})}
	go func() {
		defer release()
		defer close(p.done)
		p.ended, p.err = s.carryOut(f, d)
	}()
	return p, nil
}

// begin decides whether the deployment may be, and records it.
func (s *Service) begin(ctx context.Context, by *convoke.Principal, accountID, functionID string, in DeployInput) (*convoke.Function, *convoke.Deployment, error) {
	number := in.Version
	if number == 0 {
		number = Latest
	}
	f, v, err := s.Version(ctx, accountID, functionID, number)
	if err != nil {
		return nil, nil, err
	}
	if strings.TrimSpace(v.Code) == "" {
		return nil, nil, convoke.Errorf(convoke.CodeActionNotAllowed, "version %d of %s has no code; save code first, then deploy", v.Number, f.Name)
	}

	s.event.Lock()
	defer s.event.Unlock()
	neighbours, err := s.neighbours(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	now := time.Now().UTC()
	d := &convoke.Deployment{
		ID:            uuid.NewString(),
		AccountID:     accountID,
		FunctionID:    functionID,
		VersionID:     v.ID,
		VersionNumber: v.Number,
		State:         convoke.Deploying,
		CreatedAt:     now,
		CreatedBy:     by.String(),
		UpdatedAt:     now,
	}
	if f.Deployed() {
		d.State = convoke.Redeploying
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	// Without the cancellation of ctx: were the client to go away during the
	// commit, the function could be left with a deployment that nobody carries out.
	f, err = s.store.BeginDeployment(context.WithoutCancel(ctx), d, s.limitsOf(accountID).ConcurrentDeployments, func(f *convoke.Function) error {
		if err := mustBeIdle(f); err != nil {
			return err
		}
		return fitsEvent(f, neighbours)
	})
	if err != nil {
		return nil, nil, err
	}
	return f, d, nil
}

// neighbours are the other functions of f's event that are deployed or about to
// be; none where the event sets no bound. The caller holds s.event.
func (s *Service) neighbours(ctx context.Context, f *convoke.Function) ([]*convoke.Function, error) {
	if convoke.EventByID(f.EventID).Limit == 0 {
		return nil, nil
	}
	all, err := s.store.ListFunctions(ctx, f.AccountID, convoke.FunctionFilter{EventID: f.EventID})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(g *convoke.Function) bool {
		return g.ID == f.ID || !g.Deployed() && g.PendingDeploymentID == ""
	}), nil
}

// fitsEvent decides whether f may be deployed beside its neighbours. The limit
// of an event with skills is one function per skill, and a function without
// skills takes all (spec/events.md 3): so what counts is who shares a skill. In
// an event without skills everybody does.
func fitsEvent(f *convoke.Function, neighbours []*convoke.Function) error {
	event := convoke.EventByID(f.EventID)
	if event.Limit == 0 {
		return nil
	}
	var rivals []string
	for _, g := range neighbours {
		if convoke.SkillsOverlap(f, g) {
			rivals = append(rivals, g.Name)
		}
	}
	switch {
	case len(rivals) < event.Limit:
		return nil
	case event.Skills:
		return convoke.Errorf(convoke.CodeActionNotAllowed,
			"%s would take conversations of %s that %s takes already; give the two different skills (a function without skills takes all), or undeploy the other one",
			f.Name, event.Name, rivals[0])
	default:
		return convoke.Errorf(convoke.CodeLimitExceeded,
			"%s has %d deployed functions, which is all it may have; undeploy one of them first", event.Name, len(rivals))
	}
}

// carryOut takes a deployment that has begun to its outcome.
func (s *Service) carryOut(f *convoke.Function, d *convoke.Deployment) (*convoke.Deployment, error) {
	ctx, cancel := context.WithTimeout(s.work, s.deployTimeout)
	defer cancel()
	why := s.prepare(ctx, f, d)
	if why != nil && ctx.Err() == context.DeadlineExceeded {
		why.err = &convoke.Error{Code: why.stage.code, Logs: why.err.Logs, Cause: why.err,
			Message: "the deployment was given up after " + s.deployTimeout.String() + " while " + why.stage.doing}
	}

	// What the end of the server cut short is not settled, because s.work is
	// over then: it is not the code's fault. Recover gives it its outcome.
	if err := s.settle(s.work, f, d, why); err != nil {
		return nil, err
	}
	if why != nil {
		return d, why.err
	}
	if err := s.switchOver(s.work, f); err != nil {
		return nil, err
	}
	return d, nil
}

// stage is a part of a deployment that can fail.
type stage struct {
	state convoke.State // of the function, when it fails
	code  convoke.Code
	doing string
}

var (
	building = stage{convoke.StateBuildError, convoke.CodeBuildFailed, "building"}
	loading  = stage{convoke.StateDeployError, convoke.CodeDeployFailed, "loading the code in a worker"}
)

// failure is why a deployment failed, and where.
type failure struct {
	stage stage
	err   *convoke.Error
}

// fail tells apart what is wrong with the function, or refused for a reason
// that a person can read, from what is wrong with the server.
func (st stage) fail(d *convoke.Deployment, err error) *failure {
	e, ok := errors.AsType[*convoke.Error](err)
	if !ok || e.Code == convoke.CodeInternal {
		e = &convoke.Error{Code: convoke.CodeInternal, Cause: err,
			Message: "the server failed while " + st.doing + "; deploy again, or ask the operator to look for deployment " + d.ID + " in the server's log"}
	}
	return &failure{st, e}
}

// prepare builds the version and proves that it loads.
//
// A version that was live before with the same bundle is not loaded again:
// code, environment and settings, all that decides whether it loads, are those
// that loaded then, and its code cache is stored. That makes a rollback as
// quick as the switch. The same bundle under another version does not count,
// because that may have other variables.
func (s *Service) prepare(ctx context.Context, f *convoke.Function, d *convoke.Deployment) *failure {
	// Read only now: until the deployment was pending, the version could be evicted.
	v, err := s.store.FindVersion(ctx, d.AccountID, d.FunctionID, d.VersionNumber)
	if err != nil {
		return building.fail(d, err)
	}
	out, err := s.compile(ctx, sourceOf(v))
	if err != nil {
		return building.fail(d, err)
	}
	d.Problems = out.Warnings

	loaded, err := s.loadedBefore(ctx, d, out.ID)
	if err != nil {
		return loading.fail(d, err)
	}
	if !loaded {
		b := &convoke.Bundle{
			ID:        out.ID,
			AccountID: d.AccountID,
			Format:    out.Format,
			Contract:  out.Contract,
			Code:      out.Code,
			SourceMap: out.SourceMap,
			CreatedAt: time.Now().UTC(),
		}
		probed, err := s.runner.Probe(ctx, f, v, b)
		if err != nil {
			return loading.fail(d, err)
		}
		// Stored only now: what does not load leaves nothing behind.
		b.CodeCache, b.CacheRuntime = probed.CodeCache, probed.Runtime
		if err := s.store.PutBundle(ctx, b); err != nil {
			return loading.fail(d, err)
		}
	}
	d.BundleID = out.ID
	return nil
}

// loadedBefore reports whether d's version was live before with that bundle.
func (s *Service) loadedBefore(ctx context.Context, d *convoke.Deployment, bundleID string) (bool, error) {
	b, err := s.store.FindBundle(ctx, d.AccountID, bundleID)
	if convoke.ErrorCode(err) == convoke.CodeNotFound {
		return false, nil
	}
	if err != nil || len(b.CodeCache) == 0 {
		return false, err
	}
	history, err := s.store.ListDeployments(ctx, d.AccountID, d.FunctionID)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(history, func(old *convoke.Deployment) bool {
		return old.State == convoke.DeploymentSuccessful && old.VersionID == d.VersionID && old.BundleID == bundleID
	}), nil
}

// settle records the outcome on the deployment and on the function: success,
// unless there is a reason why not.
func (s *Service) settle(ctx context.Context, f *convoke.Function, d *convoke.Deployment, why *failure) error {
	d.UpdatedAt = time.Now().UTC()
	change := func(f *convoke.Function) error { return succeeded(f, d) }
	level, log := slog.LevelInfo, s.log.With("account", f.AccountID, "fn", f.ID, "version", d.VersionNumber,
		"deployment", d.ID, "by", d.CreatedBy, "took", d.UpdatedAt.Sub(d.CreatedAt))
	if why == nil {
		d.State, d.DeployedAt = convoke.DeploymentSuccessful, d.UpdatedAt
	} else {
		d.State = convoke.DeploymentFailed
		d.ErrorCode, d.ErrorMessage = why.err.Code, why.err.Message
		if why.err.Problems != nil { // otherwise the warnings of the build stay
			d.Problems = why.err.Problems
		}
		change = func(f *convoke.Function) error { return failed(f, d, why.stage.state) }
		log = log.With("err", why.err)
		if why.err.Code == convoke.CodeInternal {
			level = slog.LevelError
		}
	}
	err := s.insist(ctx, f, "finish deployment", func(ctx context.Context) error {
		_, err := s.store.FinishDeployment(ctx, d, s.limitsOf(f.AccountID).DeploymentsPerFunction, change)
		return err
	})
	if err != nil {
		return err
	}
	log.Log(ctx, level, "deployment ended", "state", d.State)
	return nil
}
