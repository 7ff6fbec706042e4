//go:build linux && (amd64 || arm64)

package sandbox

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	node := nodes(t)[0]
	var holds []Level
	for _, f := range Survey(t.Context(), node) {
		if (f.Err == nil) != (f.Hint == "") || f.Offers == "" {
			t.Errorf("%s: error %v, hint %q, offers %q", f.Level, f.Err, f.Hint, f.Offers)
		}
		if f.Err != nil {
			t.Logf("NOT TESTED: this host does not have the level %s: %v", f.Level, f.Err)
			continue
		}
		holds = append(holds, f.Level)
		box, err := Choose(t.Context(), f.Level, node, Config{Folder: t.TempDir()})
		if err != nil || box.Level() != f.Level {
			t.Errorf("asked for %s: %v, %v", f.Level, box, err)
		}
	}
	if len(holds) == 0 {
		t.Skip("NOT TESTED: this host has no level")
	}
	box, err := Choose(t.Context(), Auto, node, Config{Folder: t.TempDir()})
	if err != nil || box.Level() != holds[0] {
		t.Errorf("auto: %v, %v; want %s", box, err, holds[0])
	}
}

func TestChooseRefuses(t *testing.T) {
	t.Parallel()
	// A program that does not run stands for a level that does not hold.
	for _, asked := range []Level{Auto, Namespaces, Landlock} {
		box, err := Choose(t.Context(), asked, "/etc/passwd", Config{Folder: t.TempDir()})
		if err == nil {
			t.Fatalf("%s: chose %s", asked, box.Level())
		}
		if !strings.Contains(err.Error(), "--sandbox none") {
			t.Errorf("%s: %q does not say what can be done", asked, err)
		}
	}
	if box, err := Choose(t.Context(), None, "", Config{}); err != nil || box.Level() != None {
		t.Errorf("none: %v, %v", box, err)
	}
	if _, err := Choose(t.Context(), "strong", "", Config{Folder: "x"}); err == nil || !strings.Contains(err.Error(), "there is no sandbox level") {
		t.Errorf("an unknown level: %v", err)
	}
}

// TestProbeCanFail sees that the probe finds what it looks for when nothing
// confines it.
func TestProbeCanFail(t *testing.T) {
	t.Parallel()
	err := Probe(t.Context(), None, nodes(t)[0])
	if err == nil {
		t.Fatal("the probe did not break out of nothing")
	}
	for _, want := range []string{"read a file of the host", "write to", "environ of the server", "see other processes", "signal the server", "start a program", "connect to the server", "through the network"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell: %s", err, want)
		}
	}
}
