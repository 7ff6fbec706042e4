// Command convoke is the server, the console and the command line.
package main

import (
	"context"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"convoke/internal/app"
	"convoke/internal/build"
	"convoke/internal/cli"
)

// version is set by the build.
var version = "dev"

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
		OpenDir: func(dir string) fs.FS { return os.DirFS(dir) },
		Server:  cli.ServerCommands{Serve: app.Serve, CreateToken: app.CreateToken, Doctor: app.Doctor, Runtimes: app.Runtimes},
	}
}
