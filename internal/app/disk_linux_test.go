package app_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"convoke"
	"convoke/client"
)

// TestDiskFull: on a full disk changes are refused and nothing is lost; what
// is deployed goes on, and with room again all is as before.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting the small file system that this test fills takes root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Skipf("SKIPPED: no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { // after the server has stopped: clean-ups run last in, first out
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s := startIn(t, dir)
	id := s.deploy(t, "kept", `async function lambda() { console.log('called'); return 'kept' }`)

	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	big := `{"code":"` + strings.Repeat("x", 90_000) + `"}`
	status, body, _ := s.do(t, http.MethodPut, "/functions/"+id+"/manifest", big, nil)
	if status != http.StatusInsufficientStorage || !strings.Contains(body, `"code":"convoke.store.full"`) {
		t.Errorf("save on a full disk: %d %s", status, body)
	}
	if f, err := s.Function(t.Context(), id); err != nil || f.LatestVersion != 1 || f.State != string(convoke.StateProductive) {
		t.Errorf("after the refusal: %+v, %v", f, err)
	}
	for range 20 {
		if got, err := s.invoke(t, id, "1"); got != `"kept"` || err != nil {
			t.Fatalf("on a full disk: %s, %v", got, err)
		}
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := s.do(t, http.MethodPut, "/functions/"+id+"/manifest", big, nil); status != http.StatusOK {
		t.Errorf("save with room again: %d %s", status, body)
	}
	s.until(t, "all log entries", func() bool {
		logs, err := s.Logs(t.Context(), client.LogFilter{FunctionID: id, Text: "called", Limit: 1000})
		return err == nil && len(logs) == 20
	})
	s.until(t, "readiness", func() bool {
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// fill writes until nothing fits any more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			t.Fatal(err)
		}
	}
}
