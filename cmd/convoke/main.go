// Command convoke is the server, the console and the command line.
package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"convoke/internal/app"
	"convoke/internal/build"
	"convoke/internal/cli"
	"convoke/internal/schedule"
)

// version and revision of the source are set by the build; without a revision
// the metrics show the one that the Go tools left in the binary, if they did.
var version, revision = "dev", ""

func main() {
	build.Stage() // when this process was started to compile one function, it does that and exits

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	os.Exit(cli.Run(ctx, state()))
}

func state() cli.State {
	env := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	executable, _ := os.Executable() // only a hint where to look for the Node builds
	return cli.State{
		Args: os.Args[1:], Env: env, Executable: executable, Version: version, OpenRoot: os.OpenRoot,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		StdinTTY: term.IsTerminal(int(os.Stdin.Fd())), StdoutTTY: term.IsTerminal(int(os.Stdout.Fd())), StderrTTY: term.IsTerminal(int(os.Stderr.Fd())),
		ReadPassword: readPassword, Start: start,
		OpenDir: func(dir string) fs.FS { return os.DirFS(dir) },
		Server:  cli.ServerCommands{Serve: app.Build{Version: version, Revision: revision}.Serve, CreateToken: app.CreateToken, Accounts: accounts, Doctor: app.Doctor, Runtimes: app.Runtimes, Upcoming: schedule.Preview},
	}
}

// start runs a program and does not wait for it.
func start(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // how it ends is the user's to see
	return nil
}

// readPassword reads a line that the terminal does not show. When ctx ends
// first the terminal shows again what is typed.
func readPassword(ctx context.Context) ([]byte, error) {
	stdin := int(os.Stdin.Fd())
	before, err := term.GetState(stdin)
	if err != nil {
		return nil, err
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() { // after a signal it goes with the process
		text, err := term.ReadPassword(stdin)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(stdin, before))
	}
}

// accounts opens the accounts of a data folder for the command line.
func accounts(ctx context.Context, dataDir string) (cli.Accounts, func() error, error) {
	a, err := app.OpenAccounts(ctx, dataDir)
	if err != nil {
		return nil, nil, err
	}
	return a, a.Close, nil
}
