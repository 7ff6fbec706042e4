package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// cmdReadme runs what a section of the README tells a newcomer to type, as it
// stands there but for the server's address, in a folder with bin and examples.
func cmdReadme(ts *testscript.TestScript, args []string) {
	need(ts, args, 1, "readme HEADING")
	heading := strings.Join(args, " ")
	text, err := os.ReadFile("../README.md")
	ts.Check(err)
	_, section, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		ts.Fatalf("the README has no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	runBlocks(ts, section)
}

// cmdDocument runs all commands of a page of the documentation, in the same way.
func cmdDocument(ts *testscript.TestScript, args []string) {
	need(ts, args, 1, "document NAME")
	text, err := os.ReadFile(filepath.Join("../docs", args[0]))
	ts.Check(err)
	runBlocks(ts, string(text))
}

func runBlocks(ts *testscript.TestScript, text string) {
	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
		script.WriteString(block[1])
	}
	if script.Len() == 0 {
		ts.Fatalf("there are no commands in it")
	}
	ts.Check(os.Symlink(binary, ts.MkAbs("bin")))
	examples, err := filepath.Abs("../examples")
	ts.Check(err)
	ts.Check(os.Symlink(examples, ts.MkAbs("examples")))
	ts.Check(ts.Exec("sh", "-ec", strings.ReplaceAll(script.String(), "127.0.0.1:8080", worldOf(ts).server.address)))
}
