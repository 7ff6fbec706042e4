package worker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"convoke"
	"convoke/internal/egress"
	"convoke/internal/sandbox"
	"convoke/internal/worker"
)

// eachRuntime runs a test with every Node build that the project pins.
func eachRuntime(t *testing.T, test func(t *testing.T, runtime string)) {
	for _, rt := range convoke.Runtimes {
		t.Run(rt.Name, func(t *testing.T) {
			t.Parallel()
			test(t, rt.Name)
		})
	}
}

// function is an instance whose lambda has the body given, with these at hand:
// ca, cert and key, and text(response) for what http.request answers.
func (b *bench) function(t *testing.T, w *world, runtime, body string, change ...func(*worker.Program)) *worker.Worker {
	t.Helper()
	code := `
		let ca, cert, key;
		const text = (r) => new Promise((ok, no) => { let s = ''; r.setEncoding('utf8').on('data', (d) => { s += d }).on('end', () => ok(s)).on('error', no) });
		const get = (mod, options) => new Promise((ok, no) => require(mod).get(options, async (r) => ok(JSON.parse(await text(r)))).on('error', no));
		const failure = (e) => ({ name: e.name, code: e.code, message: e.message, host: e.host, port: e.port, statusCode: e.statusCode, syscall: e.syscall });
		const lambda = async (input) => { ({ ca, cert, key } = input.payload); ` + body + ` }`
	p := &worker.Program{
		AccountID: "1", FunctionID: "fn", Version: 3, Contract: convoke.ContractV2, Format: "cjs",
		Code:      []byte(code + "\n;__convoke_lambda(lambda)"),
		MemoryMiB: 128, ResultBytes: 1 << 20, LogEntries: 50, LogCharacters: 100_000, Domains: []string{"*.test"},
	}
	for _, c := range change {
		c(p)
	}
	wk, err := b.fleet.Start(t.Context(), runtime, p.MemoryMiB, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wk.Kill)
	if _, err := wk.Load(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return wk
}

// payload is what a function of function needs.
func (w *world) payload() string {
	b, _ := json.Marshal(map[string]string{"ca": w.ca.Cert, "cert": w.client.Cert, "key": w.client.Key})
	return string(b)
}

// TestCalls makes calls by everything that Node brings along.
func TestCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := setupWith(t, w.road)
	eachRuntime(t, func(t *testing.T, runtime string) {
		for _, c := range []struct{ name, body, want string }{
			{"fetch", `const r = await fetch('http://plain.test/a?b=1'); const j = await r.json(); return [r.status, j.method, j.host, j.path]`,
				`[200,"GET","plain.test","/a"]`},
			{"fetch with a port", `return (await (await fetch('http://plain.test:8080/')).json()).host`, `"plain.test:8080"`},
			{"fetch POST", `const r = await fetch('http://plain.test/', { method: 'POST', body: 'x'.repeat(300000) }); return (await r.json()).body.length`, `300000`},
			{"fetch streams", `const r = await fetch('http://plain.test/drip'); let s = ''; for await (const c of r.body) s += Buffer.from(c); return s`, `"one two three"`},
			{"fetch sends a stream", `const body = new ReadableStream({ start(c) { c.enqueue(Buffer.from('ab')); c.enqueue(Buffer.from('cd')); c.close() } });
				return (await (await fetch('http://plain.test/', { method: 'POST', body, duplex: 'half' })).json()).body`, `"abcd"`},
			{"fetch aborted", `const a = new AbortController(); const r = await fetch('http://plain.test/drip?endless', { signal: a.signal }); setTimeout(() => a.abort(), 20);
				return r.text().catch((e) => e.name)`, `"AbortError"`},
			{"fetch aborted while it waits", `return fetch('http://slow.test/', { signal: AbortSignal.timeout(30) }).catch((e) => e.name)`, `"TimeoutError"`},
			{"fetch over TLS", `require('tls').setDefaultCACertificates([ca]); return (await (await fetch('https://tls.test/')).json()).host`, `"tls.test"`},
			{"fetch checks the certificate", `return fetch('https://tls.test/').catch((e) => e.cause.code)`, `"UNABLE_TO_VERIFY_LEAF_SIGNATURE"`},
			{"fetch follows", `const r = await fetch('http://plain.test/?to=http://other.test/'); return [r.redirected, (await r.json()).host]`, `[true,"other.test"]`},
			{"fetch follows to what is refused", `return fetch('http://plain.test/?to=http://evil.test/').catch((e) => e.cause.code)`, `"ERR_EGRESS_REFUSED"`},
			{"http", `return (await get('http', 'http://plain.test/h')).path`, `"/h"`},
			{"https", `return (await get('https', { host: 'tls.test', path: '/h', ca })).path`, `"/h"`},
			{"https with an agent", `const agent = new (require('https').Agent)({ keepAlive: true, maxSockets: 1, ca });
				const out = await Promise.all([1, 2, 3].map((n) => get('https', { host: 'tls.test', path: '/' + n, agent }))); return out.map((r) => r.path)`, `["/1","/2","/3"]`},
			{"https with another agent", `const agent = new (require('https').Agent)({ keepAlive: false, ca, lookup: () => { throw new Error('looked up') } });
				return (await get('https', { host: 'tls.test', path: '/', agent, family: 4, localAddress: '127.0.0.1' })).host`, `"tls.test"`},
			{"client certificate", `return (await get('https', { host: 'mutual.test', ca, cert, key, path: '/' })).client`, `"client"`},
			{"client certificate of an agent", `const agent = new (require('https').Agent)({ ca, cert, key, keepAlive: true }); return (await get('https', { host: 'mutual.test', agent })).client`, `"client"`},
			{"no client certificate", `return get('https', { host: 'mutual.test', ca }).catch((e) => e.code)`, `"ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"`},
			{"http2", `const s = require('http2').connect('https://tls.test', { ca }); const r = s.request({ ':path': '/two' }); const j = JSON.parse(await text(r)); s.close(); return [j.proto, j.path]`, `[2,"/two"]`},
			{"WebSocket", `const s = new WebSocket('ws://plain.test/ws'); s.onopen = () => s.send('ping'); const m = await new Promise((ok, no) => { s.onmessage = (e) => ok(e.data); s.onerror = no }); s.close(); return m`, `"ping"`},
			{"WebSocket over TLS", `require('tls').setDefaultCACertificates([ca]); const s = new WebSocket('wss://tls.test/ws'); s.onopen = () => s.send('ping');
				const m = await new Promise((ok, no) => { s.onmessage = (e) => ok(e.data); s.onerror = (e) => no(e.error) }); s.close(); return m`, `"ping"`},
			{"net", `return text(require('net').connect(7, 'echo.test').end('hello'))`, `"hello over"`},
			{"net in steps", `const s = new (require('net').Socket)(); s.setNoDelay(true).setKeepAlive(true, 1000); s.unref(); s.ref(); s.connect({ host: 'echo.test', port: '7', allowHalfOpen: true }); s.write('a');
				await new Promise((r) => s.once('connect', r)); s.end('b'); return text(s)`, `"ab over"`},
			{"net with a buffer of its own", `return new Promise((ok) => { let n = 0; const s = require('net').connect({ host: 'echo.test', port: 7, onread: { buffer: Buffer.alloc(4), callback: (k) => { n += k; return true } } }); s.end('hello'); s.on('close', () => ok(n)) })`, `10`},
			{"net a second time", `const s = require('net').connect(7, 'echo.test'); s.end('one'); await new Promise((r) => s.once('connect', r)); const port = s.remotePort; const one = await text(s); await new Promise((r) => s.once('close', r));
				s.connect(8, 'echo.test'); s.write('two', () => s.end()); await new Promise((r) => s.once('connect', r)); return [one, port, s.remotePort, await text(s)]`, `["one over",7,8,"two over"]`},
			{"net to one that does not read", `const s = require('net').connect(7, 'stuck.test'); s.write(Buffer.alloc(16 << 20)); await new Promise((r) => s.once('connect', r)); await new Promise((r) => setTimeout(r, 50)); const n = s.writableLength; s.destroy(); return n`, `16777216`},
			{"net knows its ends", `const s = require('net').connect(7, 'echo.test'); const was = [s.connecting, s.pending, s.readyState]; await new Promise((r) => s.once('ready', r)); const is = [s.connecting, s.pending, s.readyState, s.remotePort, s.remoteFamily, s.remoteAddress.startsWith('198.1'), s.localAddress, s.localPort > 1024, s.address().family]; s.destroy(); return [was, is]`,
				`[[true,true,"opening"],[false,false,"open",7,"IPv4",true,"198.18.0.1",true,"IPv4"]]`},
			{"tls", `const s = require('tls').connect({ host: 'tls.test', port: 443, servername: 'tls.test', ca, ALPNProtocols: ['h2'] }); await new Promise((r, no) => s.once('secureConnect', r).once('error', no)); const out = [s.authorized, s.alpnProtocol, s.remotePort, s.getPeerCertificate().subject.CN]; s.destroy(); return out`,
				`[true,"h2",443,"server"]`},
			{"tls over a socket", `const tls = require('tls'), net = require('net'); const out = []; for (const wait of [true, false]) { const raw = net.connect(443, 'tls.test'); if (wait) await new Promise((r) => raw.once('connect', r)); const s = tls.connect({ socket: raw, servername: 'tls.test', ca }); await new Promise((r, no) => s.once('secureConnect', r).once('error', no)); out.push(s.authorized); s.destroy() } return out`, `[true,true]`},
			{"tls resumes", `const agent = new (require('https').Agent)({ ca, maxVersion: 'TLSv1.2' }); const reused = () => new Promise((ok, no) => require('https').get({ host: 'tls.test', agent }, (r) => { const is = r.socket.isSessionReused(); r.resume().on('close', () => ok(is)) }).on('error', no)); return [await reused(), await reused()]`, `[false,true]`},
			{"name first", `const dns = require('dns'); const { promisify } = require('util'); const a = await promisify(dns.lookup)('plain.test'); const b = await dns.promises.lookup('plain.test', { all: true }); const c = await (await import('node:dns/promises')).lookup('plain.test', 4);
				const l = await dns.promises.lookup('localhost'); const j = await get('http', { host: a.address, headers: { host: 'plain.test' } }); return [a.address === b[0].address, a.address === c.address, a.family, b.length, l.address, j.host]`,
				`[true,true,4,1,"127.0.0.1","plain.test"]`},
			{"names differ", `const { lookup } = require('dns/promises'); const all = new Set(); for (let i = 0; i < 500; i++) all.add((await lookup('n' + i + '.test')).address); return all.size`, `500`},
			{"no address of IPv6", `return require('dns/promises').lookup('plain.test', 6).catch((e) => e.code)`, `"ENOTFOUND"`},
			{"wrong arguments", `const net = require('net'); const out = []; for (const o of [{ port: 70000 }, { port: 'x' }, { port: 1.5 }, {}, { port: 1, host: 7 }, { port: {} }]) try { net.connect(o).on('error', () => {}); out.push('') } catch (e) { out.push(e.code) } return out`,
				`["ERR_SOCKET_BAD_PORT","ERR_SOCKET_BAD_PORT","ERR_SOCKET_BAD_PORT","ERR_MISSING_ARGS","ERR_INVALID_ARG_TYPE","ERR_INVALID_ARG_TYPE"]`},
			{"destroyed while it waits", `const s = require('net').connect(80, 'slow.test'); setTimeout(() => s.destroy(), 10); return new Promise((r) => s.on('close', (e) => r(['close', !!e])).on('error', () => r('error')))`, `["close",false]`},
			{"destroyed with TLS while it waits", `const s = require('tls').connect(443, 'slow.test'); setTimeout(() => s.destroy(new Error('enough')), 10); return new Promise((r) => s.on('error', (e) => r(e.message)))`, `"enough"`},
			{"time-out while it waits", `const req = require('http').get({ host: 'slow.test', timeout: 30 }); req.on('timeout', () => req.destroy(new Error('too slow'))); return new Promise((r) => req.on('error', (e) => r(e.message)))`, `"too slow"`},
			{"refused", `const seen = []; for (const go of [() => fetch('https://evil.test/').catch((e) => { throw e.cause }), () => get('http', 'http://evil.test/'), () => get('https', { host: 'evil.test', agent: new (require('https').Agent)({ keepAlive: true }) })])
				await go().catch((e) => seen.push(failure(e))); return [seen[0], new Set(seen.map((s) => s.message)).size, seen.map((s) => s.port)]`,
				`[{"name":"EgressError","code":"ERR_EGRESS_REFUSED","message":"evil.test is not allowed; allow it with ` + "`convoke domain add evil.test`" + `","host":"evil.test","port":443,"statusCode":403},1,[443,80,443]]`},
			{"not found", `return get('http', 'http://nowhere.test/').catch(failure)`, `{"name":"Error","code":"ENOTFOUND","message":"getaddrinfo ENOTFOUND nowhere.test","syscall":"getaddrinfo"}`},
			{"refused with a word on closing", `return new Promise((r) => require('net').connect(80, 'evil.test').on('error', () => {}).on('close', r))`, `true`},
			{"not listening", `return get('http', 'http://closed.test/').catch(failure)`, `{"name":"Error","code":"ECONNREFUSED","message":"connect ECONNREFUSED","port":80,"syscall":"connect"}`},
			{"no name", `return Promise.all(['\u0000x', 'a b', 'x'.repeat(256)].map((host) => new Promise((r) => require('net').connect(80, host).on('error', (e) => r(e.code)))))`, `["ENOTFOUND","ENOTFOUND","ENOTFOUND"]`},
			{"100 at a time", `const out = await Promise.all(Array.from({ length: 100 }, (_, i) => fetch('http://plain.test/' + i).then((r) => r.json()))); return out.every((j, i) => j.path === '/' + i)`, `true`},
			{"too many at a time", `const all = []; for (let i = 0; i < 300; i++) all.push(new Promise((r) => { const s = require('net').connect(80, 'slow.test'); s.on('error', (e) => r(e.code)); setTimeout(() => s.destroy(new Error('late')), 500) })); const codes = await Promise.all(all); return codes.filter((c) => c === 'ERR_EGRESS_LIMITED').length`, `44`},
			{"in its own context", `const { AsyncLocalStorage } = require('async_hooks'); const s = new AsyncLocalStorage(); return s.run('mine', () => new Promise((ok) => { const c = require('net').connect(7, 'echo.test'); const seen = []; c.on('connect', () => { seen.push(s.getStore()); c.end('x') }); c.on('data', () => seen.push(s.getStore())); c.on('close', () => ok(seen.slice(0, 2))) }))`, `["mine","mine"]`},
		} {
			t.Run(c.name, func(t *testing.T) {
				got, err := invoke(b.function(t, w, runtime, c.body), w.payload())
				if err != nil {
					t.Fatal(err)
				}
				if got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			})
		}
		// Whoever lets fetch's error through tells its caller what to allow.
		const told = "TypeError: fetch failed: evil.test is not allowed; allow it with `convoke domain add evil.test`"
		_, err := invoke(b.function(t, w, runtime, `return fetch('https://evil.test/')`), w.payload())
		if e := (*convoke.Error)(nil); !errors.As(err, &e) || e.Code != convoke.CodeRuntimeError || e.Message != told {
			t.Errorf("fetch refused and not caught: %v", err)
		}
		// The refusals are in the log, under their invocation.
		e := b.sink.wait(t, "convoke domain add evil.test")
		if e.RequestID != "req-1" || e.Level != convoke.LevelWarn || e.Source != convoke.SourcePlatform {
			t.Errorf("entry = %+v", e)
		}
		b.sink.wait(t, "connections are being opened")
	})
}

func TestKeepAliveReusesConnections(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"fetch":         `for (let i = 0; i < 3; i++) await (await fetch('http://plain.test/')).text()`,
		"http":          `for (let i = 0; i < 3; i++) await get('http', 'http://plain.test/')`,
		"an own agent":  `globalThis.agent ??= new (require('http').Agent)({ keepAlive: true, maxSockets: 1 }); await Promise.all([1, 2, 3].map(() => get('http', { host: 'plain.test', agent })))`,
		"a later event": `await (await fetch('http://plain.test/')).text()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f := setupWith(t, w.road).function(t, w, convoke.DefaultRuntime, body)
			for range 2 {
				if _, err := invoke(f, w.payload()); err != nil {
					t.Fatal(err)
				}
			}
			// fetch itself opens a second one when it is called again at once.
			if n := w.connections("plain.test"); n != 1 && (n != 2 || name != "fetch") {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

func TestDialsSayWhoAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := setupWith(t, w.road).function(t, w, convoke.DefaultRuntime, `require('tls').connect(443, 'slow.test').on('error', () => {}); require('net').connect(81, 'slow.test').on('error', () => {});
		require('net').connect(82, 'b\u00fccher.test').on('error', () => {}); setTimeout(() => fetch('http://slow.test:83/').catch(() => {}), 5); await new Promise((r) => setTimeout(r, 50))`)
	if _, err := invoke(f, w.payload()); err != nil {
		t.Fatal(err)
	}
	src := &egress.Source{AccountID: "1", FunctionID: "fn", Version: 3, Only: []string{"*.test"}}
	want := []egress.Request{
		{Source: src, RequestID: "req-1", Host: "slow.test", Port: 443, TLS: true},
		{Source: src, RequestID: "req-1", Host: "slow.test", Port: 81},
		{Source: src, RequestID: "req-1", Host: "xn--bcher-kva.test", Port: 82},
		{Source: src, RequestID: "req-1", Host: "slow.test", Port: 83},
	}
	w.until(t, func() bool { return len(w.requests) >= len(want) })
	w.mu.Lock()
	got := slices.SortedFunc(slices.Values(w.requests), func(a, b egress.Request) int { return (a.Port+1000)%1443 - (b.Port+1000)%1443 })
	w.mu.Unlock()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// The dials that nobody has answered end with the worker.
	f.Kill()
	f.Exit()
}

// TestRequestsAreReported: what the record of calls says of each request.
func TestRequestsAreReported(t *testing.T) {
	t.Parallel()
	call := func(method string, status int, outcome convoke.CallOutcome, detail string) convoke.Call {
		return convoke.Call{AccountID: "1", FunctionID: "fn", Version: 3, RequestID: "req-1", Host: "plain.test", Port: 80, Method: method, Status: status, Outcome: outcome, Detail: detail}
	}
	ok := func(method string, status int) convoke.Call { return call(method, status, convoke.CallOK, "") }
	w := newWorld(t)
	b := setupWith(t, w.road)
	eachRuntime(t, func(t *testing.T, runtime string) {
		for _, c := range []struct {
			name, body string
			want       []convoke.Call
		}{
			{"fetch", `for (const m of ['GET', 'POST', 'DELETE']) await (await fetch('http://plain.test/?secret=1&status=' + (m === 'POST' ? 201 : 404), { method: m, body: m === 'POST' ? 'x'.repeat(5000) : undefined })).text()`,
				[]convoke.Call{ok("GET", 404), ok("POST", 201), ok("DELETE", 404)}},
			{"http", `for (let i = 0; i < 2; i++) await get('http', 'http://plain.test/secret')`, []convoke.Call{ok("GET", 200), ok("GET", 200)}},
			{"http refused by the other side", `await new Promise((r) => require('http').get('http://plain.test/drip?endless', (s) => s.once('data', () => { s.destroy(); r() }))); await new Promise((r) => setTimeout(r, 20))`,
				[]convoke.Call{call("GET", 200, convoke.CallFailed, "aborted")}},
			{"WebSockets, which the server records", `const s = new WebSocket('ws://plain.test/ws'); s.onopen = () => s.send('ping'); let got; await new Promise((ok) => { s.onmessage = (m) => { got = m.data; s.close() }; s.onclose = s.onerror = ok }); if (got !== 'ping') throw new Error('no echo'); await (await fetch('http://plain.test/')).text()`,
				[]convoke.Call{ok("GET", 200)}},
			{"fetch given up", `const a = new AbortController(); const r = await fetch('http://plain.test/drip?endless', { signal: a.signal }); a.abort(); await r.text().catch(() => {})`,
				[]convoke.Call{call("GET", 200, convoke.CallFailed, "AbortError")}},
		} {
			t.Run(c.name, func(t *testing.T) {
				f := b.function(t, w, runtime, c.body, func(p *worker.Program) { p.FunctionID = runtime + c.name })
				began := time.Now()
				if _, err := invoke(f, w.payload()); err != nil {
					t.Fatal(err)
				}
				var got []convoke.Call
				w.until(t, func() bool {
					got = slices.DeleteFunc(slices.Clone(w.calls), func(x convoke.Call) bool { return x.FunctionID != runtime+c.name })
					return len(got) >= len(c.want)
				})
				for i := range got {
					got[i].FunctionID = "fn"
					if x := got[i]; x.Sent < 40 || x.Received < 10 || x.Took < 0 || x.Took > time.Minute || x.At.Before(began.Add(-time.Second)) || x.At.After(time.Now()) {
						t.Errorf("call = %+v", x)
					}
				}
				if c.name == "fetch" && got[1].Sent < 5000 {
					t.Errorf("a request of 5,000 bytes: %d sent", got[1].Sent)
				}
				if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(convoke.Call{}, "At", "Took", "Sent", "Received")); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// TestHostileDials: frames that the worker's own code never writes end it.
func TestHostileDials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := setupWith(t, w.road)
	const dial = `const dial = (id, host, port = 80) => { const f = Buffer.alloc(16 + host.length); f.writeUInt32LE(7 + host.length, 0); f[4] = 26; f.writeUInt32LE(id, 5); f.writeUInt16LE(port, 13); f.write(host, 16); require('fs').writeSync(3, f) };
		const call = (id, body) => { const f = Buffer.alloc(9 + body.length); f.writeUInt32LE(body.length, 0); f[4] = 27; f.writeUInt32LE(id, 5); body.copy(f, 9); require('fs').writeSync(3, f) }; `
	for name, c := range map[string]struct{ body, detail string }{
		"a number twice":     {`dial(1, 'slow.test'); dial(1, 'slow.test')`, "number that was used"},
		"number 0":           {`dial(0, 'slow.test')`, "number that was used"},
		"a flood":            {`for (let i = 1; i < 1000; i++) dial(i, 'slow.test')`, "more than 256 dials"},
		"no host":            {`dial(1, '')`, "dial of 7 bytes"},
		"port 0":             {`dial(1, 'x', 0)`, "malformed: dial"},
		"a long host":        {`dial(1, 'x'.repeat(256))`, "dial of 263 bytes"},
		"a report of no one": {`call(1, Buffer.alloc(27))`, "no connection"},
		"half a report":      {`dial(1, 'slow.test'); call(1, Buffer.alloc(26))`, "call of 26 bytes"},
		"an answer to none":  {`dial(1, 'nowhere.test')`, "exit code 71"},
	} {
		t.Run(name, func(t *testing.T) {
			f := b.function(t, w, convoke.DefaultRuntime, dial+c.body+`; return new Promise(() => {})`)
			if _, err := invoke(f, w.payload()); convoke.ErrorCode(err) != convoke.CodeRuntimeError {
				t.Errorf("error = %v", err)
			}
			if e := f.Exit(); e.Reason != worker.ReasonProtocol && e.Reason != worker.ReasonExit || !strings.Contains(e.Detail, c.detail) {
				t.Errorf("exit = %+v, want %q", e, c.detail)
			}
		})
	}
}

// TestFloodOfReports: what is beyond the bound is dropped, and so is a report
// over a connection that was refused.
func TestFloodOfReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := setupWith(t, w.road).function(t, w, convoke.DefaultRuntime, `await (await fetch('http://plain.test/')).text(); await fetch('http://evil.test/').catch(() => {});
		const all = Buffer.alloc(36 * 3000); for (let i = 0; i < 3000; i++) { const f = all.subarray(36 * i); f.writeUInt32LE(27, 0); f[4] = 27; f.writeUInt32LE(i % 2 + 1, 5) }
		for (let at = 0; at < all.length;) try { at += require('fs').writeSync(3, all, at) } catch (e) { if (e.code !== 'EAGAIN') throw e }`)
	for range 2 { // the second shows that the first one's reports were all seen
		if _, err := invoke(f, w.payload()); err != nil {
			t.Fatal(err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.calls); n < 500 || n > 3000 {
		t.Errorf("%d reports were taken of some 3,000 good ones in about a second", n)
	}
}

// TestNoWayOut: a fleet without an egress refuses in words.
func TestNoWayOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.start(t, `const lambda = () => fetch('http://plain.test/').catch((e) => e.cause.message)`)
	if got, err := invoke(w, "1"); err != nil || !strings.Contains(got, "functions cannot make calls on this server") {
		t.Errorf("got %s, %v", got, err)
	}
	b.sink.wait(t, "functions cannot make calls on this server")
}

// TestDescriptorsRunOut: connections beyond the process's limit fail, and the
// worker lives on. Only a confined worker has the limit.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	if level := os.Getenv("CONVOKE_TEST_SANDBOX"); level == "" || level == "none" {
		t.Skip("NOT TESTED: without a sandbox a worker has no limit of its own; set CONVOKE_TEST_SANDBOX")
	}
	w := newWorld(t)
	f := setupWith(t, w.road).function(t, w, convoke.DefaultRuntime, `const all = []; const codes = {}; for (let n = 0; n < 300; n++) codes[await new Promise((r) => { const s = require('net').connect(7, 'echo.test', () => r('open')); s.on('error', (e) => r(e.code)); all.push(s) })] = n;
		for (const s of all) s.destroy(); await new Promise((r) => setTimeout(r, 10)); return [Object.keys(codes), await text(require('net').connect(7, 'echo.test').end('again'))]`)
	if got, err := invoke(f, w.payload()); got != `[["open","EMFILE"],"again over"]` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestOutsideInvocations: a refusal in a module's top level is logged, but not
// each one of many.
func TestOutsideInvocations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := setupWith(t, w.road)
	f := b.start(t, `let n = 0; const many = (async () => { for (let i = 0; i < 20; i++) await fetch('http://evil.test/').catch(() => { n++ }) })(); const lambda = async () => { await many; return n }`)
	if got, err := invoke(f, "1"); got != "20" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	n := 0
	for _, e := range b.sink.all() {
		if strings.Contains(e.Message, "evil.test") && e.RequestID == "" {
			n++
		}
	}
	if n == 0 || n > 5 {
		t.Errorf("%d entries", n)
	}
}

// TestBuildWithoutInternals: a Node build that lacks what calls need is found
// out when a worker starts on it.
func TestBuildWithoutInternals(t *testing.T) {
	t.Parallel()
	runtimes, err := worker.FindRuntimes(t.Context(), filepath.Join("..", "..", "runtime", "node"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ strip, want string }{
		"adopting a handle": {`const p = require('net').Socket.prototype; for (const s of Object.getOwnPropertySymbols(p)) if (s.description === 'kReinitializeHandle') delete p[s]`, "has no kReinitializeHandle"},
		"names":             {`delete process.binding('cares_wrap').getaddrinfo`, "resolves names in another way"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			script := fmt.Sprintf("#!/bin/sh\nexec %s --require %s/strip.cjs \"$@\"\n", runtimes[convoke.DefaultRuntime].Path, dir)
			if err := errors.Join(os.WriteFile(dir+"/strip.cjs", []byte(c.strip), 0o600), os.WriteFile(dir+"/node", []byte(script), 0o700)); err != nil {
				t.Fatal(err)
			}
			box, err := sandbox.New(sandbox.None, sandbox.Config{})
			if err != nil {
				t.Fatal(err)
			}
			exits := make(chan worker.Exit, 1)
			f, err := worker.NewFleet(worker.Config{
				Runtimes: map[string]worker.Runtime{"stripped": {Name: "stripped", Path: dir + "/node"}}, Dir: dir, Sandbox: box,
				Sink: &sink{changed: make(chan struct{})}, OnExit: func(e worker.Exit) { exits <- e },
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Start(t.Context(), "stripped", 64, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if e := <-exits; e.Reason != worker.ReasonStart {
				t.Errorf("exit = %+v", e)
			}
		})
	}
}
