package bench

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestChildLives(t *testing.T) {
	t.Parallel()
	c, err := startChild(t.TempDir(), []string{"WORD=ready"}, "/bin/sh", "-c", `echo $WORD; exec sleep 60`)
	if err != nil {
		t.Fatal(err)
	}
	err = c.await(t.Context(), func(context.Context) error {
		if strings.Contains(c.output.String(), "ready") {
			return nil
		}
		return errors.New("not yet")
	})
	if err != nil {
		t.Error(err)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestChildThatEndsEarly(t *testing.T) {
	t.Parallel()
	c, err := startChild(t.TempDir(), nil, "/bin/sh", "-c", "echo cannot bind >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = c.await(t.Context(), func(context.Context) error { return errors.New("refused") })
	if err == nil || !strings.Contains(err.Error(), "cannot bind") {
		t.Errorf("got %v, want what the process wrote", err)
	}
	if err := c.stop(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("stopping what has ended by itself: %v, want how it ended", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	var out tail
	for range 3 {
		if n, err := out.Write([]byte(strings.Repeat("x", keptOutput))); n != keptOutput || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := out.Write([]byte("the end")); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); len(got) != keptOutput || !strings.HasSuffix(got, "xthe end") {
		t.Errorf("kept %d bytes that end in %.10q", len(got), got[len(got)-10:])
	}
}
