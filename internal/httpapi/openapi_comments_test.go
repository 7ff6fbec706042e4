package httpapi

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke"
	"convoke/api"
)

const descriptionsPath = "descriptions.json"

// comments are what the source of the wire types says of them.
func comments(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"../..", "../../api"} {
		for _, f := range parseDir(t, dir) {
			for _, decl := range f.Decls {
				gen, ok := decl.(*ast.GenDecl)
				if !ok || gen.Tok != token.TYPE {
					continue
				}
				for _, spec := range gen.Specs {
					if typ := spec.(*ast.TypeSpec); typ.Name.IsExported() {
						commentsOf(all, typ, gen.Doc)
					}
				}
			}
		}
	}
	return all
}

func parseDir(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := fs.Glob(os.DirFS(dir), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), dir+"/"+name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

func commentsOf(all map[string]string, typ *ast.TypeSpec, doc *ast.CommentGroup) {
	st, ok := typ.Type.(*ast.StructType)
	if !ok {
		return
	}
	tagged := slices.ContainsFunc(st.Fields.List, func(f *ast.Field) bool { return f.Tag != nil && strings.Contains(f.Tag.Value, "json:") })
	embeds := slices.ContainsFunc(st.Fields.List, func(f *ast.Field) bool { return len(f.Names) == 0 })
	if !tagged && !embeds {
		return
	}
	if text := prose(doc); text != "" && tagged {
		all[typ.Name.Name] = text
	}
	for _, f := range st.Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			continue
		}
		name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		text := prose(f.Comment)
		if text == "" { // else what stands above is about several
			text = strings.Replace(prose(f.Doc), f.Names[0].Name+" ", "`"+name+"` ", 1)
		}
		if text != "" && text != "Convoke's own." {
			all[typ.Name.Name+"."+f.Names[0].Name] = text
		}
	}
}

var docLink = regexp.MustCompile(`\[([A-Z]\w*)\]`)

// prose is a comment in one line, without what only readers of Go understand.
func prose(c *ast.CommentGroup) string {
	return docLink.ReplaceAllString(strings.Join(strings.Fields(c.Text()), " "), "$1")
}

// TestDescriptions holds the descriptions of the API document to the comments
// in the source, of types that it shows.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	all := comments(t)
	s := &server{}
	shown := openAPI(s.routes()).Components.Schemas
	maps.Copy(shown, openAPIV1(append(s.routes(), s.v1Routes()...)).Components.Schemas)
	embedded := map[string]bool{"Token": true, "User": true, "Client": true, "Account": true, "SetSecretRequest": true}
	maps.DeleteFunc(all, func(key, _ string) bool {
		name, _, _ := strings.Cut(key, ".")
		_, ok := shown[name]
		return !ok && !embedded[name]
	})
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile(descriptionsPath, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(descriptionsPath)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(b), "\n")); diff != "" {
		t.Errorf("%s is not what the comments say; if that is meant, run the tests with -update, twice: the program holds the file (-want +got):\n%s", descriptionsPath, diff)
	}
}

// TestEverythingIsDescribed: no parameter, member or header without a word.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	s := &server{}
	for name, doc := range map[string]document{"new": openAPI(s.routes()), "V1": openAPIV1(append(s.routes(), s.v1Routes()...))} {
		for typ, sc := range doc.Components.Schemas {
			if sc.Description == "" {
				t.Errorf("%s: type %s has no comment", name, typ)
			}
			undescribed(sc, typ, func(path string) {
				t.Errorf("%s: member %s has no description: write a comment behind it, then go test -update", name, path)
			})
		}
		for path, ops := range doc.Paths {
			for method, op := range ops {
				for _, p := range op.Parameters {
					if p.Ref == "" && p.Description == "" {
						t.Errorf("%s: %s %s: parameter %s has no description", name, method, path, p.Name)
					}
				}
				for status, res := range op.Responses {
					for h, at := range res.Headers {
						if at.Ref == "" && at.Description == "" {
							t.Errorf("%s: %s %s %s: header %s has no description", name, method, path, status, h)
						}
					}
				}
			}
		}
		for _, one := range doc.Tags {
			if one.Description == "" {
				t.Errorf("%s: tag %s has no description", name, one.Name)
			}
		}
	}
}

func undescribed(sc schema, at string, tell func(path string)) {
	for name, member := range sc.Properties {
		if member.Description == "" {
			tell(at + "." + name)
		}
		undescribed(member, at+"."+name, tell)
	}
}

// TestEnumsAreComplete: a set holds every constant of its type that the root
// package has, but for those that nobody may send or see.
func TestEnumsAreComplete(t *testing.T) {
	t.Parallel()
	constants := map[string][]string{}
	for _, f := range parseDir(t, "../..") {
		for _, decl := range f.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.CONST {
				continue
			}
			for _, spec := range gen.Specs {
				v := spec.(*ast.ValueSpec)
				typ, ok := v.Type.(*ast.Ident)
				if !ok || len(v.Values) != 1 {
					continue
				}
				if lit, ok := v.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					constants[typ.Name] = append(constants[typ.Name], strings.Trim(lit.Value, `"`))
				}
			}
		}
	}
	for typ, set := range map[string]string{
		"CallOutcome": "callOutcome", "Contract": "contract", "DeploymentState": "deploymentState", "Generation": "generation", "GrantType": "grantType",
		"Language": "language", "LogLevel": "logLevel", "LogSource": "logSource", "Outcome": "outcome", "Permission": "permission", "Role": "role",
		"RunState": "runState", "Scope": "grantedScope", "SecretType": "secretType", "SessionKind": "sessionKind", "State": "state",
	} {
		want, got := slices.Sorted(slices.Values(constants[typ])), slices.Sorted(slices.Values(enums[set]))
		if len(want) == 0 || !slices.Equal(want, got) {
			t.Errorf("the set %s is %q, the constants of %s are %q", set, got, typ, want)
		}
	}
}

// TestEnumsAreWhatTheServerSays compares those sets that the authorization
// server names itself.
func TestEnumsAreWhatTheServerSays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, _, body := w.do(t, "", "GET", "/.well-known/oauth-authorization-server", "", nil)
	var says api.OAuthServer
	if err := json.Unmarshal([]byte(body), &says); err != nil {
		t.Fatal(err)
	}
	for set, values := range map[string][]string{"scope": says.Scopes, "tokenGrant": says.GrantTypes} {
		for _, one := range values { // fewer, as nobody can sign in here
			if !slices.Contains(enums[set], one) {
				t.Errorf("the server has %q, which the set %s of the document has not: %q", one, set, enums[set])
			}
		}
		if len(values) == 0 {
			t.Errorf("the server names no %s", set)
		}
	}
	// And of those that it checks itself, that it takes each and no other.
	for set, check := range map[string]func(text string) error{
		"role":  func(s string) error { _, err := convoke.ParseRole(s); return err },
		"scope": func(s string) error { _, err := convoke.ParseScope(s); return err },
		"generation": func(s string) error {
			return (&convoke.Account{ID: "1", Name: "n", Generation: convoke.Generation(s)}).Validate()
		},
		"contract": func(s string) error {
			return (&convoke.Version{Language: convoke.JavaScript, Contract: convoke.Contract(s)}).Validate(convoke.DefaultLimits())
		},
		"language": func(s string) error {
			return (&convoke.Version{Language: convoke.Language(s)}).Validate(convoke.DefaultLimits())
		},
		"runtime": func(s string) error {
			return (&convoke.Version{Language: convoke.JavaScript, Runtime: s}).Validate(convoke.DefaultLimits())
		},
		"secretType": func(s string) error { return convoke.SecretType(s).Validate(convoke.NewSecret("1")) },
		"grantType": func(s string) error {
			c := convoke.Client{AccountID: "1", Name: "n", GrantTypes: []convoke.GrantType{convoke.GrantType(s)}, Scopes: []convoke.Scope{convoke.ScopeInvoke}}
			if s == string(convoke.GrantAuthorizationCode) {
				c.RedirectURIs = []string{"http://127.0.0.1/callback"}
			}
			return c.Validate()
		},
		"accountLimit": func(s string) error { _, err := convoke.AccountLimits{}.With(map[string]int{s: 1}); return err },
	} {
		for _, text := range enums[set] {
			if err := check(text); err != nil {
				t.Errorf("%s: %q is refused: %v", set, text, err)
			}
		}
		if check("nothing of the kind") == nil {
			t.Errorf("%s: anything is taken", set)
		}
	}
}
