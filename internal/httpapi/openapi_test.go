package httpapi

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/openapi.json anew")

const golden = "testdata/openapi.json"

// TestDocument holds the wire contract still: whoever changes it sees the
// difference here, and updates the file and apiVersion on purpose.
func TestDocument(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(openAPI((&server{}).routes()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("the API document differs from %s; if that is meant, run the test with -update (-want +got):\n%s", golden, diff)
	}
}

// TestDocumentIsSound checks the served document against what OpenAPI 3.1
// asks for, as far as we use it.
func TestDocumentIsSound(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, header, body := w.do(t, "", "GET", "/openapi.json", "", nil)
	if got := header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	var doc document
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" {
		t.Errorf("head of the document: %s %+v", doc.OpenAPI, doc.Info)
	}
	ids := map[string]bool{}
	for _, rt := range (&server{}).routes() {
		op, ok := doc.Paths[rt.Path][strings.ToLower(rt.Method)]
		if !ok {
			t.Errorf("%s %s is not in the document", rt.Method, rt.Path)
			continue
		}
		if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 || op.Tags[0] == "" {
			t.Errorf("%s %s: operation %+v needs an id of its own, a summary and a tag", rt.Method, rt.Path, op)
		}
		ids[op.OperationID] = true
		names := map[string]bool{}
		for _, p := range op.Parameters {
			if names[p.In+p.Name] || p.In == "path" && (!p.Required || !strings.Contains(rt.Path, "{"+p.Name+"}")) {
				t.Errorf("%s: parameter %+v", op.OperationID, p)
			}
			names[p.In+p.Name] = true
		}
		for status, res := range op.Responses {
			if res.Description == "" || status != "default" && (len(status) != 3 || status[0] < '1' || status[0] > '5') {
				t.Errorf("%s: answer %s %+v", op.OperationID, status, res)
			}
		}
		if rt.Rule.public != (op.Security != nil && len(*op.Security) == 0) {
			t.Errorf("%s: security %v, public %v", op.OperationID, op.Security, rt.Rule.public)
		}
	}
	for _, part := range strings.Split(body, `"$ref": "`)[1:] {
		ref, _, _ := strings.Cut(part, `"`)
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		if s, ok := doc.Components.Schemas[name]; !ok || s.Type != "object" || len(s.Properties) == 0 {
			t.Errorf("%s refers to nothing", ref)
		}
	}
}
