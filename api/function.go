package api

// Function is the part of a function that all its versions share (the
// reference's function meta).
type Function struct {
	Tagged
	UUID        string   `json:"uuid"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	State       string   `json:"state"`
	EventID     string   `json:"eventId,omitempty"`
	Skills      []string `json:"skills"`
	IsCompV1    bool     `json:"isCompV1"` // the live version is imported V1 code (version 0)
	CreatedAt   Time     `json:"createdAt,omitzero"`
	CreatedBy   string   `json:"createdBy"`
	UpdatedAt   Time     `json:"updatedAt,omitzero"`
	UpdatedBy   string   `json:"updatedBy"`

	// Convoke's own.
	LatestVersion   int         `json:"latestVersion"`
	DeployedVersion *int        `json:"deployedVersion,omitempty"` // absent when not deployed
	Pending         bool        `json:"pending,omitempty"`         // a deployment or undeployment is under way
	LastDeployment  *Deployment `json:"lastDeployment,omitempty"`  // in the answer for one function only

	// Manifest names the newest version in the answers to create and update;
	// the answer to GET of one function has Versions, newest first.
	Manifest *ManifestRef `json:"manifest,omitempty"`
	Versions []Manifest   `json:"versions,omitempty"`
}

// CreateFunctionRequest makes a function with an empty first version; the code
// follows as a [ManifestRequest].
type CreateFunctionRequest struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	EventID     string   `json:"eventId,omitempty"` // fixed from then on
	Skills      []string `json:"skills,omitempty"`
}

// UpdateFunctionRequest changes what all versions share; absent members stay.
type UpdateFunctionRequest struct {
	Description *string   `json:"description,omitempty"`
	Skills      *[]string `json:"skills,omitempty"`
	// Name and EventID are fixed at creation: a value that differs is refused.
	Name    *string `json:"name,omitempty"`
	EventID *string `json:"eventId,omitempty"`
}
