package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/function"
	"convoke/internal/httpx"
)

// deployTime is how long a caller that waits for a deployment may have to: the
// use case gives up well before.
const deployTime = 5 * time.Minute

// toolPatience is how long a command line of the reference waits for the
// answer of a deployment, which usually has ended long before.
const toolPatience = 5 * time.Second

// deploy serves POST and PATCH alike: whether it is the first deployment or
// another one is the function's to know.
func (s *server) deploy(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.DeployRequest
	if err := httpx.ReadOptionalJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	q := queryOf(r)
	wait := q.flag("wait")
	if q.err != nil {
		return q.err
	}
	number := function.Latest
	if in.Version != nil {
		if number = *in.Version; number < 0 {
			return convoke.Errorf(convoke.CodeValidation, "version %d does not exist; leave it out to deploy the newest", number)
		}
	}
	id := r.PathValue("uuid")
	was, err := s.Functions.Get(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	pending, err := s.Functions.Deploy(r.Context(), by, by.AccountID, id, function.DeployInput{Version: number})
	if err != nil {
		return err
	}
	d := pending.Deployment()
	// What becomes of it stands in the deployment, which the trail names.
	if err := s.record(r, by, "function.deploy", id, was.Name, liveBody(was), map[string]any{"version": d.VersionNumber, "deploymentId": d.ID}); err != nil {
		return err
	}
	started := func() error {
		return s.writeDeployed(w, r, http.StatusAccepted, deployAnswer(d, fmt.Sprintf("Deployment of version %d has started.", d.VersionNumber)))
	}
	// The reference's command lines, which always name the user, ask for the
	// state until it is Productive: of a build that fails they hear here only.
	patience := deployTime
	switch tool := s.v1(r) || q.values.Has("userId"); {
	case wait:
	case tool:
		patience = toolPatience
	default:
		return started()
	}
	defer allow(w, deployTime)()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	ended, err := pending.Wait(ctx)
	if !wait && errors.Is(err, context.DeadlineExceeded) {
		return started()
	}
	if err != nil {
		return err
	}
	d = ended
	f, err := s.Functions.Get(r.Context(), by.AccountID, id)
	if err != nil {
		return err
	}
	out := deployAnswer(d, fmt.Sprintf("Version %d is deployed.", d.VersionNumber))
	out.State, out.Warnings = string(f.State), d.Problems
	return s.writeDeployed(w, r, http.StatusOK, out)
}

// liveBody is what served, for the audit trail; nil for nothing.
func liveBody(f *convoke.Function) any {
	if !f.Deployed() {
		return nil
	}
	return map[string]any{"version": f.LiveVersion, "deploymentId": f.LiveDeploymentID}
}

func deployAnswer(d *convoke.Deployment, message string) api.DeployResponse {
	return api.DeployResponse{Message: message, DeploymentID: d.ID, DeploymentState: string(d.State), Version: d.VersionNumber}
}

func (s *server) undeploy(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	defer allow(w, deployTime)()
	was, err := s.Functions.Get(r.Context(), by.AccountID, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	// Without the cancellation: an undeployment goes on when its caller leaves,
	// and has to be in the trail.
	f, err := s.Functions.Undeploy(context.WithoutCancel(r.Context()), by, by.AccountID, was.ID)
	if err != nil {
		return err
	}
	if err := s.record(r, by, "function.undeploy", f.ID, f.Name, liveBody(was), nil); err != nil {
		return err
	}
	return s.writeDeployed(w, r, http.StatusOK, api.DeployResponse{
		Message: f.Name + " is undeployed.", Version: f.LatestVersion, State: string(f.State),
	})
}

func (s *server) listAccountDeployments(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	return s.pageDeployments(w, r, by, "")
}

func (s *server) listDeployments(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	f, err := s.Functions.Get(r.Context(), by.AccountID, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	return s.pageDeployments(w, r, by, f.ID)
}

func (s *server) pageDeployments(w http.ResponseWriter, r *http.Request, by *convoke.Principal, functionID string) error {
	q := queryOf(r)
	p := q.page(r, convoke.DeploymentOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	deployments, next, err := s.Pages.PageDeployments(r.Context(), by.AccountID, functionID, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(deployments, deploymentBody))
}

func (s *server) countDeployments(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	_, deployed, err := s.Functions.Counts(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, deployed)
}

func deploymentBody(d *convoke.Deployment) api.Deployment {
	out := api.Deployment{
		UUID: d.ID, FunctionUUID: d.FunctionID, ManifestUUID: d.VersionID, ManifestVersion: d.VersionNumber,
		DeploymentState: string(d.State),
		CreatedAt:       api.Time{Time: d.CreatedAt}, CreatedBy: d.CreatedBy,
		UpdatedAt: api.Time{Time: d.UpdatedAt}, UpdatedBy: d.CreatedBy,
		DeployedAt: api.Time{Time: d.DeployedAt}, UndeployedAt: api.Time{Time: d.UndeployedAt},
	}
	if d.ErrorCode != "" {
		out.Error = &api.DeploymentError{Code: d.ErrorCode, Message: d.ErrorMessage, Problems: d.Problems}
	} else {
		out.Warnings = d.Problems
	}
	return out
}
