package worker_test

import (
	"encoding/json"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"convoke/internal/worker"
)

// TestSocketsAreLikeNodes runs the same code in plain Node, with a connection of
// its own, and in a worker, which is handed one, and compares what it sees.
// NAME and IP lead to an echo server on PORT; on port 1 nobody listens.
func TestSocketsAreLikeNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.to["localhost"], w.to["127.0.0.1"] = w.to["echo.test"], w.to["echo.test"]
	_, port, _ := net.SplitHostPort(w.to["echo.test"])
	b := setupWith(t, w.road)
	runtimes, err := worker.FindRuntimes(t.Context(), "../../runtime/node")
	if err != nil {
		t.Fatal(err)
	}
	const common = `const net = require('net'); const NAME = 'localhost', IP = '127.0.0.1';
		const once = (s, e) => new Promise((r) => s.once(e, r));
		const seen = (s, out = []) => { for (const e of ['lookup', 'connectionAttempt', 'connectionAttemptFailed', 'connectionAttemptTimeout', 'connect', 'ready', 'timeout', 'end', 'error', 'close']) s.on(e, (...a) => out.push([e, ...a.map((x) => x instanceof Error ? x.code : e === 'lookup' && net.isIP(x) || x === PORT ? typeof x : e === 'connectionAttempt' && net.isIP(x) ? 'address' : x)])); return out };
		const members = (s) => [s.connecting, s.pending, s.readyState, s.destroyed, s.remoteFamily, net.isIP(s.remoteAddress ?? ''), s.remotePort === PORT, s.localFamily, net.isIP(s.localAddress ?? ''), s.localPort > 0, Object.keys(s.address() ?? {}).sort(), s.bytesRead, s.bytesWritten, s.timeout, s.allowHalfOpen, s.autoSelectFamilyAttemptedAddresses ?? null];
		const read = async (s) => { let t = ''; for await (const c of s) t += c; return t }; `
	eachRuntime(t, func(t *testing.T, runtime string) {
		for name, body := range map[string]string{
			"events by name":              `const s = net.connect({ port: PORT, host: NAME, family: 4 }); const out = seen(s); s.end('x').resume(); await once(s, 'close'); return out`,
			"events by address":           `const s = net.connect(PORT, IP); const out = seen(s); s.end('x').resume(); await once(s, 'close'); return out`,
			"members":                     `const s = new net.Socket(); const out = [members(s)]; s.connect(PORT, IP); out.push(members(s)); await once(s, 'ready'); out.push(members(s)); s.end('four').resume(); await once(s, 'end'); out.push(members(s)); await once(s, 'close'); out.push(members(s)); return out`,
			"members, ended first":        `const s = net.connect({ port: PORT, host: IP, allowHalfOpen: true }); s.end('x'); await once(s, 'ready'); const out = [s.readyState, s.writableEnded, s.readableEnded]; out.push(await read(s), s.readyState); return out`,
			"settings":                    `const s = net.connect(PORT, IP); const out = []; const all = () => out.push(s.setNoDelay() === s, s.setNoDelay(false) === s, s.setKeepAlive(true, 1000) === s, s.setKeepAlive() === s, s.setTimeout(5000) === s, s.timeout, s.ref() === s, s.unref() === s, s.pause() === s, s.resume() === s, s.setEncoding('utf8') === s); all(); await once(s, 'ready'); all(); s.destroy(); all(); return out`,
			"settings of connect":         `const s = net.connect({ port: PORT, host: IP, noDelay: true, keepAlive: true, keepAliveInitialDelay: 10, timeout: 9000, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 50, highWaterMark: 10 }); s.end('x'); return [await read(s), s.timeout, s.readableHighWaterMark]`,
			"autoSelectFamily":            `const out = []; for (const autoSelectFamily of [true, false]) { const s = net.connect({ port: PORT, host: IP, autoSelectFamily }); s.end('x'); out.push(await read(s)) } return [out, typeof net.getDefaultAutoSelectFamily()]`,
			"wrong settings":              `const out = []; for (const o of [{ timeout: -1 }, { timeout: 'x' }, { keepAliveInitialDelay: 'x' }, { autoSelectFamily: 1 }, { family: 'x' }, { signal: 7 }]) try { net.connect({ port: PORT, host: IP, ...o }).on('error', () => {}).destroy(); out.push('taken') } catch (e) { out.push(e.code) } return out`,
			"a time-out":                  `const s = net.connect({ port: PORT, host: IP, timeout: 60_000 }); const out = seen(s); await once(s, 'ready'); s.setTimeout(20); await once(s, 'timeout'); out.push(s.destroyed); s.destroy(); await once(s, 'close'); return out`,
			"reset":                       `const s = net.connect(PORT, IP); await once(s, 'ready'); const out = seen(s); out.push(s.resetAndDestroy() === s, s.destroyed); await once(s, 'close'); out.push(members(s).slice(0, 4)); return out`,
			"reset with data to send":     `const s = net.connect(PORT, IP); await once(s, 'ready'); const out = seen(s); s.write('x'); out.push(s.resetAndDestroy() === s); await once(s, 'close'); return out`,
			"reset while it connects":     `const s = net.connect(PORT, IP); const out = seen(s); out.push(s.resetAndDestroy() === s); await once(s, 'close'); return out`,
			"reset before and after":      `const a = new net.Socket(); const out = seen(a); a.resetAndDestroy(); await once(a, 'close'); const s = net.connect(PORT, IP); await once(s, 'ready'); s.destroy(); await once(s, 'close'); seen(s, out); s.resetAndDestroy(); await new Promise(setImmediate); return out`,
			"destroySoon":                 `const s = net.connect(PORT, IP); await once(s, 'ready'); const out = seen(s); s.write('x'); s.destroySoon(); await once(s, 'close'); return [out, s.bytesWritten]`,
			"written before, after, late": `const s = net.connect(PORT, IP); const out = []; s.write('a', () => out.push('a')); await once(s, 'ready'); s.write('b', () => out.push('b')); s.end('c', () => out.push('c')); s.on('error', (e) => out.push(e.code)); out.push(await read(s)); s.write('d', (e) => out.push(e.code)); await new Promise(setImmediate); return out`,
			"a signal":                    `const a = new AbortController(); const s = net.connect({ port: PORT, host: IP, signal: a.signal }); const out = seen(s); a.abort(); await once(s, 'close'); return out`,
			"connect again":               `const s = net.connect(PORT, IP); let text = ''; s.on('data', (d) => { text += d }); s.end('1'); await once(s, 'close'); s.connect(PORT, IP); const out = seen(s); s.end('2'); await once(s, 'close'); return [text, out, s.readyState]`,
			"a callback":                  `return Promise.all([new Promise((r) => net.createConnection(PORT, IP, function () { r(this.readyState); this.destroy() })), new Promise((r) => new net.Socket().connect({ port: PORT, host: IP }, function () { r(this.readyState); this.destroy() }))])`,
			"a Stream":                    `const { Duplex, pipeline } = require('stream'); const s = net.connect(PORT, IP); const out = [s instanceof Duplex, s instanceof net.Stream, s.constructor.name, Object.prototype.toString.call(s)]; s.end('piped'); await new Promise((ok) => pipeline(s, async function (source) { let t = ''; for await (const c of source) t += c; out.push(t) }, ok)); return out`,
			"nobody listens":              `const s = net.connect(1, IP); const out = seen(s); const e = await once(s, 'error'); await once(s, 'close'); return [out, e.code, e.syscall, e.errno, e.port, e.address, e.message, Object.keys(e).sort()]`,
			"no such name":                `const s = net.connect({ port: 1, host: 'nowhere.invalid', family: 4 }); const e = await once(s, 'error'); return [e.syscall, e.hostname, Object.keys(e).sort()]`,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				code := "const PORT = " + port + "; " + common
				plain := exec.CommandContext(t.Context(), runtimes[runtime].Path, "-e", code+"(async () => { "+body+" })().then((v) => console.log(JSON.stringify(v)), (e) => console.log('failed', e))")
				want, err := plain.Output()
				if err != nil {
					t.Fatal(err)
				}
				got, err := invoke(b.function(t, w, runtime, code+body), w.payload())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(indented(t, want), indented(t, []byte(got))); diff != "" {
					t.Errorf("(-Node +worker):\n%s", diff)
				}
			})
		}
	})
}

func indented(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	b, _ := json.MarshalIndent(v, "", " ")
	return strings.TrimSpace(string(b))
}
