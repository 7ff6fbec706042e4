package invoke

import (
	"context"
	"maps"

	"convoke"
	"convoke/internal/function"
	"convoke/internal/worker"
)

// program puts together what a worker loads: one version's bundle, its
// environment with the platform's variables, and its limits.
func (s *Service) program(v *convoke.Version, b *convoke.Bundle, settings convoke.Settings) *worker.Program {
	p := &worker.Program{
		AccountID: v.AccountID, FunctionID: v.FunctionID, Version: v.Number,
		Contract: b.Contract, Format: b.Format, Code: b.Code, SourceMap: b.SourceMap,
		Environment:   s.environment(v),
		Domains:       v.Domains,
		MemoryMiB:     settings.MemoryMiB,
		Serial:        settings.Concurrency == 1,
		ResultBytes:   s.limits.ResultBytes,
		LogEntries:    s.limits.LogEntries,
		LogCharacters: s.limits.LogCharacters,
	}
	if v.Runtime == b.CacheRuntime || v.Runtime == "" && b.CacheRuntime == convoke.DefaultRuntime {
		p.CodeCache = b.CodeCache // V8 itself refuses one of another build
	}
	return p
}

// environment is the version's own variables and those that the platform
// sets (spec/toolbelt.md 2); saving refuses the reserved names.
func (s *Service) environment(v *convoke.Version) map[string]string {
	env := maps.Clone(v.Environment)
	if env == nil {
		env = make(map[string]string, 8)
	}
	maps.Copy(env, map[string]string{
		"X_LIVEPERSON_BRAND_ID":      v.AccountID,
		"X_LIVEPERSON_FUNCTION_UUID": v.FunctionID,
		"X_LIVEPERSON_PROJECT_ID":    "convoke",
		"X_LIVEPERSON_CSDS_DOMAIN":   s.domain,
		"BRAND_ID":                   v.AccountID,
		"LAMBDA_UUID":                v.FunctionID,
		"NODE_ENV":                   "production",
	})
	return env
}

// Probe loads a bundle in a fresh worker: does it have a lambda? It returns
// CodeDeployFailed with the reason when not, and V8's code cache when it does.
func (s *Service) Probe(ctx context.Context, f *convoke.Function, v *convoke.Version, b *convoke.Bundle) (function.Probed, error) {
	settings := s.limits.Resolve(v.Settings, b.Contract)
	w, err := s.pool.StartBlank(ctx, v.Runtime, settings.MemoryMiB, v.AccountID)
	if err != nil {
		return function.Probed{}, err
	}
	defer w.Kill()
	p := s.program(v, b, settings)
	p.WantCodeCache = true
	loaded, err := w.Load(ctx, p)
	if err != nil {
		return function.Probed{}, err
	}
	return function.Probed{CodeCache: loaded.CodeCache, Runtime: w.Runtime()}, nil
}

// Test runs one invocation of a version that need not be deployed, in a
// worker of its own. It returns CodeThrottled when too many tests run, and
// otherwise the errors of Invoke.
func (s *Service) Test(ctx context.Context, v *convoke.Version, b *convoke.Bundle, r Request) (Response, error) {
	select {
	case s.tests <- struct{}{}:
		defer func() { <-s.tests }()
	default:
		return Response{}, convoke.Errorf(convoke.CodeThrottled, "%d test runs are under way; wait for one to end", TestsAtOnce)
	}
	settings := s.limits.Resolve(v.Settings, b.Contract)
	w, err := s.pool.StartBlank(ctx, v.Runtime, settings.MemoryMiB, v.AccountID)
	if err != nil {
		return Response{}, err
	}
	defer w.Kill()
	if _, err := w.Load(ctx, s.program(v, b, settings)); err != nil {
		return Response{}, err
	}
	res, err := w.Invoke(worker.Call{RequestID: r.RequestID, Input: r.Input, Timeout: settings.Timeout})
	return Response{JSON: res.JSON, Record: convoke.Invocation{RequestID: r.RequestID, Run: res.Run, CPU: res.CPU, PeakMemory: res.PeakMemory}}, err
}
