package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/function"
	"convoke/internal/httpx"
)

// metaBytes bounds bodies that hold no code.
const metaBytes = 256 << 10

func (s *server) listFunctions(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	filter := convoke.FunctionFilter{
		States:  oneOf(q, "state", convoke.States),
		EventID: q.text("eventId", 60),
		Name:    q.text("functionName", 200),
	}
	p := q.page(r, convoke.FunctionOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	functions, next, err := s.Pages.PageFunctions(r.Context(), by.AccountID, filter, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(functions, functionBody))
}

func (s *server) countFunctions(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	total, _, err := s.Functions.Counts(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, total)
}

func (s *server) createFunction(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.CreateFunctionRequest
	if err := httpx.ReadJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	f, v, err := s.Functions.Create(r.Context(), by, by.AccountID, function.CreateInput{
		Name: in.Name, Description: in.Description, EventID: in.EventID, Skills: in.Skills,
	})
	if err != nil {
		return err
	}
	if err := s.record(r, by, "function.create", f.ID, f.Name, nil, functionBody(f)); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, withManifest(f, v))
}

func (s *server) getFunction(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id := r.PathValue("uuid")
	f, versions, err := s.Functions.Versions(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	deployments, err := s.Functions.Deployments(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	out := functionBody(f)
	out.Versions = bodies(versions, manifest)
	if len(deployments) > 0 {
		last := deploymentBody(deployments[0])
		out.LastDeployment = &last
	}
	return httpx.WriteTagged(w, r, f.Revision(), out)
}

func (s *server) updateFunction(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.UpdateFunctionRequest
	if err := httpx.ReadJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	change := function.MetaInput{Description: in.Description, Name: in.Name, EventID: in.EventID}
	if in.Skills != nil {
		change.Skills = append([]string{}, *in.Skills...)
	}
	id := r.PathValue("uuid")
	was, err := s.Functions.Get(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	// Without the cancellation: skills that are stored hold, and have to be in the trail.
	is, err := s.Functions.UpdateMeta(context.WithoutCancel(r.Context()), by, by.AccountID, id, change)
	if err != nil {
		return err
	}
	if err := s.record(r, by, "function.update", id, is.Name, functionBody(was), functionBody(is)); err != nil {
		return err
	}
	// The answer names the manifest that the client changes next.
	f, v, err := s.Functions.Version(r.Context(), by.AccountID, id, function.Latest)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, withManifest(f, v))
}

func (s *server) removeFunction(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	was, err := s.Functions.Get(r.Context(), by.AccountID, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	if err := s.Functions.Remove(r.Context(), by, by.AccountID, was.ID); err != nil {
		return err
	}
	if err := s.record(r, by, "function.remove", was.ID, was.Name, functionBody(was), nil); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) testFunction(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	if err := s.Accounts.Admit(by); err != nil { // who tests is a caller like others
		return err
	}
	body, err := httpx.ReadBody(w, r, int64(s.Accounts.LimitsOf(by.AccountID).PayloadBytes))
	if err != nil {
		return err
	}
	defer allow(w, s.Limits.MaxTimeout+time.Minute)()
	result, logs, err := s.Tester.Test(r.Context(), by, by.AccountID, r.PathValue("uuid"), body, httpx.RequestID(r))
	switch code := convoke.ErrorCode(err); {
	case code == convoke.CodeThrottled: // it did not begin
		s.Accounts.Back(by)
	case err == nil, api.Status(code) == api.StatusCustomerCode:
		s.Accounts.Count(by.AccountID)
	}
	if failed, ok := errors.AsType[*convoke.Error](err); ok && len(logs) > 0 {
		told := *failed
		told.Logs = logs // its own ones are among them
		return &told
	}
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.TestResponse{Result: result, Logs: api.LogLines(logs)})
}

// allow gives a request that does long work time to answer, and returns what
// takes the allowance back: the connection may serve other requests.
func allow(w http.ResponseWriter, d time.Duration) func() {
	control := http.NewResponseController(w)
	// Where there are no deadlines there is nothing to extend.
	_ = control.SetWriteDeadline(time.Now().Add(d))
	return func() { _ = control.SetWriteDeadline(time.Time{}) }
}

func withManifest(f *convoke.Function, v *convoke.Version) api.Function {
	out := functionBody(f)
	out.Manifest = &api.ManifestRef{ID: v.ID, Version: v.Number}
	return out
}

func functionBody(f *convoke.Function) api.Function {
	out := api.Function{
		UUID: f.ID, Name: f.Name, Description: f.Description, State: string(f.State), EventID: f.EventID, Skills: f.Skills,
		IsCompV1:  f.LiveDeploymentID != "" && f.LiveVersion == 0,
		CreatedAt: api.Time{Time: f.CreatedAt}, CreatedBy: f.CreatedBy,
		UpdatedAt: api.Time{Time: f.UpdatedAt}, UpdatedBy: f.UpdatedBy,
		LatestVersion: f.LatestVersion, Pending: f.Busy(),
	}
	if out.Skills == nil {
		out.Skills = []string{}
	}
	if f.LiveDeploymentID != "" {
		out.DeployedVersion = &f.LiveVersion
	}
	return out
}
