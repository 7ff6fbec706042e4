//go:build !linux

package sandbox

import (
	"errors"
	"os/exec"
)

// Join does nothing: only Linux has control groups.
func (n *Group) Join(*exec.Cmd) {}

// Delegated returns an error: only Linux has control groups.
func Delegated(string) (string, error) { return "", errors.New("only Linux has control groups") }
