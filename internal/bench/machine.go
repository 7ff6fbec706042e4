package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is where a report's figures were measured, and with which builds.
type Machine struct {
	Cores                        int
	CPU, Kernel                  string
	Memory                       int64
	Go, Node, Workerd, Framework string
}

// thisMachine gathers what it can; a fact that cannot be had is "unknown".
func thisMachine(ctx context.Context, node, packages string) Machine {
	kernel := bytes.TrimSpace(fileOrNil("/proc/sys/kernel/osrelease"))
	m := Machine{
		Cores:     runtime.NumCPU(),
		CPU:       orUnknown(field("/proc/cpuinfo", "model name")),
		Kernel:    runtime.GOOS + " " + orUnknown(string(kernel)),
		Go:        runtime.Version(),
		Node:      "unknown",
		Workerd:   packageVersion(filepath.Dir(filepath.Dir(workerdBinary(packages)))),
		Framework: packageVersion(filepath.Join(packages, "node_modules", "@google-cloud", "functions-framework")),
	}
	kib, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.ParseInt(kib, 10, 64); err == nil {
		m.Memory = n << 10
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, node, "--version").Output(); err == nil {
		m.Node = strings.TrimSpace(string(out))
	}
	return m
}

// field is the value of the first "name: value" line of a file, or "".
func field(file, name string) string {
	for line := range strings.Lines(string(fileOrNil(file))) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func packageVersion(dir string) string {
	var p struct {
		Version string `json:"version"`
	}
	_ = json.Unmarshal(fileOrNil(filepath.Join(dir, "package.json")), &p) // then it stays unknown
	return orUnknown(p.Version)
}

func fileOrNil(name string) []byte {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return b
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
