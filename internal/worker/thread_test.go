package worker_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
	"convoke/internal/egress"
	"convoke/internal/worker"
)

// inThread is a lambda's body that runs code in a thread and answers with what
// it gives to done. ask waits for that without coming back to the event loop.
const inThread = `const { Worker } = require('node:worker_threads');
	const start = (code, options) => new Worker('const { parentPort, workerData } = require("node:worker_threads"); const { ca } = workerData; const done = (v) => parentPort.postMessage(v);' +
		'const text = (r) => new Promise((ok, no) => { let s = ""; r.setEncoding("utf8").on("data", (d) => { s += d }).on("end", () => ok(s)).on("error", no) });' +
		'(async () => {' + code + '})().then(done, (e) => done("failed: " + e.message + " " + (e.cause?.message ?? "")))', { eval: true, workerData: { ca }, ...options });
	const thread = (code, options) => new Promise((ok, no) => { let v; start(code, options).on('message', (m) => { v = m }).on('error', no).on('exit', () => ok(v)) });
	`

// TestCallsOfThreads makes calls in threads, which are judged as all others.
func TestCallsOfThreads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := setupWith(t, w.road)
	eachRuntime(t, func(t *testing.T, runtime string) {
		for _, c := range []struct{ name, body, want string }{
			{"fetch", "return thread(`return (await (await fetch('http://plain.test/t')).json()).path`)", `"/t"`},
			{"fetch over TLS", "return thread(`require('tls').setDefaultCACertificates([ca]); return (await (await fetch('https://tls.test/')).json()).host`)", `"tls.test"`},
			{"http with an agent", "return thread(`const agent = new (require('http').Agent)({ keepAlive: true }); const get = (path) => new Promise((ok, no) => require('http').get({ host: 'plain.test', path, agent }, (r) => text(r).then(ok, no)).on('error', no)); const out = []; for (const p of ['/a', '/b']) out.push(JSON.parse(await get(p)).path); agent.destroy(); return out`)", `["/a","/b"]`},
			{"net", "return thread(`return text(require('net').connect(7, 'echo.test').end('hello'))`)", `"hello over"`},
			{"tls", "return thread(`const s = require('tls').connect({ host: 'tls.test', port: 443, servername: 'tls.test', ca }); await new Promise((ok, no) => s.once('secureConnect', ok).once('error', no)); s.destroy(); return s.authorized`)", `true`},
			{"WebSocket", "return thread(`const s = new WebSocket('ws://plain.test/ws'); s.onopen = () => s.send('ping'); const m = await new Promise((ok, no) => { s.onmessage = (e) => ok(e.data); s.onerror = no }); s.close(); return m`)", `"ping"`},
			{"a name first", "return thread(`const a = await require('dns').promises.lookup('plain.test'); return a.address.startsWith('198.1')`)", `true`},
			{"refused", "return thread(`return fetch('http://evil.test/').catch((e) => [e.cause.code, e.cause.host, e.cause.message])`)", "[\"ERR_EGRESS_REFUSED\",\"evil.test\",\"evil.test is not allowed; allow it with `convoke domain add evil.test`\"]"},
			{"not found", "return thread(`return fetch('http://nowhere.test/').catch((e) => e.cause.code)`)", `"ENOTFOUND"`},
			{"many at a time", "return thread(`const all = await Promise.all(Array.from({ length: 100 }, (_, i) => fetch('http://plain.test/' + i).then((r) => r.json()))); return all.every((j, i) => j.path === '/' + i)`)", `true`},
			{"four threads at a time", "return Promise.all([1, 2, 3, 4].map((n) => thread(`return (await (await fetch('http://plain.test/${n}')).json()).path`)))", `["/1","/2","/3","/4"]`},
			{"one after the other", "const out = []; for (let n = 0; n < 4; n++) out.push(await thread(n % 2 ? `return 0` : `return (await (await fetch('http://plain.test/')).json()).path`)); return out", `["/",0,"/",0]`},
			{"own options", "return thread(`return [process.execArgv, process.env.X, (await (await fetch('http://plain.test/')).json()).path]`, { execArgv: ['--no-warnings'], env: { X: 'y' } })", `[["--no-warnings"],"y","/"]`},
			{"while the first waits for it", "const flag = new Int32Array(new SharedArrayBuffer(4)); const w = start(`const f = workerData.flag; await (await fetch('http://plain.test/')).text(); Atomics.store(f, 0, 1); Atomics.notify(f, 0)`, { workerData: { flag } }); const how = Atomics.wait(flag, 0, 0, 10_000); await w.terminate(); return [how === 'timed-out', flag[0]]", `[false,1]`},
			{"ended while it calls", "const w = start(`const f = fetch('http://slow.test/'); done('asking'); await f`); await new Promise((ok) => w.once('message', ok)); const code = await w.terminate(); return [code, await thread(`return (await (await fetch('http://plain.test/')).json()).path`)]", `[1,"/"]`},
			{"keeps the thread alive", "return thread(`require('net').connect(80, 'slow.test').setTimeout(50, function () { done('time-out'); this.destroy() })`)", `"time-out"`},
			{"a thread of a thread", "return thread(`const { Worker } = require('node:worker_threads'); return new Promise((ok, no) => new Worker('fetch(\"http://plain.test/\").catch((e) => require(\"node:worker_threads\").parentPort.postMessage(e.cause.message))', { eval: true }).on('message', ok).on('error', no))`)",
				`"The call to plain.test was refused: a thread that was started by a thread cannot make calls; start it from the first one"`},
			{"more than there are lines", "const hold = `const s = require('net').connect(7, 'echo.test'); await new Promise((ok, no) => s.once('connect', ok).once('error', no)); return 'open'`; const all = []; const seen = []; for (let n = 0; n < 33; n++) { const w = start(hold); all.push(w); seen.push(await new Promise((ok) => w.once('message', ok))) } await Promise.all(all.map((w) => w.terminate())); return [seen.slice(0, 32).every((s) => s === 'open'), seen[32]]",
				`[true,"failed: The call to echo.test was refused: the server has no way out left for this thread; use fewer threads, or make the call in the first "]`},
			{"more dials than may wait", "const many = `const codes = await Promise.all(Array.from({ length: 250 }, () => new Promise((r) => { const s = require('net').connect(80, 'slow.test'); s.on('error', (e) => r(e.code)); setTimeout(() => { s.destroy(); r('late') }, 1500) }))); return codes.filter((c) => c === 'ERR_EGRESS_LIMITED').length`; const all = await Promise.all([1, 2, 3, 4, 5].map(() => thread(many))); const n = all.reduce((a, b) => a + b); return n > 0 && n <= 5 * 250 - 1024", `true`},
			{"the class", "class Own extends Worker {}; const w = new Own('0', { eval: true }); let wrong; try { new Worker('0', { eval: 1, argv: 7 }) } catch (e) { wrong = e.code } await new Promise((ok) => w.on('exit', ok)); return [Worker.name, w instanceof Worker, wrong, (await import('node:worker_threads')).Worker === Worker]", `["Worker",true,"ERR_INVALID_ARG_TYPE",true]`},
		} {
			t.Run(c.name, func(t *testing.T) {
				f := b.function(t, w, runtime, inThread+c.body, func(p *worker.Program) { p.MemoryMiB = 512 })
				// To start 33 threads takes a busy machine its time.
				got, err := invokeWithin(f, w.payload(), 5*time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				if got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			})
		}
		b.sink.wait(t, "convoke domain add evil.test")
	})
}

// TestCallsOfThreadsAreReported: they are dialled and recorded for the function
// and the invocation that started the thread.
func TestCallsOfThreadsAreReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := setupWith(t, w.road).function(t, w, convoke.DefaultRuntime, inThread+"return thread(`for (const m of ['GET', 'PUT']) await (await fetch('http://plain.test/', { method: m })).text(); return 'ok'`)")
	if got, err := invoke(f, w.payload()); err != nil || got != `"ok"` {
		t.Fatalf("got %s, %v", got, err)
	}
	w.until(t, func() bool { return len(w.calls) >= 2 })
	w.mu.Lock()
	defer w.mu.Unlock()
	src := &egress.Source{AccountID: "1", FunctionID: "fn", Version: 3, Only: []string{"*.test"}}
	for _, q := range w.requests {
		if diff := cmp.Diff(egress.Request{Source: src, RequestID: "req-1", Host: "plain.test", Port: 80}, q); diff != "" {
			t.Error(diff)
		}
	}
	call := convoke.Call{AccountID: "1", FunctionID: "fn", Version: 3, RequestID: "req-1", Host: "plain.test", Port: 80, Method: "GET", Status: 200, Outcome: convoke.CallOK}
	put := call
	put.Method = "PUT"
	if diff := cmp.Diff([]convoke.Call{call, put}, w.calls, cmpopts.IgnoreFields(convoke.Call{}, "At", "Took", "Sent", "Received")); diff != "" {
		t.Error(diff)
	}
}

// TestHostileThreads: what a thread's own code never writes on its line, and too
// many lines, end the worker or get nothing.
func TestHostileThreads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := setupWith(t, w.road)
	// The line of a thread is the one socket that it opened itself.
	const forge = `const fs = require('fs'); const sockets = () => new Set(fs.readdirSync('/proc/self/fd').filter((n) => { try { return fs.readlinkSync('/proc/self/fd/' + n).startsWith('socket') } catch {} }));
		await fetch('http://nowhere.test/').catch(() => {}); const all = [...sockets()].map(Number).filter((n) => n > 4);
		const frame = (type, id, body) => { const f = Buffer.alloc(9 + body.length); f.writeUInt32LE(body.length, 0); f[4] = type; f.writeUInt32LE(id, 5); body.copy(f, 9); return f };
		const to = (host) => { const b = Buffer.alloc(7 + host.length); b.writeUInt16LE(80, 4); b.write(host, 7); return b };
		const put = (...f) => { for (const fd of all) try { fs.writeSync(fd, Buffer.concat(f)) } catch {} }; `
	const first = `const put = (type, id, n = 0) => { const f = Buffer.alloc(9 + n); f.writeUInt32LE(n, 0); f[4] = type; f.writeUInt32LE(id, 5); require('fs').writeSync(3, f) }; `
	for name, c := range map[string]struct{ body, detail string }{
		"a result":           {"return thread(`" + forge + "put(frame(19, 1, Buffer.alloc(17))); await new Promise(() => setInterval(() => {}, 1000))`)", "type 19 from a thread"},
		"a log entry":        {"return thread(`" + forge + "put(frame(21, 1, Buffer.alloc(14))); await new Promise(() => setInterval(() => {}, 1000))`)", "type 21 from a thread"},
		"a line of a thread": {"return thread(`" + forge + "put(frame(28, 1, Buffer.alloc(0))); await new Promise(() => setInterval(() => {}, 1000))`)", "type 28 from a thread"},
		"a number twice":     {"return thread(`" + forge + "put(frame(26, 99, to('slow.test')), frame(26, 99, to('slow.test'))); await new Promise(() => setInterval(() => {}, 1000))`)", "number that was used"},
		"a flood":            {"return thread(`" + forge + "for (let i = 0; i < 300; i++) put(frame(26, 100 + i, to('slow.test'))); await new Promise(() => setInterval(() => {}, 1000))`)", "more than 256 dials"},
		"a long frame":       {"return thread(`" + forge + "put(Buffer.from([0, 0, 1, 0, 26, 9, 9, 0, 0])); await new Promise(() => setInterval(() => {}, 1000))`)", "larger than allowed"},
		"a report of no one": {"return thread(`" + forge + "put(frame(27, 99, Buffer.alloc(27))); await new Promise(() => setInterval(() => {}, 1000))`)", "no connection"},
		"lines with a body":  {first + `put(28, 9, 5); return new Promise(() => {})`, "a thread with a body"},
		"lines, one number":  {first + `put(28, 9); put(28, 9); return new Promise(() => {})`, "number that was used"},
		"unasked lines":      {first + `for (let i = 9; i < 50; i++) put(28, i); return new Promise(() => {})`, "exit code 71"},
	} {
		t.Run(name, func(t *testing.T) {
			f := b.function(t, w, convoke.DefaultRuntime, inThread+c.body)
			if _, err := invoke(f, w.payload()); convoke.ErrorCode(err) != convoke.CodeRuntimeError {
				t.Errorf("error = %v", err)
			}
			if e := f.Exit(); !slices.Contains([]worker.Reason{worker.ReasonProtocol, worker.ReasonExit}, e.Reason) || !strings.Contains(e.Detail, c.detail) {
				t.Errorf("exit = %+v, want %q", e, c.detail)
			}
		})
	}
}
