package worker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"convoke"
	"convoke/internal/worker"
)

func TestContracts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		name, code, payload, want string
		fails                     convoke.Code
		change                    func(*worker.Program)
	}{
		{name: "async", code: `async function lambda(input) { return { hello: input.payload.name } }`, payload: `{"name":"Ada"}`, want: `{"hello":"Ada"}`},
		{name: "plain value", code: `function lambda(input) { return 7 }`, payload: `1`, want: `7`},
		{name: "nothing", code: `async function lambda() {}`, payload: `1`, want: `null`},
		{name: "exported", code: `exports.lambda = async (i) => i.payload`, payload: `[1,"ü"]`, want: `[1,"ü"]`},
		{name: "module.exports", code: `module.exports = (i) => "x"`, payload: `1`, want: `"x"`},
		{name: "default", code: `exports.default = () => true`, payload: `1`, want: `true`},
		{name: "environment", code: `const lambda = () => [process.env.COLOUR, process.env.TZ, process.env.PATH ?? null, new Date(0).getTimezoneOffset()]`, payload: `1`, want: `["blue","UTC",null,0]`},
		{name: "headers default", code: `const lambda = (i) => i.headers`, payload: `1`, want: `[]`},
		{name: "built-in", code: `const c = require('node:crypto'); const lambda = () => c.createHash('md5').update('a').digest('hex')`, payload: `1`, want: `"0cc175b9c0f1b6a831c399e269772661"`},
		{name: "trace id", code: `const lambda = async () => { await null; return console.getTraceId() }`, payload: `1`, want: `"req-1"`},
		{name: "no such module", code: `const lambda = () => require('left-pad')`, payload: `1`, fails: convoke.CodeThrew},
		{name: "threw", code: `async function lambda() { throw new Error("no stock") }`, payload: `1`, fails: convoke.CodeThrew},
		{name: "threw a string", code: `async function lambda() { throw "no stock" }`, payload: `1`, fails: convoke.CodeThrew},
		{name: "threw a trap", code: `async function lambda() { throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 } }) }`, payload: `1`, fails: convoke.CodeThrew},
		{name: "type error", code: `async function lambda(i) { return i.a.b.c }`, payload: `1`, fails: convoke.CodeRuntimeError},
		{name: "stack overflow", code: `const lambda = () => lambda()`, payload: `1`, fails: convoke.CodeRuntimeError},
		{name: "BigInt result", code: `const lambda = () => 1n`, payload: `1`, fails: convoke.CodeRuntimeError},
		{name: "cyclic result", code: `const lambda = () => { const a = {}; a.a = a; return a }`, payload: `1`, fails: convoke.CodeRuntimeError},
		{name: "function result", code: `const lambda = () => () => 1`, payload: `1`, fails: convoke.CodeRuntimeError},
		{name: "5 MB result", code: `const lambda = () => 'x'.repeat(5 << 20)`, payload: `1`, fails: convoke.CodeLimitReached},
		{name: "900 kB result", code: `const lambda = () => 'x'.repeat(900 << 10)`, payload: `1`, want: `"` + strings.Repeat("x", 900<<10) + `"`},
		{name: "top-level await", code: "import os from 'node:os'; const v = await Promise.resolve(os.EOL); const lambda = () => v", payload: `1`, want: `"\n"`, change: esm},
		{name: "V1", code: `function lambda(input, callback) { callback(null, input.payload + 1) }`, payload: `1`, want: `2`, change: v1},
		{name: "V1 later", code: `function lambda(input, callback) { setTimeout(() => callback(null, 'later'), 5) }`, payload: `1`, want: `"later"`, change: v1},
		{name: "V1 nothing", code: `function lambda(input, callback) { callback() }`, payload: `1`, want: `null`, change: v1},
		{name: "V1 error", code: `function lambda(input, callback) { callback(new Error('no'), null) }`, payload: `1`, fails: convoke.CodeThrew, change: v1},
		{name: "V1 rejects", code: `async function lambda(input, callback) { throw new Error('no') }`, payload: `1`, fails: convoke.CodeThrew, change: v1},
		{name: "V1 twice", code: `function lambda(input, callback) { callback(null, 1); callback(null, 2) }`, payload: `1`, want: `1`, change: v1},
	} {
		t.Run(c.name, func(t *testing.T) {
			change := []func(*worker.Program){}
			if c.change != nil {
				change = append(change, c.change)
			}
			w := b.start(t, c.code, change...)
			defer w.Kill()
			for range 2 { // what happened must not spoil the next invocation
				got, err := invoke(w, c.payload)
				if got != c.want || convoke.ErrorCode(err) != c.fails {
					t.Fatalf("got %.200s, %v; want %.200s, code %q", got, err, c.want, c.fails)
				}
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct{ name, code, want string }{
		{"no lambda", `const x = 1`, "no function named lambda"},
		{"throws", "\nthrow new Error('no config')", "no config"},
		{"syntax", `const = `, "SyntaxError"},
		{"exits", `process.exit(3)`, "process.exit(3)"},
	} {
		w, _, err := b.tryStart(t, c.code)
		if convoke.ErrorCode(err) != convoke.CodeDeployFailed || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want CodeDeployFailed with %q", c.name, err, c.want)
		}
		if e := w.Exit(); e.Reason != worker.ReasonLoad && e.Reason != worker.ReasonExit {
			t.Errorf("%s: ended by %v", c.name, e)
		}
	}
}

func TestCodeCacheIsMadeAndTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const code = `const lambda = () => 'cached'`
	_, loaded, err := b.tryStart(t, code, func(p *worker.Program) { p.WantCodeCache = true })
	if err != nil || len(loaded.CodeCache) == 0 || loaded.Parameters != 0 || !strings.HasPrefix(loaded.Node, "v26.") {
		t.Fatalf("loaded = %+v, %v", loaded, err)
	}
	w := b.start(t, code, func(p *worker.Program) { p.CodeCache = loaded.CodeCache })
	if got, err := invoke(w, "1"); got != `"cached"` || err != nil {
		t.Errorf("with the cache: %s, %v", got, err)
	}
	w = b.start(t, code, func(p *worker.Program) { p.CodeCache = []byte("damaged") })
	if got, err := invoke(w, "1"); got != `"cached"` || err != nil {
		t.Errorf("with a damaged cache: %s, %v", got, err)
	}
}

// TestDeaths runs each way to go wrong beside a neighbour that must not notice.
func TestDeaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	neighbour := b.start(t, `const lambda = async () => 'fine'`)
	for _, c := range []struct {
		name, code string
		want       convoke.Code
		reason     worker.Reason
		log        string
	}{
		{"endless loop", `const lambda = () => { for (;;); }`, convoke.CodeTimeout, worker.ReasonTimeout, "did not answer within"},
		{"never answers", `const lambda = () => new Promise(() => {})`, convoke.CodeTimeout, worker.ReasonTimeout, "did not answer within"},
		{"heap bomb", `const lambda = () => { const a = []; for (;;) a.push(new Array(1e5).fill(1.5)) }`, convoke.CodeLimitReached, worker.ReasonMemory, "memory"},
		{"buffer bomb", `const lambda = async () => { const a = []; for (;;) { a.push(Buffer.alloc(8 << 20, 1)); await new Promise((r) => setTimeout(r, 2)) } }`, convoke.CodeLimitReached, worker.ReasonMemory, "memory"},
		{"process.exit", `const lambda = () => process.exit(0)`, convoke.CodeRuntimeError, worker.ReasonExit, "process.exit(0)"},
		{"abort", `const lambda = () => process.abort()`, convoke.CodeRuntimeError, worker.ReasonCrash, "crash"},
		{"forged frame", `const lambda = () => { require('fs').writeSync(3, Buffer.from([0, 0, 0, 0, 99, 0, 0, 0, 0])); return new Promise(() => {}) }`, convoke.CodeRuntimeError, worker.ReasonProtocol, "protocol"},
		{"huge frame", `const lambda = () => { require('fs').writeSync(3, Buffer.from([255, 255, 255, 255, 19, 0, 0, 0, 0])); return new Promise(() => {}) }`, convoke.CodeRuntimeError, worker.ReasonProtocol, "protocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := b.start(t, c.code, func(p *worker.Program) { p.FunctionID = c.name })
			timeout := 20 * time.Second
			if c.want == convoke.CodeTimeout {
				timeout = 300 * time.Millisecond
			}
			if _, err := invokeWithin(w, "1", timeout); convoke.ErrorCode(err) != c.want {
				t.Errorf("error = %v, want %s", err, c.want)
			}
			if e := w.Exit(); e.Reason != c.reason || e.Detail == "" {
				t.Errorf("exit = %+v, want reason %s with a detail", e, c.reason)
			}
			e := b.sink.wait(t, c.log)
			if e.AccountID != "1" {
				t.Errorf("entry = %+v", e)
			}
			if got, err := invoke(neighbour, "1"); got != `"fine"` || err != nil {
				t.Errorf("the neighbour answers %s, %v", got, err)
			}
			if _, err := invoke(w, "1"); !errors.Is(err, worker.ErrNotStarted) {
				t.Errorf("a dead worker answers %v, want ErrNotStarted", err)
			}
		})
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	b := setup(t)

	w := b.start(t, `const lambda = async () => { Promise.reject(new Error('lost one')); return 'answered' }`)
	if got, err := invoke(w, "1"); got != `"answered"` || err != nil {
		t.Fatalf("unhandled rejection: %s, %v", got, err)
	}
	if e := b.sink.wait(t, "Unhandled promise rejection: Error: lost one"); e.RequestID != "req-1" || e.Level != convoke.LevelError {
		t.Errorf("entry = %+v", e)
	}
	if got, err := invoke(w, "1"); got != `"answered"` || err != nil {
		t.Errorf("after an unhandled rejection: %s, %v", got, err)
	}

	w = b.start(t, `const lambda = () => { setTimeout(() => { throw new Error('late one') }, 1); return 'answered' }`)
	if got, err := invoke(w, "1"); got != `"answered"` || err != nil {
		t.Fatalf("throw in a timer: %s, %v", got, err)
	}
	b.sink.wait(t, "after lambda had answered")
	if e := w.Exit(); e.Reason != worker.ReasonRetired {
		t.Errorf("exit = %+v, want retired", e)
	}

	w = b.start(t, `const lambda = () => new Promise(() => { setTimeout(() => { null.x }, 1) })`)
	if _, err := invoke(w, "1"); convoke.ErrorCode(err) != convoke.CodeRuntimeError {
		t.Errorf("throw in a timer before the answer: %v, want it told at once", err)
	}
}

// TestNeighboursInOneInstance: invocations that share an instance with one
// that passes its deadline finish when the event loop turns.
func TestNeighboursInOneInstance(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `function lambda(input, callback) { console.log('got ' + input.payload); if (input.payload > 0) setTimeout(() => callback(null, 'done'), input.payload) }`, v1)
	slow := make(chan error, 1)
	go func() {
		got, err := invokeWithin(w, "600", 20*time.Second)
		if err == nil && got != `"done"` {
			err = errors.New(got)
		}
		slow <- err
	}()
	b.sink.wait(t, "got 600")
	if _, err := invokeWithin(w, "0", 200*time.Millisecond); convoke.ErrorCode(err) != convoke.CodeTimeout {
		t.Fatalf("never called back: %v", err)
	}
	if _, err := invoke(w, "1"); !errors.Is(err, worker.ErrNotStarted) {
		t.Errorf("a worker that ends takes another invocation: %v", err)
	}
	if err := <-slow; err != nil {
		t.Errorf("the neighbour: %v", err)
	}
	if e := w.Exit(); e.Reason != worker.ReasonTimeout || e.Lost != 0 {
		t.Errorf("exit = %+v", e)
	}
	b.sink.wait(t, "Lambda did not call callback within execution time limit")
}

func TestConsole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `const lambda = async () => {
		console.debug('d'); console.info('i', 1, {a: 'ü'}); console.log('l', null, undefined); console.warn('w', 10n); console.error(new TypeError('e'));
		console.error(new Error('outer', { cause: new Error('inner') }));
		console.table([1]); console.nonsense('n'); console.assert(1 > 2, 'sum'); console.count(); console.group('g');
		const c = {}; c.c = c; console.log('cycle', c); console.log({ x: 1 }); console.trace('here');
		process.stdout.write('to stdout\n'); process.stderr.write('to stderr\n');
		setTimeout(() => console.log('afterwards'), 1);
	}`)
	if _, err := invoke(w, "1"); err != nil {
		t.Fatal(err)
	}
	b.sink.wait(t, "[cause]: Error: inner")
	for _, want := range []struct {
		text   string
		level  convoke.LogLevel
		source convoke.LogSource
		extras string
	}{
		{"d", convoke.LevelDebug, "console", `[]`}, {"i", convoke.LevelInfo, "console", `[1,{"a":"ü"}]`}, {"l", convoke.LevelInfo, "console", `[null,null]`},
		{"w", convoke.LevelWarn, "console", `["10n"]`}, {"TypeError: e", convoke.LevelError, "console", `[]`}, {"[ 1 ]", convoke.LevelInfo, "console", `[]`},
		{"n", convoke.LevelInfo, "console", `[]`}, {"Assertion failed: sum", convoke.LevelError, "console", `[]`}, {"default: 1", convoke.LevelInfo, "console", `[]`},
		{"g", convoke.LevelInfo, "console", `[]`}, {"cycle", convoke.LevelInfo, "console", `["<ref *1> { c: [Circular *1] }"]`}, {"{ x: 1 }", convoke.LevelInfo, "console", `[]`},
		{"Trace: here", convoke.LevelDebug, "console", `[]`}, {"to stdout", convoke.LevelInfo, "stdout", `[]`}, {"to stderr", convoke.LevelError, "stderr", `[]`},
		{"afterwards", convoke.LevelInfo, "console", `[]`},
	} {
		b.sink.wait(t, want.text)
		found := false
		for _, e := range b.sink.all() {
			if strings.HasPrefix(e.Message, want.text) && e.Level == want.level && e.Source == want.source && string(e.Extras) == want.extras {
				// A line on a pipe may come when its invocation is over.
				found = e.RequestID == "req-1" || want.source != "console"
			}
		}
		if !found {
			t.Errorf("no entry like %+v in\n%+v", want, b.sink.all())
		}
	}
}

func TestLogFlood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `const lambda = () => { for (let i = 0; i < 100000; i++) console.log('line ' + i); return 'done' }`)
	if got, err := invoke(w, "1"); got != `"done"` || err != nil {
		t.Fatalf("%s, %v", got, err)
	}
	e := b.sink.wait(t, "dropped")
	if !strings.HasPrefix(e.Message, "99980 log entries") || e.RequestID != "req-1" || e.Source != convoke.SourcePlatform {
		t.Errorf("entry = %+v", e)
	}
	if n := len(b.sink.all()); n != 21 {
		t.Errorf("%d entries, want 20 and the one that says how many were dropped", n)
	}
}

// TestLogsBeforeDeathAreKept: an entry has left the process before the next
// statement runs.
func TestLogsBeforeDeathAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 10 {
		w := b.start(t, fmt.Sprintf(`const lambda = () => { console.log('last words %d'); process.kill(process.pid, 'SIGKILL'); for (;;); }`, i))
		_, _ = invoke(w, "1")
		b.sink.wait(t, fmt.Sprintf("last words %d", i))
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `const lambda = () => { const start = process.cpuUsage(); for (;;) { const u = process.cpuUsage(start); if (u.user + u.system > 30000) return 1 } }`)
	r, err := w.Invoke(worker.Call{RequestID: "r", Input: []byte(`{"payload":1}`), Timeout: 10 * time.Second})
	if err != nil || r.Run < 20*time.Millisecond || r.Own < 20*time.Millisecond || r.CPU < 30*time.Millisecond || r.PeakMemory < 20<<20 || r.Spent {
		t.Errorf("result = %+v, %v", r, err)
	}
	if res := w.Resident(); res < 1<<20 || res > 200<<20 {
		t.Errorf("resident = %d", res)
	}
}

func TestCloseWaitsForInvocations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `const lambda = () => new Promise((r) => { console.log('running'); setTimeout(() => r('done'), 300) })`)
	answer := make(chan string, 1)
	go func() { got, _ := invoke(w, "1"); answer <- got }()
	b.sink.wait(t, "running")
	w.Close(10 * time.Second)
	if got := <-answer; got != `"done"` {
		t.Errorf("answer = %s", got)
	}
	if e := w.Exit(); e.Reason != worker.ReasonClosed {
		t.Errorf("exit = %+v", e)
	}
}

func serial(p *worker.Program) { p.Serial = true }

// TestSentAhead: invocations that wait in a serial worker run one at a time
// and in order, and are given back when the one before them takes long.
func TestSentAhead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `let busy = false; const lambda = async (i) => {
		if (busy) throw new Error('two at a time');
		busy = true; await new Promise((r) => setTimeout(r, i.payload)); busy = false; return i.payload }`, serial)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if got, err := invoke(w, "1"); (got != "1" || err != nil) && !errors.Is(err, worker.ErrRecalled) {
					t.Errorf("got %s, %v", got, err)
				}
			}
		})
	}
	wg.Wait()

	w = b.start(t, `const lambda = async (i) => { console.log('runs ' + i.payload); await new Promise((r) => setTimeout(r, i.payload)); return i.payload }`, serial)
	first := make(chan string, 1)
	go func() { got, err := invoke(w, "1001"); first <- fmt.Sprint(got, err) }()
	b.sink.wait(t, "runs 1001")
	if _, err := invoke(w, "3"); !errors.Is(err, worker.ErrRecalled) {
		t.Errorf("behind a slow one: %v, want ErrRecalled", err)
	}
	if got := <-first; got != "1001<nil>" {
		t.Errorf("the slow one: %s", got)
	}
}

// TestSentAheadBehindADeath: what waits behind an invocation that kills its
// worker has not begun, so that another can run it.
func TestSentAheadBehindADeath(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, code := range map[string]string{
		"loop":      `const lambda = () => { console.log('begun loop'); for (;;); }`,
		"exit":      `const lambda = () => { console.log('begun exit'); const end = Date.now() + 200; while (Date.now() < end); process.exit(1) }`,
		"exception": `const lambda = () => new Promise(() => { console.log('begun exception'); setTimeout(() => { throw new Error('x') }, 5) })`,
	} {
		w := b.start(t, code, serial)
		first := make(chan error, 1)
		go func() { _, err := invokeWithin(w, "1", 300*time.Millisecond); first <- err }()
		b.sink.wait(t, "begun "+name)
		_, err := invoke(w, "2")
		if !errors.Is(err, worker.ErrNotStarted) && !errors.Is(err, worker.ErrRecalled) {
			t.Errorf("%s: behind it: %v, want ErrNotStarted", name, err)
		}
		if err := <-first; convoke.OutcomeOf(convoke.ErrorCode(err)) == convoke.OutcomePlatformFailure || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManyInvocationsShareAWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `const lambda = async (i) => { await new Promise((r) => setTimeout(r, i.payload % 7)); console.log('x' + i.payload); return i.payload }`)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 50 {
				n := g*1000 + i
				r, err := w.Invoke(worker.Call{RequestID: fmt.Sprint("r", n), Input: fmt.Appendf(nil, `{"payload":%d}`, n), Timeout: 10 * time.Second})
				var got int
				if err != nil || json.Unmarshal(r.JSON, &got) != nil || got != n {
					t.Errorf("%d: %s, %v", n, r.JSON, err)
				}
			}
		})
	}
	wg.Wait()
	for _, e := range b.sink.all() {
		if "r"+strings.TrimPrefix(e.Message, "x") != e.RequestID {
			t.Fatalf("an entry under another's request id: %+v", e)
		}
	}
}

func BenchmarkInvoke(b *testing.B) {
	s := setup(b)
	w := s.start(b, `const lambda = async (input) => [{ type: 'systemMessage', text: 'Hello ' + input.payload.name }]`)
	in := []byte(`{"timestamp":1700000000000,"headers":[],"payload":{"name":"Ada"}}`)
	for b.Loop() {
		if _, err := w.Invoke(worker.Call{RequestID: "req", Input: in, Timeout: 10 * time.Second}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvokeAhead(b *testing.B) {
	s := setup(b)
	w := s.start(b, `const lambda = async (input) => [{ type: 'systemMessage', text: 'Hello ' + input.payload.name }]`, serial)
	in := []byte(`{"timestamp":1700000000000,"headers":[],"payload":{"name":"Ada"}}`)
	b.SetParallelism(2) // 4 at a time on 2 processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			for {
				_, err := w.Invoke(worker.Call{RequestID: "req", Input: in, Timeout: 10 * time.Second})
				if err == nil {
					break
				}
				if !errors.Is(err, worker.ErrRecalled) {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkStart(b *testing.B) {
	s := setup(b)
	for b.Loop() {
		w, err := s.fleet.Start(b.Context(), convoke.DefaultRuntime, 128, "")
		if err != nil {
			b.Fatal(err)
		}
		w.Kill()
	}
}

// BenchmarkFirstAnswer is what a cold start costs when a blank worker is at hand.
func BenchmarkFirstAnswer(b *testing.B) {
	s := setup(b)
	p := &worker.Program{
		AccountID: "1", FunctionID: "fn", Version: 1, Contract: convoke.ContractV2, Format: "cjs",
		Code:      []byte("const lambda = async (input) => [{ type: 'systemMessage', text: 'Hello ' + input.payload.name }];__convoke_lambda(lambda)"),
		MemoryMiB: 128, ResultBytes: 1 << 20, LogEntries: 20, LogCharacters: 10_000,
	}
	in := []byte(`{"timestamp":1700000000000,"headers":[],"payload":{"name":"Ada"}}`)
	for b.Loop() {
		b.StopTimer()
		w, err := s.fleet.Start(b.Context(), convoke.DefaultRuntime, 128, "")
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // let the process settle, as a blank one has
		b.StartTimer()
		if _, err := w.Load(b.Context(), p); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Invoke(worker.Call{RequestID: "req", Input: in, Timeout: 10 * time.Second}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		w.Kill()
		<-w.Done()
		b.StartTimer()
	}
}

// BenchmarkInvokeIdle is the latency of single invocations on a host that has
// nothing else to do, where every wake-up counts.
func BenchmarkInvokeIdle(b *testing.B) {
	s := setup(b)
	w := s.start(b, `const lambda = async (input) => [{ type: 'systemMessage', text: 'Hello ' + input.payload.name }]`)
	in := []byte(`{"timestamp":1700000000000,"headers":[],"payload":{"name":"Ada"}}`)
	var total time.Duration
	for b.Loop() {
		time.Sleep(time.Millisecond)
		begin := time.Now()
		if _, err := w.Invoke(worker.Call{RequestID: "req", Input: in, Timeout: 10 * time.Second}); err != nil {
			b.Fatal(err)
		}
		total += time.Since(begin)
	}
	b.ReportMetric(float64(total.Microseconds())/float64(b.N), "µs/invocation")
}
