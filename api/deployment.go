package api

import "convoke"

// Deployment is one version made live, or the attempt.
type Deployment struct {
	UUID            string `json:"uuid"`                                   // of this deployment
	FunctionUUID    string `json:"functionUuid"`                           // of the function
	ManifestUUID    string `json:"manifestUUID"`                           // id of the version
	ManifestVersion int    `json:"manifestVersion"`                        // number of the version
	DeploymentState string `json:"deploymentState" enum:"deploymentState"` // how far it is
	CreatedAt       Time   `json:"createdAt,omitzero"`
	CreatedBy       string `json:"createdBy"`
	UpdatedAt       Time   `json:"updatedAt,omitzero"`
	UpdatedBy       string `json:"updatedBy"`
	DeployedAt      Time   `json:"deployedAt,omitzero"`   // since when it serves or served; absent: never
	UndeployedAt    Time   `json:"undeployedAt,omitzero"` // when it ended to serve; absent: it has not

	// Convoke's own.
	Error    *DeploymentError  `json:"error,omitempty"`    // why a failed one failed
	Warnings []convoke.Problem `json:"warnings,omitempty"` // what the build noticed in one that did not fail
}

// DeploymentError is why a deployment failed.
type DeploymentError struct {
	Code     convoke.Code      `json:"code"`               // as in the answer to a failed request
	Message  string            `json:"message"`            // for people
	Problems []convoke.Problem `json:"problems,omitempty"` // where in the source
}

// DeployRequest is the optional body of a deployment.
type DeployRequest struct {
	Version *int `json:"version,omitempty"` // number of the version; absent: the newest
}

// DeployResponse answers deploy, redeploy and undeploy. It must not have a
// member "uuid": the reference's command line takes that for a failure.
type DeployResponse struct {
	Message         string `json:"message"`                                          // for people
	DeploymentID    string `json:"deploymentId,omitempty"`                           // of the deployment; absent when something was undeployed
	DeploymentState string `json:"deploymentState,omitempty" enum:"deploymentState"` // how far the deployment is
	Version         int    `json:"version"`                                          // number of the version
	State           string `json:"state,omitempty" enum:"state"`                     // the function's, once the work is done

	Warnings []convoke.Problem `json:"warnings,omitempty"` // what the build noticed, once the work is done
}
