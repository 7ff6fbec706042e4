package config

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// fallbackMemoryMiB is assumed where the system does not say.
const fallbackMemoryMiB = 4096

// hostSize is the number of processors and the memory in MiB that this process
// may use: of the machine, or less where a container has a limit.
func hostSize() (cpus, memoryMiB int) {
	meminfo, _ := os.ReadFile("/proc/meminfo") // absent on other systems: the fallback holds
	limit, _ := os.ReadFile("/sys/fs/cgroup/memory.max")
	return runtime.GOMAXPROCS(0), memoryOf(meminfo, limit)
}

func memoryOf(meminfo, cgroupMax []byte) int {
	memory := fallbackMemoryMiB
	lines := bufio.NewScanner(bytes.NewReader(meminfo))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "MemTotal:" {
			if kib, err := strconv.Atoi(fields[1]); err == nil {
				memory = kib >> 10
			}
			break
		}
	}
	// "max" means no limit and does not parse.
	if limit, err := strconv.ParseInt(strings.TrimSpace(string(cgroupMax)), 10, 64); err == nil {
		memory = min(memory, int(limit>>20))
	}
	return max(memory, 128)
}

// findRuntimes is the folder of Node builds: beside the binary, in the folder
// above (bin/convoke of a checkout), or below the working folder; "" if none.
func findRuntimes(executable string) string {
	var candidates []string
	if executable != "" {
		dir := filepath.Dir(executable)
		candidates = append(candidates, filepath.Join(dir, "runtime", "node"), filepath.Join(dir, "..", "runtime", "node"))
	}
	for _, dir := range append(candidates, filepath.Join("runtime", "node")) {
		if info, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil && info.IsDir() {
			if abs, err := filepath.Abs(dir); err == nil {
				return abs
			}
		}
	}
	return ""
}
