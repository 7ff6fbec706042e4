package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"convoke"
	"convoke/api"
	"convoke/internal/function"
	"convoke/internal/httpx"
)

// listLambdas answers with whole functions, code and all, as V1 does. They are
// written one by one: all the code of an account may not fit into memory.
func (s *server) listLambdas(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	filter := convoke.FunctionFilter{
		States:  oneOf(q, "state", convoke.States),
		EventID: q.text("eventId", 60),
		Name:    q.text("name", 200),
	}
	if q.err != nil {
		return q.err
	}
	functions, err := s.Functions.List(r.Context(), by.AccountID, filter)
	if err != nil {
		return err
	}
	newest, err := s.newestDeployments(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	out := bufio.NewWriterSize(w, 32<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	separator := "["
	for _, f := range functions {
		f, v, err := s.Functions.Version(r.Context(), by.AccountID, f.ID, function.Latest)
		switch code := convoke.ErrorCode(err); {
		case code == convoke.CodeFunctionNotFound, code == convoke.CodeNotFound:
			continue // removed meanwhile
		case err != nil:
			return err
		}
		_, _ = out.WriteString(separator) // it keeps its error until Flush
		if err := enc.Encode(lambda(f, v, newest[f.ID])); err != nil {
			return err
		}
		separator = ","
	}
	if separator == "[" {
		_, _ = out.WriteString("[")
	}
	_, _ = out.WriteString("]\n")
	_ = out.Flush() // fails only when the client left
	return nil
}

func (s *server) newestDeployments(ctx context.Context, accountID string) (map[string]*convoke.Deployment, error) {
	deployments, err := s.Functions.AccountDeployments(ctx, accountID)
	if err != nil {
		return nil, err
	}
	newest := make(map[string]*convoke.Deployment, len(deployments))
	for _, d := range deployments {
		newest[d.FunctionID] = d
	}
	return newest, nil
}

// getLambda answers with a list of one, as V1 does.
func (s *server) getLambda(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	l, err := s.findLambda(r.Context(), by.AccountID, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, []api.Lambda{l})
}

func (s *server) findLambda(ctx context.Context, accountID, id string) (api.Lambda, error) {
	f, v, err := s.Functions.Version(ctx, accountID, id, function.Latest)
	if err != nil {
		return api.Lambda{}, err
	}
	deployments, err := s.Functions.Deployments(ctx, accountID, id)
	if err != nil {
		return api.Lambda{}, err
	}
	var last *convoke.Deployment
	if len(deployments) > 0 {
		last = deployments[0]
	}
	return lambda(f, v, last), nil
}

// createLambda makes a function with its code. Which contract the code follows
// is detected when it is built, as for any function: code written for V1 takes
// a callback, and shows it. Code that does not compile is refused, as V1 does.
func (s *server) createLambda(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	in, content, err := s.readLambda(w, r)
	if err != nil {
		return err
	}
	create := function.CreateInput{Name: in.Name, EventID: in.EventID, Content: content, Compiles: true}
	if in.Description != nil {
		create.Description = *in.Description
	}
	f, v, err := s.Functions.Create(r.Context(), by, by.AccountID, create)
	if err != nil {
		return err
	}
	if err := s.record(r, by, "function.create", f.ID, f.Name, nil, functionBody(f)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, lambda(f, v, nil))
}

// saveLambda takes the whole function and stores what differs: content as a
// new version, description with the function. 304 says that nothing does. Code
// that does not compile is refused; a draft of that kind can be saved by V2.
func (s *server) saveLambda(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	in, content, err := s.readLambda(w, r)
	if err != nil {
		return err
	}
	id := r.PathValue("uuid")
	f, err := s.Functions.Get(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	meta, err := s.lambdaMeta(f, in)
	if err != nil {
		return err
	}
	save := function.SaveInput{Content: content, Compiles: true}
	if in.Version > 0 {
		save.Base = f.LatestVersion // nobody may save in between
	}
	// Without the cancellation: both parts are stored, and are in the trail.
	ctx := context.WithoutCancel(r.Context())
	saved, v, err := s.Functions.Save(ctx, by, by.AccountID, id, save)
	sameContent := convoke.ErrorCode(err) == convoke.CodeUnchanged
	switch {
	case err == nil:
		err = s.recordVersion(r, by, "function.save", saved, v)
	case sameContent:
		err = nil
	}
	if err != nil {
		return err
	}
	is, err := s.Functions.UpdateMeta(ctx, by, by.AccountID, id, meta)
	switch {
	case err == nil:
		err = s.record(r, by, "function.update", id, is.Name, functionBody(f), functionBody(is))
	case convoke.ErrorCode(err) == convoke.CodeUnchanged && sameContent:
		w.WriteHeader(http.StatusNotModified)
		return nil
	case convoke.ErrorCode(err) == convoke.CodeUnchanged:
		err = nil
	}
	if err != nil {
		return err
	}
	l, err := s.findLambda(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, l)
}

// lambdaMeta is what in changes beside the content of f. All that can be wrong
// with it is found here, before the content is stored.
func (s *server) lambdaMeta(f *convoke.Function, in *api.LambdaRequest) (function.MetaInput, error) {
	meta := function.MetaInput{Description: in.Description}
	if in.UUID != "" && in.UUID != f.ID {
		return meta, convoke.Errorf(convoke.CodeValidation, "the path names function %s, the body %.60q", f.ID, in.UUID)
	}
	// One command line sends the version that it has read, another the one
	// that it makes (spec/platform.md 1.4).
	if in.Version > 0 && in.Version != f.LatestVersion && in.Version != f.LatestVersion+1 {
		return meta, convoke.Errorf(convoke.CodeRevision,
			"version %d of %s is the newest, and this changes version %d; get the newest one, make your change there and save again",
			f.LatestVersion, f.Name, in.Version)
	}
	if in.Name != "" && in.Name != f.Name || in.EventID != "" && in.EventID != f.EventID {
		return meta, convoke.Errorf(convoke.CodeValidation, "name and event of a function are fixed; create a new function to have others than those of %s", f.Name)
	}
	changed := *f
	if in.Description != nil {
		changed.Description = *in.Description
	}
	return meta, changed.ValidateMeta(s.Limits)
}

// maxDependencies bounds what is ignored.
const maxDependencies = 500

// readLambda reads a lambda and what it says of a version's content.
func (s *server) readLambda(w http.ResponseWriter, r *http.Request) (*api.LambdaRequest, function.Content, error) {
	var in api.LambdaRequest
	if err := httpx.ReadJSON(w, r, &in, s.manifestBytes()); err != nil {
		return nil, function.Content{}, err
	}
	content := function.Content{Code: in.Implementation.Code}
	var err error
	if content.Environment, err = environment(in.Implementation.EnvironmentVariables); err != nil {
		return nil, content, err
	}
	if content.Runtime, err = runtimeOf(in.Runtime); err != nil {
		return nil, content, err
	}
	// The reference installs its dependencies by itself; a function has them
	// whether it lists them or not.
	for i, d := range in.Implementation.Dependencies {
		if d.Key == "" || len(d.Key) > 214 || len(d.Value) > 214 || i >= maxDependencies {
			return nil, content, convoke.Errorf(convoke.CodeValidation, "implementation.dependencies must hold at most %d pairs of a package name and a version", maxDependencies)
		}
	}
	return &in, content, nil
}

// environment makes a map of pairs; nil of none at all. Pairs that are empty
// stand for nothing.
func environment(pairs []api.KeyValue) (map[string]string, error) {
	if pairs == nil {
		return nil, nil
	}
	env := map[string]string{}
	for _, p := range pairs {
		if p == (api.KeyValue{}) {
			continue
		}
		if _, twice := env[p.Key]; twice {
			return nil, convoke.Errorf(convoke.CodeValidation, "the environment variable %.60q is listed twice", p.Key)
		}
		env[p.Key] = p.Value // its name is checked with the version
	}
	return env, nil
}

// runtimeOf finds the runtime that a client took from the list of them; nil is
// the one that the function has, or the default.
func runtimeOf(in *api.LambdaRuntime) (*string, error) {
	if in == nil || *in == (api.LambdaRuntime{}) {
		return nil, nil
	}
	for _, rt := range convoke.Runtimes {
		if rt.ID == in.UUID || in.UUID == "" && (rt.Name == in.BaseImageName || rt.Display == in.Name) {
			return &rt.Name, nil
		}
	}
	return nil, convoke.Errorf(convoke.CodeValidation, "runtime %.60q does not exist; take one from the list of runtimes", in.Name)
}

// lambda is f with its newest version in the V1 dialect. last may be nil.
func lambda(f *convoke.Function, v *convoke.Version, last *convoke.Deployment) api.Lambda {
	out := api.Lambda{
		UUID: f.ID, Version: v.Number, Name: f.Name, Description: f.Description, EventID: f.EventID, State: string(f.State),
		Runtime:   api.LambdaRuntime{Name: v.Runtime, BaseImageName: v.Runtime}, // one that this server has no longer
		CreatedAt: api.Time{Time: f.CreatedAt}, CreatedBy: f.CreatedBy,
		UpdatedAt: api.Time{Time: f.UpdatedAt}, UpdatedBy: f.UpdatedBy,
		Implementation: api.Implementation{Code: v.Code, Dependencies: []api.KeyValue{}, EnvironmentVariables: []api.KeyValue{}},
	}
	for _, rt := range runtimesV1() {
		if rt.BaseImageName == v.Runtime {
			out.Runtime = rt
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Environment)) {
		out.Implementation.EnvironmentVariables = append(out.Implementation.EnvironmentVariables, api.KeyValue{Key: name, Value: v.Environment[name]})
	}
	if last != nil {
		d := lambdaDeployment(f, last)
		out.LastDeployment = &d
	}
	return out
}

func lambdaDeployment(f *convoke.Function, d *convoke.Deployment) api.LambdaDeployment {
	out := api.LambdaDeployment{
		UUID: d.ID, Name: f.Name, LambdaUUID: d.FunctionID, LambdaVersion: d.VersionNumber, ImageName: d.BundleID,
		DeploymentState: string(d.State),
		CreatedAt:       api.Time{Time: d.CreatedAt}, CreatedBy: d.CreatedBy,
		UpdatedAt: api.Time{Time: d.UpdatedAt}, UpdatedBy: d.CreatedBy,
		DeployedAt: api.Time{Time: d.DeployedAt},
	}
	if d.ErrorCode == "" {
		return out
	}
	out.DeploymentError = &api.LambdaDeploymentError{ErrorCode: api.CodeV1(d.ErrorCode), ErrorMsg: d.ErrorMessage, ErrorLogs: api.ProblemLines(d.Problems, d.UpdatedAt)}
	return out
}
