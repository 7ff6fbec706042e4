package api

// Runtime is a Node.js major version that functions can choose.
type Runtime struct {
	UUID          string `json:"uuid"`              // stable
	Name          string `json:"name"`              // for people: "Node.js 26"
	BaseImageName string `json:"baseImageName"`     // what a manifest's runtime is set to: "node26"
	Version       string `json:"version,omitempty"` // the exact build, such as "26.2.0"
	Default       bool   `json:"default"`           // whether functions that ask for none get it
}
