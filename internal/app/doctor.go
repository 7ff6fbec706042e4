package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	goruntime "runtime"
	"time"

	"convoke"
	"convoke/internal/cli"
	"convoke/internal/config"
	"convoke/internal/sandbox"
	"convoke/internal/worker"
)

// Doctor looks for what would keep a server with this configuration from
// working on this host. Problems are in the report; an error means that
// looking itself failed.
func Doctor(ctx context.Context, cfg *config.Config) (cli.Report, error) {
	var r cli.Report
	add := func(name string, status cli.CheckStatus, message, hint string) {
		r.Checks = append(r.Checks, cli.Check{Name: name, Status: status, Message: message, Hint: hint})
	}
	add("host", cli.CheckOK, fmt.Sprintf("%s/%s, %d processors, %d MiB for instances, at most %d instances",
		goruntime.GOOS, goruntime.GOARCH, goruntime.NumCPU(), cfg.MemoryMiB, cfg.MaxInstances), "")
	checkData(cfg.Data, add)
	checkListen(ctx, "listen", cfg.Listen, add)
	if cfg.TLS != config.TLSOff {
		checkListen(ctx, "https-listen", cfg.HTTPSListen, add)
		if plain := cfg.PlainListen(); plain != "" {
			checkListen(ctx, "http-listen", plain, add)
		}
	}
	checkFiles(cfg.MaxInstances, add)
	checkSandbox(ctx, cfg, add)
	checkCgroup(cfg, add)
	checkRuntimes(ctx, cfg, add)
	return r, nil
}

type addCheck func(name string, status cli.CheckStatus, message, hint string)

func checkData(dir string, add addCheck) {
	probe := dir
	for { // the nearest folder that is there: doctor creates nothing
		if _, err := os.Stat(probe); err == nil || filepath.Dir(probe) == probe {
			break
		}
		probe = filepath.Dir(probe)
	}
	f, err := os.CreateTemp(probe, ".convoke-doctor-*")
	if err != nil {
		add("data", cli.CheckFail, fmt.Sprintf("%s cannot be written: %v", probe, err), "choose another folder with --data")
		return
	}
	f.Close()
	os.Remove(f.Name())
	free, err := freeBytes(probe)
	switch {
	case err != nil:
		add("data", cli.CheckWarn, fmt.Sprintf("%s can be written; its free space is unknown: %v", dir, err), "")
	case free < 1<<30:
		add("data", cli.CheckWarn, fmt.Sprintf("%s has %d MiB free", dir, free>>20), "make room: changes are refused when the disk is full")
	default:
		add("data", cli.CheckOK, fmt.Sprintf("%s can be written, %d GiB free", dir, free>>30), "")
	}
}

func checkListen(ctx context.Context, name, address string, add addCheck) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		add(name, cli.CheckWarn, fmt.Sprintf("%s is not free: %v", address, err), "a server may be running already; otherwise choose another address with --"+name)
		return
	}
	l.Close()
	add(name, cli.CheckOK, address+" is free", "")
}

// checkSandbox tries every level. One that the configuration needs is a
// failure when it does not hold, another one is worth knowing about.
func checkSandbox(ctx context.Context, cfg *config.Config, add addCheck) {
	runtimes, err := worker.FindRuntimes(ctx, cfg.Runtimes)
	if err != nil {
		return // checkRuntimes says it
	}
	asked, strongest := sandbox.Level(cfg.Sandbox), sandbox.None
	for _, f := range sandbox.Survey(ctx, runtimes[convoke.DefaultRuntime].Path) {
		name := "sandbox " + string(f.Level)
		switch {
		case f.Err == nil:
			if strongest == sandbox.None {
				strongest = f.Level
			}
			add(name, cli.CheckOK, "holds: "+f.Offers, "")
		case asked == f.Level:
			add(name, cli.CheckFail, f.Err.Error(), f.Hint)
		default:
			add(name, cli.CheckWarn, f.Err.Error(), f.Hint)
		}
	}
	switch {
	case asked == sandbox.None:
		add("sandbox", cli.CheckWarn, "level none: functions run with the rights of the server's user",
			"deploy only functions that you would run yourself, or start with --sandbox auto")
	case asked == sandbox.Auto && strongest == sandbox.None:
		add("sandbox", cli.CheckFail, "no level holds on this host", "do what is said above, or run only functions of your own with --sandbox none")
	case asked == sandbox.Auto:
		add("sandbox", cli.CheckOK, fmt.Sprintf("auto takes level %s", strongest), "")
	}
}

// filesPerInstance is what one instance costs the server in descriptors.
const filesPerInstance = 4

func checkFiles(instances int, add addCheck) {
	have, err := openFileLimit()
	need := uint64(instances*filesPerInstance + 1024)
	switch {
	case err != nil:
		add("files", cli.CheckWarn, fmt.Sprintf("the limit of open files is unknown: %v", err), "")
	case have < need:
		add("files", cli.CheckWarn, fmt.Sprintf("at most %d open files", have), fmt.Sprintf("raise it to %d (ulimit -n)", need))
	default:
		add("files", cli.CheckOK, fmt.Sprintf("at most %d open files", have), "")
	}
}

func checkRuntimes(ctx context.Context, cfg *config.Config, add addCheck) {
	runtimes, err := worker.FindRuntimes(ctx, cfg.Runtimes)
	if err != nil {
		add("runtimes", cli.CheckFail, err.Error(), "")
		return
	}
	dir, err := os.MkdirTemp("", "convoke-doctor-*")
	if err != nil {
		add("runtimes", cli.CheckFail, err.Error(), "")
		return
	}
	defer os.RemoveAll(dir)
	for _, rt := range convoke.Runtimes {
		found, ok := runtimes[rt.Name]
		if !ok {
			add(rt.Name, cli.CheckWarn, rt.Display+" is not installed", "run `make runtime`; functions that ask for it cannot be deployed")
			continue
		}
		took, err := tryWorker(ctx, runtimes, rt.Name, dir)
		if err != nil {
			add(rt.Name, cli.CheckFail, fmt.Sprintf("%s does not start a worker: %v", found.Path, err), "install what the message names, such as the package libatomic1")
			continue
		}
		add(rt.Name, cli.CheckOK, fmt.Sprintf("%s, a worker is ready in %s", found.Version, took.Round(time.Millisecond)), "")
	}
}

// tryWorker starts one worker and ends it.
func tryWorker(ctx context.Context, runtimes map[string]worker.Runtime, name, dir string) (time.Duration, error) {
	box, err := sandbox.New(sandbox.None, sandbox.Config{})
	if err != nil {
		return 0, err
	}
	fleet, err := worker.NewFleet(worker.Config{Runtimes: runtimes, Dir: dir, Sandbox: box, Sink: discard{}})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() { _ = fleet.Run(ctx); close(stopped) }()
	defer func() { cancel(); <-stopped }()
	start := time.Now()
	_, err = fleet.Start(ctx, name, 128, "")
	return time.Since(start), err
}

type discard struct{}

func (discard) Append(...convoke.LogEntry) {}

// Runtimes lists the Node builds of this host.
func Runtimes(ctx context.Context, cfg *config.Config) ([]cli.Runtime, error) {
	found, err := worker.FindRuntimes(ctx, cfg.Runtimes)
	if err != nil {
		return nil, err
	}
	out := []cli.Runtime{}
	for _, rt := range convoke.Runtimes {
		if f, ok := found[rt.Name]; ok {
			out = append(out, cli.Runtime{Name: rt.Name, Version: f.Version, Path: f.Path, Default: rt.Default})
		}
	}
	return out, nil
}
