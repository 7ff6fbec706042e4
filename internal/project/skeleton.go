package project

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"convoke"
)

// exampleName is the function of a project that is made without names, as the
// reference's command line calls it.
const exampleName = "exampleFunction"

const projectReadme = `# Functions

Each folder in functions is one function: index.js or index.ts, and config.json
with its name, event, description and environment variables. The folder has the
function's name.

    convoke init NAME              add a function
    convoke push NAME --deploy     save it on the server and make it live
    convoke invoke NAME            call it
    convoke pull NAME              fetch what others saved

functions/settings.json holds secrets for runs on this machine only; it is never
sent to a server and does not belong into a repository.
`

const projectIgnore = `node_modules/
functions/settings.json
`

const (
	codeJS = `async function lambda(input) {
  console.info("called with", input.payload);
  return "Hello World";
}
`
	codeTS = `interface Input {
  headers: { key: string; value: string }[];
  payload: any;
}

async function lambda(input: Input) {
  console.info("called with", input.payload);
  return "Hello World";
}
`
	// Of events that carry out commands.
	commandJS = `async function lambda(input) {
  console.info("called with", input.payload);
  return [{ type: "systemMessage", text: "Hello World" }];
}
`
	commandTS = `interface Input {
  headers: { key: string; value: string }[];
  payload: any;
}

async function lambda(input: Input) {
  console.info("called with", input.payload);
  return [{ type: "systemMessage", text: "Hello World" }];
}
`
)

// Made is what Init did, all as the user would write it.
type Made struct {
	Functions []string `json:"functions"`
	Created   []string `json:"created"`
	Kept      []string `json:"kept"`
}

// Init makes the layout of a workspace in the current folder, or adds
// functions to the one that it is in. What is there stays as it is.
func (d *Folders) Init(names []string, event string, typeScript bool) (*Made, error) {
	if event == NoEvent {
		event = ""
	}
	if err := convoke.ValidateEventID(event); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := convoke.ValidateName(name, convoke.DefaultLimits().NameLength); err != nil {
			return nil, mistakef("%q: %v", name, ruleOf(err))
		}
	}
	w, err := d.Workspace()
	if err != nil {
		return nil, err
	}
	if w == nil {
		here, err := d.open(".")
		if err != nil {
			return nil, err
		}
		w = &Workspace{root: here, shown: "."}
		if len(names) == 0 {
			names = []string{exampleName}
		}
	}
	m := &Made{Functions: []string{}, Created: []string{}, Kept: []string{}}
	for _, f := range []struct{ name, text string }{
		{".gitignore", projectIgnore}, {"README.md", projectReadme}, {functionsDir + "/settings.json", "{\n  \"secrets\": []\n}\n"},
	} {
		if err := m.file(Place{root: w.root, dir: ".", dirs: w.shown}, f.name, f.text); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if err := m.function(w.function(name), event, typeScript); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Entry is the main file of the first function that was made, "" without any.
func (m *Made) Entry() string {
	if len(m.Functions) == 0 {
		return ""
	}
	name := "index.js"
	for _, file := range m.Created {
		if strings.HasSuffix(file, "index.ts") {
			name = "index.ts"
		}
	}
	return filepath.Join(functionsDir, m.Functions[0], name)
}

// file makes a file unless there is something of that name.
func (m *Made) file(at Place, name, text string) error {
	full := path.Join(at.dir, name)
	if err := at.root.MkdirAll(path.Dir(full), 0o755); err != nil {
		return err
	}
	f, err := at.root.OpenFile(full, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		m.Kept = append(m.Kept, at.path(name))
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	m.Created = append(m.Created, at.path(name))
	return errors.Join(err, f.Close())
}

// function makes the files of a function that does not exist.
func (m *Made) function(at Place, event string, typeScript bool) error {
	if at.hasIndex() {
		m.Kept = append(m.Kept, at.dirs)
		return nil
	}
	entry, code := "index.js", codeJS
	commands := strings.HasPrefix(event, "controllerbot_")
	switch {
	case typeScript && commands:
		entry, code = "index.ts", commandTS
	case typeScript:
		entry, code = "index.ts", codeTS
	case commands:
		code = commandJS
	}
	input, err := sampleInput(event)
	if err != nil {
		return err
	}
	config, err := encode(newConfig{at.name, eventText(event), "", input, environmentForm(at.formHere(), nil)}, "", true)
	if err != nil {
		return err
	}
	if err := m.file(at, entry, code); err != nil {
		return err
	}
	m.Functions = append(m.Functions, at.name)
	return m.file(at, configFile, config+"\n")
}

// sampleInput is what a function of that event gets, for config.json.
func sampleInput(event string) (json.RawMessage, error) {
	if event == "" {
		return emptyInput, nil
	}
	var sample struct {
		Headers json.RawMessage `json:"headers"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(convoke.EventByID(event).SamplePayload(), &sample); err != nil {
		return nil, err
	}
	return json.Marshal(sample)
}
