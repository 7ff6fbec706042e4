package api

import "convoke"

// Deployment is one version made live, or the attempt.
type Deployment struct {
	UUID            string `json:"uuid"`
	FunctionUUID    string `json:"functionUuid"`
	ManifestUUID    string `json:"manifestUUID"`
	ManifestVersion int    `json:"manifestVersion"`
	DeploymentState string `json:"deploymentState"` // deploying, redeploying, successful, failed
	CreatedAt       Time   `json:"createdAt,omitzero"`
	CreatedBy       string `json:"createdBy"`
	UpdatedAt       Time   `json:"updatedAt,omitzero"`
	UpdatedBy       string `json:"updatedBy"`
	DeployedAt      Time   `json:"deployedAt,omitzero"`
	UndeployedAt    Time   `json:"undeployedAt,omitzero"`

	// Convoke's own.
	Error    *DeploymentError  `json:"error,omitempty"`    // why a failed one failed
	Warnings []convoke.Problem `json:"warnings,omitempty"` // what the build noticed in one that did not fail
}

// DeploymentError is why a deployment failed.
type DeploymentError struct {
	Code     convoke.Code      `json:"code"`
	Message  string            `json:"message"`
	Problems []convoke.Problem `json:"problems,omitempty"`
}

// DeployRequest is the optional body of a deployment.
type DeployRequest struct {
	Version *int `json:"version,omitempty"` // absent: the newest
}

// DeployResponse answers deploy, redeploy and undeploy. It must not have a
// member "uuid": the reference's command line takes that for a failure.
type DeployResponse struct {
	Message         string `json:"message"`
	DeploymentID    string `json:"deploymentId,omitempty"`
	DeploymentState string `json:"deploymentState,omitempty"`
	Version         int    `json:"version"`
	State           string `json:"state,omitempty"` // the function's, once the work is done

	Warnings []convoke.Problem `json:"warnings,omitempty"` // what the build noticed, once the work is done
}
