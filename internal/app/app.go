// Package app puts the server together and runs it: the composition root, and
// the only importer of the adapters.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"convoke"
	"convoke/internal/account"
	"convoke/internal/auth"
	"convoke/internal/config"
	"convoke/internal/domain"
	"convoke/internal/egress"
	"convoke/internal/event"
	"convoke/internal/function"
	"convoke/internal/gateway"
	"convoke/internal/httpapi"
	"convoke/internal/invoke"
	"convoke/internal/metric"
	"convoke/internal/oauth"
	"convoke/internal/pool"
	"convoke/internal/runlog"
	"convoke/internal/sandbox"
	"convoke/internal/schedule"
	"convoke/internal/secret"
	"convoke/internal/sqlstore"
	"convoke/internal/telemetry"
	"convoke/internal/worker"
)

// App is a server. Make it with New, run it with Run, which also closes it.
type App struct {
	cfg    *config.Config
	log    *slog.Logger
	unlock func()

	store     *sqlstore.Store
	telemetry *telemetry.Telemetry
	runlog    *runlog.Log
	metric    *metric.Recorder
	oauth     *oauth.Server
	auth      *auth.Auth
	account   *account.Service
	groups    *sandbox.Groups // nil where there are none
	fleet     *worker.Fleet
	egress    *egress.Proxy
	domain    *domain.Service
	pool      *pool.Pool[*worker.Worker]
	invoke    *invoke.Service
	function  *function.Service
	secret    *secret.Service
	schedule  *schedule.Service
	handler   http.Handler
	doors     []*door // the first is cfg.Listen

	ready atomic.Bool
	drain chan struct{} // closed when the server begins to stop
}

// Build is which program the server is, for its metrics. The zero Build is
// unknown.
type Build struct{ Version, Revision string }

// New is that of the zero Build.
func New(ctx context.Context, cfg *config.Config, out io.Writer) (*App, error) {
	return Build{}.New(ctx, cfg, out)
}

// New opens the store, prepares everything and listens. What the operator
// must be told once, the generated password, is printed on out. On an error
// nothing is left open.
func (b Build) New(ctx context.Context, cfg *config.Config, out io.Writer) (_ *App, err error) {
	a := &App{cfg: cfg, log: newLogger(cfg, out), drain: make(chan struct{})}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	runtimes, err := worker.FindRuntimes(ctx, cfg.Runtimes)
	if err != nil {
		return nil, err
	}
	if a.store, err = sqlstore.Open(ctx, sqlstore.Config{Dir: cfg.Data, Logger: a.log}); err != nil {
		return nil, err
	}
	if a.unlock, err = lock(filepath.Join(cfg.Data, "server.lock")); err != nil {
		return nil, err
	}
	sandboxed := a.try(ctx, runtimes[convoke.DefaultRuntime].Path)
	defer func() {
		sandboxed.stop()
		<-sandboxed.ended
	}()
	// Before anything is printed or created that only a first start shows.
	if err = a.listen(ctx); err != nil {
		return nil, err
	}
	if err = firstStart(ctx, a.store, cfg.AdminPassword, out); err != nil {
		return nil, err
	}
	if a.telemetry, err = telemetry.New(telemetry.Build(b)); err != nil {
		return nil, err
	}
	if err = a.wire(ctx, runtimes, sandboxed); err != nil {
		return nil, err
	}
	if err = a.openDoors(a.handler, out); err != nil {
		return nil, err
	}
	if err = a.isolate(ctx, sandboxed); err != nil {
		return nil, err
	}
	if cfg.WriteProfile != "" {
		if err = a.writeProfile(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// wire makes the parts, from the workers up to the handler.
func (a *App) wire(ctx context.Context, runtimes map[string]worker.Runtime, sandboxed *trial) error {
	cfg := a.cfg
	a.runlog = runlog.New(runlog.Config{Store: a.store, Logger: a.log, Telemetry: a.telemetry, Retention: cfg.LogRetention, Reports: cfg.ReportRetention})
	a.metric = metric.New(metric.Config{Store: a.store, Logger: a.log, Telemetry: a.telemetry})
	var err error
	if err = a.wireOAuth(); err != nil {
		return err
	}
	a.auth, err = auth.New(auth.Config{Tokens: a.store, People: a.store, JWT: a.oauth, Logger: a.log, SessionIdle: cfg.SessionIdle, SessionLifetime: cfg.SessionLifetime})
	if err != nil {
		return err
	}
	a.account, err = account.New(ctx, account.Config{Store: a.store, Auth: a.auth, Limits: cfg.Limits, Logger: a.log,
		ActivityRetention: cfg.ActivityRetention, Used: a.usedBy(), Bounds: a.bounds(), Switched: a.switched,
		Refused: func(r account.Refusal) { a.telemetry.Refused(string(r)) }})
	if err != nil {
		return err
	}
	box, err := sandboxed.before(sandbox.Level(cfg.Sandbox), a.sandboxConfig())
	if err != nil {
		return err
	}
	if a.groups, err = a.openGroups(); err != nil {
		return err
	}
	if a.egress, err = a.newEgress(); err != nil {
		return err
	}
	a.domain = domain.New(domain.Config{Store: a.store, Limits: cfg.Limits, LimitsOf: a.account.LimitsOf, Changed: a.egress.Changed})
	a.fleet, err = worker.NewFleet(worker.Config{
		Runtimes: runtimes, Dir: filepath.Join(cfg.Data, "runtime"), Sandbox: box, Groups: a.groups, Egress: a.egress, Sink: a.runlog, Logger: a.log,
		OnExit: func(e worker.Exit) { a.telemetry.WorkerDied(string(e.Reason)) },
	})
	if err != nil {
		return err
	}
	a.pool = pool.New(pool.Config[*worker.Worker]{
		Starter: a.fleet, DefaultRuntime: convoke.DefaultRuntime, BlankMemoryMiB: cfg.Limits.DefaultMemory, Blanks: cfg.Blanks,
		MaxInstances: cfg.MaxInstances, MaxInstancesPerAccount: cfg.MaxInstancesPerAccount, InstancesOf: a.account.InstancesOf,
		MaxWaiters: cfg.MaxWaiters, MaxWait: cfg.MaxWait, MemoryMiB: cfg.MemoryMiB,
		Grace: cfg.ShutdownGrace, Behind: a.fleet.Behind, Logger: a.log,
		Observer: pool.Observer{Refused: func(r pool.Refusal) { a.telemetry.Refused(string(r)) }},
	})
	if err := a.telemetry.ObservePool(a.poolStats); err != nil {
		return err
	}
	a.invoke = invoke.New(invoke.Config{
		Store: a.store, Pool: a.pool, Recorder: recorder{a.metric, a.telemetry, a.account},
		Limits: cfg.Limits, Domain: localAddress(a.Addr()), Refused: a.telemetry.Refused, Enabled: a.account.Enabled,
	})
	a.function = function.New(function.Config{Store: a.store, Runner: a.invoke, Limits: cfg.Limits, LimitsOf: a.account.LimitsOf, Logger: a.log})
	a.secret, err = secret.New(ctx, secret.Config{Store: a.store, Dir: filepath.Join(cfg.Data, "keys"), Limits: cfg.Limits, LimitsOf: a.account.LimitsOf, Logger: a.log})
	if err != nil {
		return err
	}
	a.schedule = schedule.New(schedule.Config{Store: a.store, Invoker: a.invoke, Limits: cfg.Limits, LimitsOf: a.account.LimitsOf, Logger: a.log, Drain: a.drain})
	gw := gateway.New(gateway.Config{Invoker: a.invoke, Dispatcher: event.New(a.invoke), Limits: cfg.Limits, Accounts: a.account})
	identity, err := identityOf(cfg.OIDC)
	if err != nil {
		return err
	}
	builds := map[string]string{}
	for name, rt := range runtimes {
		builds[name] = rt.Version
	}
	v1, v2 := cfg.Hosts()
	a.handler, err = httpapi.New(httpapi.Config{
		Functions: a.function,
		Tester:    &invoke.Tester{Service: a.invoke, Store: a.store, Flush: a.runlog.Flush},
		Log:       a.runlog, Logs: a.store, Metrics: a.metric, Activities: a.store, Pages: a.store, Auth: a.auth, Accounts: a.account, OAuth: a.oauth,
		Domains: a.domain, Secrets: a.secret, Schedules: a.schedule,
		Identity: identity,
		Gateway:  httpapi.Gateway{Invoke: gw.Invoke, Event: gw.Event, Implemented: gw.Implemented},
		Probes: httpapi.Probes{
			Live: http.HandlerFunc(a.livez), Ready: http.HandlerFunc(a.readyz),
			Metrics: a.telemetry.Handler(), MetricsPublic: cfg.MetricsPublic,
		},
		RuntimeBuilds: builds, Limits: cfg.Limits, Logger: a.log, V1: gateway.V1, Drain: a.drain, Observe: a.telemetry.Request,
		Discovery:   httpapi.Discovery{V1: v1, V2: v2, Generations: a.account},
		BodyTimeout: cfg.BodyTimeout,
	})
	return err
}

// recorder puts an invocation into the function's own counters, and unless it
// was turned away, which who did so counts, into the server's metrics and the
// account's month.
type recorder struct {
	metric    *metric.Recorder
	telemetry *telemetry.Telemetry
	account   *account.Service
}

func (r recorder) Record(inv *convoke.Invocation) {
	r.metric.Record(inv)
	if inv.Code != convoke.CodeThrottled {
		r.telemetry.Invocation(inv)
		r.account.Count(inv.AccountID)
	}
}

func (a *App) poolStats() telemetry.PoolStats {
	s := a.pool.Stats()
	return telemetry.PoolStats{
		Blank: s.Blanks, Starting: s.Starting, Idle: s.Idle, Busy: s.Busy, Draining: s.Draining + s.Closing,
		InFlight: s.Leases, Waiting: s.Waiters, Behind: a.fleet.CountBehind(),
	}
}

// Addr is where the server listens for plain HTTP.
func (a *App) Addr() net.Addr { return a.doors[0].listener.Addr() }

// Run serves until ctx ends and then stops in order: not ready, no new
// requests, streams end, invocations finish, instances drain, records and log
// entries are stored, the store closes.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	if err := a.function.Recover(ctx); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if err := a.secret.Recover(ctx); err != nil {
		return fmt.Errorf("recover the change of the master key: %w", err)
	}
	grace := a.cfg.ShutdownGrace
	stages := []stage{
		{"log entries", a.runlog.Run, 12 * time.Second},
		{"records", a.metric.Run, 7 * time.Second},
		// Before what invokes, so that it stores the usage of all that ran.
		{"accounts", a.account.Run, 5 * time.Second},
		{"egress", a.egress.Run, 5 * time.Second},
		{"workers", a.fleet.Run, 5 * time.Second},
		// Before the pool, so that it stops after it: the pool bounds what runs.
		{"schedules", a.schedule.Run, 5 * time.Second},
		{"pool", a.pool.Run, grace + 5*time.Second},
		{"tokens", a.auth.Run, 5 * time.Second},
		{"keys and grants", a.oauth.Run, 5 * time.Second},
		{"functions", a.function.Run, 15 * time.Second},
		{"http", a.serve, grace + 2*time.Second},
	}
	err := runStages(ctx, a.log, stages, func() {
		if err := a.invoke.Warm(ctx); err != nil {
			a.log.Error("functions with minInstances are not kept warm", "err", err)
		}
		a.ready.Store(true)
		a.log.Info("ready", "address", a.Addr().String(), "data", a.cfg.Data)
	})
	a.log.Info("stopped")
	return err
}

func (a *App) close() {
	for _, d := range a.doors {
		d.listener.Close()
	}
	if a.store != nil {
		if err := a.store.Close(); err != nil {
			a.log.Error("close the store", "err", err)
		}
	}
	if a.unlock != nil {
		a.unlock()
	}
}

func (a *App) livez(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") }

// readyz answers 200 once the server takes requests and while what it
// promises holds: the store answers, and log entries reach it.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	err := a.health(r.Context())
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintf(w, "not ready: %s\n", err)
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}

func (a *App) health(ctx context.Context) error {
	if !a.ready.Load() {
		return errors.New("starting or stopping")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		a.log.Error("the store does not answer", "err", err)
		return errors.New("the store does not answer")
	}
	if err := a.runlog.Healthy(); err != nil {
		a.log.Error("log entries cannot be stored", "err", err)
		return errors.New("log entries cannot be stored")
	}
	return nil
}

func newLogger(cfg *config.Config, out io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Log.Level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, opts))
	}
	return slog.New(slog.NewTextHandler(out, opts))
}

// lock makes sure that one server at a time uses a data directory. The lock
// goes with the process, however it ends.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("another server is running on this data directory (%s is locked)", path)
	}
	return func() { f.Close() }, nil
}
