package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"time"

	"convoke"
)

// The bounds of one compilation in a child process. An ordinary function
// needs a hundredth of the time; the rest is for busy machines.
const (
	timeLimit   = 10 * time.Second
	memoryLimit = 512 << 20
	stackLimit  = 64 << 20 // of one goroutine: some 15,000 nested expressions
	replyLimit  = 64 << 20
)

// slots bounds how many children run at a time; who comes later waits.
var slots = make(chan struct{}, max(4, runtime.NumCPU()))

// isolated says that this program's main calls Stage, so that it can be
// started again as a compiler.
var isolated atomic.Bool

// stageVariable in the environment makes Stage the compiler.
const stageVariable = "CONVOKE_BUILD_STAGE"

// Exit codes of the compiler's process. 2 is the Go runtime's own.
const (
	exitFailed = 3
	exitMemory = 4
)

// Stage must be the first call of main, before flags are read and goroutines
// started. In a process that Compile started it compiles one source and does
// not return. In any other it returns at once, and Compile uses child
// processes from then on.
func Stage() {
	if os.Getenv(stageVariable) == "" {
		isolated.Store(true)
		return
	}
	debug.SetGCPercent(-1) // most are done before there is anything to collect
	debug.SetMemoryLimit(memoryLimit / 4)
	debug.SetMaxStack(stackLimit)
	go func() {
		time.Sleep(timeLimit + time.Second) // should the parent be gone
		os.Exit(exitFailed)
	}()
	go exitWhenLarge()
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	os.Exit(0)
}

func exitWhenLarge() {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	for range time.Tick(5 * time.Millisecond) {
		if metrics.Read(sample); sample[0].Value.Uint64() > memoryLimit {
			os.Exit(exitMemory)
		}
	}
}

// reply is what the child answers: an output, or what is wrong with the source.
type reply struct {
	Output   *Output           `json:"output,omitempty"`
	Code     convoke.Code      `json:"code,omitempty"`
	Message  string            `json:"message,omitempty"`
	Problems []convoke.Problem `json:"problems,omitempty"`
}

func serve(in io.Reader, out io.Writer) error {
	var src Source
	if err := json.NewDecoder(in).Decode(&src); err != nil {
		return fmt.Errorf("read the source: %w", err)
	}
	output, err := compile(context.Background(), src)
	answer := reply{Output: output}
	if failure, ok := errors.AsType[*convoke.Error](err); ok {
		answer = reply{Code: failure.Code, Message: failure.Message, Problems: failure.Problems}
	} else if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(answer)
}

func compileInChild(ctx context.Context, src Source, limit time.Duration) (*Output, error) {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	executable, err := self()
	if err != nil {
		return nil, unavailable(err)
	}
	request, err := json.Marshal(src)
	if err != nil {
		return nil, fmt.Errorf("send the source to the compiler: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()

	stdout, stderr := &buffer{limit: replyLimit}, &buffer{limit: 8 << 10}
	cmd := exec.CommandContext(limited, executable)
	cmd.Env = []string{stageVariable + "=1"} // none of the server's: it holds secrets
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(request), stdout, stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, unavailable(err)
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, died(err, limited.Err() != nil, stderr.kept.String())
	}

	var answer reply
	if err := json.Unmarshal(stdout.kept.Bytes(), &answer); err != nil {
		return nil, fmt.Errorf("read the compiler's answer: %w", err)
	}
	if answer.Code != "" {
		return nil, &convoke.Error{Code: answer.Code, Message: answer.Message, Problems: answer.Problems}
	}
	return answer.Output, nil
}

// self is this program's file. On Linux it is the very file that runs, even
// when an upgrade has put another in its place.
func self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

func unavailable(err error) error {
	return &convoke.Error{Code: convoke.CodeUnavailable, Message: "the compiler could not be started; try again", RetryAfter: time.Second, Cause: err}
}

// died says why the compiler's process ended without an answer. The source is
// the reason in all cases that are known, so none is an internal error.
func died(err error, late bool, stderr string) error {
	message := "the compiler failed on this code; simplify it"
	exit, _ := errors.AsType[*exec.ExitError](err)
	switch {
	case late:
		message = fmt.Sprintf("compiling takes more than %s; simplify the code, such as long chains of operators", timeLimit)
	case exit != nil && exit.ExitCode() == exitMemory:
		message = fmt.Sprintf("compiling needs more than %d MiB; simplify the code", memoryLimit>>20)
	case strings.Contains(stderr, "stack exceeds"):
		message = "the code is nested too deeply to compile; simplify it"
	}
	cause := err
	if head, _, _ := strings.Cut(stderr, "\n"); head != "" {
		cause = fmt.Errorf("%w: %s", err, head)
	}
	return &convoke.Error{Code: convoke.CodeBuildFailed, Message: message, Cause: cause}
}

// buffer keeps the first limit bytes and forgets the rest. It does not embed
// its Buffer: io.Copy would find ReadFrom and pass by the limit.
type buffer struct {
	kept  bytes.Buffer
	limit int
}

func (b *buffer) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(len(p), b.limit-b.kept.Len())])
	return len(p), nil
}
