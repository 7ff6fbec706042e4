//go:build !linux || !(amd64 || arm64)

package sandbox

import "fmt"

func newConfined(level Level, _ Config) (Sandbox, error) {
	return nil, fmt.Errorf("%s needs Linux", level)
}
