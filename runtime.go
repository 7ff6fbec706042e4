package convoke

import "slices"

// Runtime is a Node.js major version that functions can choose.
type Runtime struct {
	Name    string // "node26"
	Display string // "Node.js 26"
	ID      string // stable UUID, for the V1 dialect
	Default bool
}

// Runtimes are the pinned Node builds, the default first. The exact builds
// stand in runtime/node/package.json.
var Runtimes = []Runtime{
	{Name: "node26", Display: "Node.js 26", ID: "2f1ad8b6-5c0e-4a26-9d26-000000000026", Default: true},
	{Name: "node24", Display: "Node.js 24", ID: "2f1ad8b6-5c0e-4a26-9d26-000000000024"},
}

// DefaultRuntime is the name of the runtime a version gets that asks for none.
const DefaultRuntime = "node26"

// HasRuntime reports whether name is a runtime.
func HasRuntime(name string) bool { return slices.Contains(RuntimeNames(), name) }

// RuntimeNames are the names of all runtimes, the default first.
func RuntimeNames() []string {
	names := make([]string, len(Runtimes))
	for i, r := range Runtimes {
		names[i] = r.Name
	}
	return names
}
