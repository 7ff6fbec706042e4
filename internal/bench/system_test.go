package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke/api"
)

func TestSourcesDifferInWhatTheySay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ source, has string }{
		"log": {logSource, "console.log"}, "busy": {busySource, "performance.now"}, "wait": {waitSource, "setTimeout"},
	} {
		if !strings.Contains(tc.source, tc.has) || !strings.Contains(tc.source, "Hello ") {
			t.Errorf("%s: %s", name, tc.source)
		}
	}
}

func TestBaselineInstallsItsHandler(t *testing.T) {
	t.Parallel()
	packages, scratch := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(packages, "workerd"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, b := range baselines(packages, "node", scratch) {
		if err := b.install(packages); err != nil {
			t.Fatal(b.name(), err)
		}
		if err := b.write("Good day"); err != nil {
			t.Fatal(b.name(), err)
		}
		got, err := os.ReadFile(filepath.Join(b.dir, "handler.mjs"))
		if err != nil || !strings.HasPrefix(string(got), "export async function lambda") || !strings.Contains(string(got), "'Good day '") {
			t.Errorf("%s: %s, %v", b.name(), got, err)
		}
	}
}

func TestBaselineFreshPathsAreNew(t *testing.T) {
	t.Parallel()
	b := &baseline{isolates: true}
	seen := map[string]bool{}
	for range 2 {
		targets, err := b.fresh(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range targets {
			seen[target.Path] = true
		}
	}
	if len(seen) != 20 {
		t.Errorf("%d different paths of 20", len(seen))
	}
	if targets, err := (&baseline{}).fresh(t.Context(), 10); targets != nil || err != nil {
		t.Errorf("a server of one function offers %v, %v", targets, err)
	}
}

// TestDeploySpeaksTheAPI drives the client against a recording of what the
// server is asked.
func TestDeploySpeaksTheAPI(t *testing.T) {
	t.Parallel()
	var asked []string
	mux := http.NewServeMux()
	mux.HandleFunc("/api/account/10000001/", func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body) // a deployment has none
		asked = append(asked, fmt.Sprintf("%s %s %v", r.Method, strings.TrimPrefix(r.URL.RequestURI(), "/api/account/10000001"), body))
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(api.Function{UUID: "f1"})
	})
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	s := newServer("convoke", t.TempDir())
	s.address, s.token = strings.TrimPrefix(h.URL, "http://"), "secret"

	if err := s.deploy(t.Context(), "hello", "one", &api.Settings{MaxInstances: 2}); err != nil {
		t.Fatal(err)
	}
	if err := s.deploy(t.Context(), "hello", "two", nil); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST /functions map[name:hello]",
		"PUT /functions/f1/manifest map[code:one settings:map[maxInstances:2]]",
		"POST /deployments/f1?wait=true map[]",
		"PUT /functions/f1/manifest map[code:two]",
		"POST /deployments/f1?wait=true map[]",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	if got, want := s.hello().Targets[0].Path, "/api/account/10000001/lambdas/f1/invoke"; got != want {
		t.Errorf("invokes %s, want %s", got, want)
	}
	s.token = "wrong"
	if err := s.deploy(context.Background(), "hello", "three", nil); err == nil || !strings.Contains(err.Error(), "status 401") {
		t.Errorf("with a wrong token: %v", err)
	}
}
