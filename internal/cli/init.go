package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

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

func (a *app) initCommand() *cobra.Command {
	var event string
	var typeScript bool
	cmd := &cobra.Command{
		Use:   "init [NAME...]",
		Short: "Make a project for functions, or add functions to one",
		Long: `Makes the layout of a project in the current folder: functions/NAME with
index.js and config.json for each function, functions/settings.json, a README.md
and a .gitignore. Files that are there stay as they are. Nothing is sent to a
server.`,
		Example: `  convoke init
  convoke init greeting --event controllerbot_messaging_new_conversation
  convoke init orders prices --typescript`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, names []string) error {
			return a.runInit(names, event, typeScript)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().StringVar(&event, "event", "", "event that the functions listen to")
	cmd.Flags().BoolVar(&typeScript, "typescript", false, "index.ts instead of index.js")
	return cmd
}

// made is what init did.
type made struct {
	Functions []string `json:"functions"`
	Created   []string `json:"created"`
	Kept      []string `json:"kept"`
}

func (a *app) runInit(names []string, event string, typeScript bool) error {
	if event == noEvent {
		event = ""
	}
	if err := convoke.ValidateEventID(event); err != nil {
		return err
	}
	for _, name := range names {
		if err := convoke.ValidateName(name, convoke.DefaultLimits().NameLength); err != nil {
			return usagef("%q: %v", name, shown(err).Message)
		}
	}
	w, err := a.workspace()
	if err != nil {
		return err
	}
	if w == nil {
		here, err := a.open(".")
		if err != nil {
			return err
		}
		w = &workspace{root: here, shown: "."}
		if len(names) == 0 {
			names = []string{exampleName}
		}
	}
	done := made{Functions: []string{}, Created: []string{}, Kept: []string{}}
	for _, f := range []struct{ name, text string }{
		{".gitignore", projectIgnore}, {"README.md", projectReadme}, {functionsDir + "/settings.json", "{\n  \"secrets\": []\n}\n"},
	} {
		if err := done.file(place{root: w.root, dir: ".", dirs: w.shown}, f.name, f.text); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := done.function(w.function(name), event, typeScript); err != nil {
			return err
		}
	}
	return a.printMade(&done)
}

// file makes a file unless there is something of that name.
func (m *made) file(at place, name, text string) error {
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
func (m *made) function(at place, event string, typeScript bool) error {
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

func (a *app) printMade(m *made) error {
	if a.json {
		return a.printJSON(m)
	}
	for _, name := range m.Created {
		a.note("created %s", name)
	}
	for _, name := range m.Kept {
		a.note("kept    %s", name)
	}
	if len(m.Functions) > 0 {
		name := m.Functions[0]
		a.note("next: change %s, then", filepath.Join(functionsDir, name, "index."+cmp.Or(m.suffix(), "js")))
		a.note("  convoke push %s --deploy\n  convoke invoke %s", name, name)
	}
	return nil
}

// suffix is that of the code that was made.
func (m *made) suffix() string {
	for _, name := range m.Created {
		if strings.HasSuffix(name, "index.ts") {
			return "ts"
		}
	}
	return ""
}
