package api

// Function is the part of a function that all its versions share (the
// reference's function meta).
type Function struct {
	Tagged
	UUID        string   `json:"uuid"`               // what requests name it by
	Name        string   `json:"name"`               // unique in the account; fixed
	Description string   `json:"description"`        // what it is for
	State       string   `json:"state" enum:"state"` // whether it serves, and whether that is the newest version
	EventID     string   `json:"eventId,omitempty"`  // the event that invokes it; fixed; absent: none
	Skills      []string `json:"skills"`             // of the event that it is kept to; empty: all
	IsCompV1    bool     `json:"isCompV1"`           // the live version is imported V1 code (version 0)
	CreatedAt   Time     `json:"createdAt,omitzero"`
	CreatedBy   string   `json:"createdBy"`
	UpdatedAt   Time     `json:"updatedAt,omitzero"`
	UpdatedBy   string   `json:"updatedBy"`

	// Convoke's own.
	LatestVersion   int         `json:"latestVersion"`             // number of the newest version
	DeployedVersion *int        `json:"deployedVersion,omitempty"` // absent when not deployed
	Pending         bool        `json:"pending,omitempty"`         // a deployment or undeployment is under way
	LastDeployment  *Deployment `json:"lastDeployment,omitempty"`  // in the answer for one function only

	Manifest *ManifestRef `json:"manifest,omitempty"` // the newest version, in the answers to create and update
	Versions []Manifest   `json:"versions,omitempty"` // newest first, in the answer for one function
}

// CreateFunctionRequest makes a function with an empty first version; the code
// follows as a [ManifestRequest].
type CreateFunctionRequest struct {
	Name        string   `json:"name"`                  // letters, digits, - and _; unique in the account; fixed from then on
	Description string   `json:"description,omitempty"` // what it is for
	EventID     string   `json:"eventId,omitempty"`     // the event that invokes it; fixed from then on
	Skills      []string `json:"skills,omitempty"`      // of the event to keep it to; empty: all
}

// UpdateFunctionRequest changes what all versions share; absent members stay.
type UpdateFunctionRequest struct {
	Description *string   `json:"description,omitempty"` // what it is for
	Skills      *[]string `json:"skills,omitempty"`      // of the event to keep it to; empty: all
	Name        *string   `json:"name,omitempty"`        // fixed at creation: one that differs is refused
	EventID     *string   `json:"eventId,omitempty"`     // fixed at creation: one that differs is refused
}
