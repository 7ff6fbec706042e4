package httpapi

import (
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

var update = flag.Bool("update", false, "write the files anew that tests compare with")

// documents are both documents, with the file that each is compared with.
func documents() map[string]document {
	s := &server{}
	routes := s.routes()
	return map[string]document{
		"testdata/openapi.json":    openAPI(routes),
		"testdata/openapi-v1.json": openAPIV1(append(slices.Clone(routes), s.v1Routes()...)),
	}
}

// TestDocument holds the wire contract still: whoever changes it sees the
// difference here, and updates the file and apiVersion on purpose.
func TestDocument(t *testing.T) {
	t.Parallel()
	for golden, doc := range documents() {
		got, err := json.MarshalIndent(doc, "", "  ")
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
}

// TestDocumentIsSound checks the served document against what OpenAPI 3.1
// asks for, as far as we use it; a validator of the format does the rest, end
// to end.
func TestDocumentIsSound(t *testing.T) {
	t.Parallel()
	w := setup(t)
	older := (&server{}).v1Routes()
	for path, routes := range map[string][]Route{documentPath: (&server{}).routes(), documentPathV1: append((&server{}).routes(), older...)} {
		_, header, body := w.do(t, "", "GET", path, "", nil)
		if got := header.Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type %q", got)
		}
		var doc document
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Title == "" || doc.Info.Version == "" || len(doc.Servers) != 1 {
			t.Errorf("head of the document: %s %+v %+v", doc.OpenAPI, doc.Info, doc.Servers)
		}
		ids := map[string]bool{}
		for _, rt := range routes {
			if path == documentPathV1 {
				if rt.V1 == nil {
					continue
				}
				rt.Doc = *rt.V1
			}
			op, ok := doc.Paths[rt.Path][strings.ToLower(rt.Method)]
			if !ok && rt.Doc.ID != "" {
				t.Errorf("%s %s is not in the document", rt.Method, rt.Path)
			}
			if !ok {
				continue
			}
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || len(op.Tags) != 1 || op.Tags[0] == "" {
				t.Errorf("%s %s: operation %+v needs an id of its own, a summary and a tag", rt.Method, rt.Path, op)
			}
			ids[op.OperationID] = true
			checkOperation(t, rt, op)
			for _, r := range *op.Security {
				for name := range r {
					if _, ok := doc.Components.SecuritySchemes[name]; !ok {
						t.Errorf("%s: there is no security scheme %s", op.OperationID, name)
					}
				}
			}
		}
		checkReferences(t, &doc, body)
	}
	for _, rt := range older {
		if rt.V1 == nil && !strings.HasSuffix(rt.Path, "{$}") {
			t.Errorf("%s %s is in no document", rt.Method, rt.Path)
		}
	}
}

func checkOperation(t *testing.T, rt Route, op operation) {
	t.Helper()
	names := map[string]bool{}
	for _, p := range op.Parameters {
		if names[p.In+p.Name+p.Ref] || p.In == "path" && (!p.Required || !strings.Contains(rt.Path, "{"+p.Name+"}")) {
			t.Errorf("%s: parameter %+v", op.OperationID, p)
		}
		names[p.In+p.Name+p.Ref] = true
	}
	if !names["#/components/parameters/X-Request-ID"] || !names["#/components/parameters/v"] && !names["queryv"] {
		t.Errorf("%s does not say that it reads v and X-Request-ID", op.OperationID)
	}
	for status, res := range op.Responses {
		if res.Description == "" || status != "default" && (len(status) != 3 || status[0] < '1' || status[0] > '5') {
			t.Errorf("%s: answer %s %+v", op.OperationID, status, res)
		}
		if _, says := res.Headers["Retry-After"]; says != (status == "429" || status == "503") {
			t.Errorf("%s: answer %s says of Retry-After: %v", op.OperationID, status, says)
		}
	}
}

func checkReferences(t *testing.T, doc *document, body string) {
	t.Helper()
	parts := strings.Split(body, `"$ref": "`)[1:]
	if len(parts) == 0 {
		t.Error("the document refers to nothing")
	}
	for _, part := range parts {
		ref, _, _ := strings.Cut(part, `"`)
		room, name, _ := strings.Cut(strings.TrimPrefix(ref, "#/components/"), "/")
		found := false
		switch room {
		case "schemas":
			s, ok := doc.Components.Schemas[name]
			found = ok && slices.Equal(s.Type, kinds{"object"}) && len(s.Properties) > 0
		case "parameters":
			_, found = doc.Components.Parameters[name]
		case "headers":
			_, found = doc.Components.Headers[name]
		}
		if !found {
			t.Errorf("%s refers to nothing", ref)
		}
	}
}

// TestDocumentedSecurity asks the server, of each way that an operation names
// whether it lets in, and of the others whether they do not.
func TestDocumentedSecurity(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.clientToken(t)
	w.session(t, "admin session")
	for _, rt := range (&server{Config: w.config}).routes() {
		d := &describer{schemes: map[string]bool{}}
		ways := map[string]bool{}
		for _, r := range *d.security(rt) {
			ways[strings.Join(slices.Sorted(maps.Keys(r)), "+")] = true
		}
		if rt.Rule.public {
			if ways["bearer"] || len(ways) > 0 && !ways[""] {
				t.Errorf("%s %s is for everybody, and the document says %v", rt.Method, rt.Path, ways)
			}
			continue
		}
		if !ways["bearer"] || rt.Method == http.MethodGet && !ways["session"] || rt.Method != http.MethodGet && (!ways["csrf+session"] || ways["session"]) {
			t.Errorf("%s %s lets in by %v", rt.Method, rt.Path, ways)
		}
		// What an OAuth client may, it may with a bound token; see the tests of
		// the authorization server for the proof.
		client := rt.Rule.perm != "" && slices.ContainsFunc(convoke.Scopes, func(s convoke.ScopeInfo) bool {
			return rt.Rule.check(&convoke.Principal{AccountID: home, ID: "c", ClientID: "c", Scopes: []convoke.Scope{s.Scope}}, home) == nil
		})
		if client != ways["dpop+dpopProof"] {
			t.Errorf("%s %s: an OAuth client gets in: %v, and the document says %v", rt.Method, rt.Path, client, ways)
		}
	}
}
