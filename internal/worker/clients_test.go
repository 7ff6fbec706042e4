package worker_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"convoke"
	"convoke/internal/worker"
)

const clientsFolder = "testdata/clients"

// TestClients makes calls by the usual clients from npm, bundled as a
// function's dependencies are.
func TestClients(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join(clientsFolder, "node_modules", ".ready")); err != nil {
		t.Fatal("the npm clients are not installed; run `make clients`")
	}
	w := newWorld(t)
	b := setupWith(t, w.road)
	for _, c := range []struct{ name, imports, body, want string }{
		{"undici", `import { request, fetch, Agent, setGlobalDispatcher } from 'undici'`,
			`setGlobalDispatcher(new Agent({ connect: { ca } }));
			const r = await request('https://tls.test/u', { method: 'PUT', body: 'b' }); const j = await r.body.json(); const f = await fetch('http://plain.test/f'); return [r.statusCode, j.method, j.body, (await f.json()).path]`,
			`[200,"PUT","b","/f"]`},
		{"undici with two versions of HTTP", `import { request, Agent } from 'undici'`,
			`const dispatcher = new Agent({ connect: { ca }, allowH2: true }); const r = await request('https://tls.test/', { dispatcher }); return (await r.body.json()).proto`, `2`},
		{"undici with a certificate", `import { request, Agent } from 'undici'`,
			`const r = await request('https://mutual.test/', { dispatcher: new Agent({ connect: { ca, cert, key } }) }); return (await r.body.json()).client`, `"client"`},
		{"undici refused", `import { request } from 'undici'`, `return request('https://evil.test/').catch((e) => [e.name, e.code, e.host])`, `["EgressError","ERR_EGRESS_REFUSED","evil.test"]`},
		{"undici follows", `import { fetch } from 'undici'`,
			`const r = await fetch('http://plain.test/?to=http://other.test/'); return [(await r.json()).host, await fetch('http://plain.test/?to=http://evil.test/').catch((e) => e.cause.code)]`, `["other.test","ERR_EGRESS_REFUSED"]`},
		{"undici WebSocket", `import { WebSocket, Agent } from 'undici'`,
			`const talk = (url) => new Promise((ok, no) => { const s = new WebSocket(url, { dispatcher: new Agent({ connect: { ca } }) }); s.onopen = () => s.send('ping'); s.onerror = (e) => no(e.error ?? e); s.onmessage = (m) => { s.close(); ok(m.data) } });
			return [await talk('ws://plain.test/ws'), await talk('wss://tls.test/ws'), await talk('ws://evil.test/').then(() => 'open', () => 'refused')]`, `["ping","ping","refused"]`},
		{"axios", `import axios from 'axios'; import https from 'node:https'`,
			`const httpsAgent = new https.Agent({ ca, keepAlive: true }); const r = await axios.post('https://tls.test/a', { x: 1 }, { httpsAgent, timeout: 5000 });
			const s = await axios.get('http://plain.test/?status=404', { validateStatus: () => true }); const f = await axios.get('http://plain.test/f', { adapter: 'fetch' }); return [r.data.body, s.status, f.data.path]`,
			`["{\"x\":1}",404,"/f"]`},
		{"axios with a certificate", `import axios from 'axios'; import https from 'node:https'`,
			`return (await axios.get('https://mutual.test/', { httpsAgent: new https.Agent({ ca, cert, key }) })).data.client`, `"client"`},
		{"axios follows", `import axios from 'axios'`,
			`const r = await axios.get('http://plain.test/?to=http://other.test/'); return [r.data.host, await axios.get('http://plain.test/?to=http://evil.test/').catch((e) => e.code)]`, `["other.test","ERR_EGRESS_REFUSED"]`},
		{"axios gives up", `import axios from 'axios'`, `return axios.get('http://slow.test/', { timeout: 30 }).catch((e) => e.code)`, `"ECONNABORTED"`},
		{"got", `import got from 'got'`,
			`const r = await got.post('https://tls.test/g', { json: { x: 1 }, https: { certificateAuthority: ca }, timeout: { connect: 5000 } }).json(); return [r.path, r.body]`, `["/g","{\"x\":1}"]`},
		{"got follows", `import got from 'got'`,
			`const r = await got('http://plain.test/?to=http://other.test/').json(); return [r.host, await got('http://plain.test/?to=http://evil.test/', { retry: { limit: 0 } }).catch((e) => e.code)]`, `["other.test","ERR_EGRESS_REFUSED"]`},
		{"got with a certificate", `import got from 'got'`,
			`return (await got('https://mutual.test/', { https: { certificateAuthority: ca, certificate: cert, key } }).json()).client`, `"client"`},
		{"got with HTTP/2", `import got from 'got'`, `return (await got('https://tls.test/g', { http2: true, https: { certificateAuthority: ca } }).json()).proto`, `2`},
		{"got with a cache of names", `import got from 'got'`, `return (await got('http://plain.test/g', { dnsCache: true }).json()).path`, `"/g"`},
		{"got gives up", `import got from 'got'`, `return got('http://slow.test/', { timeout: { connect: 30 }, retry: { limit: 0 } }).catch((e) => e.code)`, `"ETIMEDOUT"`},
		{"got refused", `import got from 'got'`, `return got('http://evil.test/', { retry: { limit: 0 } }).catch((e) => [e.code, e.message])`,
			"[\"ERR_EGRESS_REFUSED\",\"evil.test is not allowed; allow it with `convoke domain add evil.test`\"]"},
		{"node-fetch", `import fetch from 'node-fetch'; import https from 'node:https'`,
			`const agent = new https.Agent({ ca, keepAlive: true }); const r = await fetch('https://tls.test/n', { agent, method: 'POST', body: 'nf' }); return (await r.json()).body`, `"nf"`},
		{"node-fetch follows", `import fetch from 'node-fetch'`,
			`const r = await fetch('http://plain.test/?to=http://other.test/'); return [(await r.json()).host, await fetch('http://plain.test/?to=http://evil.test/').catch((e) => e.code)]`, `["other.test","ERR_EGRESS_REFUSED"]`},
		{"node-fetch 2", `import fetch from 'node-fetch-2'; import https from 'node:https'`,
			`const agent = new https.Agent({ ca }); const r = await fetch('https://tls.test/n', { agent, timeout: 5000 }); return [(await r.json()).path, await fetch('http://evil.test/').catch((e) => e.code)]`, `["/n","ERR_EGRESS_REFUSED"]`},
		{"ws", `import WebSocket from 'ws'`,
			`const talk = (url) => new Promise((ok, no) => { const s = new WebSocket(url, { ca }); s.on('open', () => s.send('ping')).on('error', no).on('message', (m) => { s.close(); ok(String(m)) }) });
			return [await talk('ws://plain.test/ws'), await talk('wss://tls.test/ws'), await talk('ws://evil.test/').catch((e) => e.code)]`, `["ping","ping","ERR_EGRESS_REFUSED"]`},
		{"jsforce", `import { Connection } from '@jsforce/jsforce-node'; import tls from 'node:tls'`,
			`tls.setDefaultCACertificates([ca]); const conn = new Connection({ loginUrl: 'https://tls.test' }); const user = await conn.login('ada@example.com', 'secret'); const r = await conn.query('SELECT Id FROM Account');
			return [user.organizationId, r.totalSize, r.records[0].Id]`, `["org-1",1,"account-1"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			source := c.imports + "; let ca, cert, key; export const lambda = async (input) => { ({ ca, cert, key } = input.payload); " + c.body + " }"
			cjs, esm := bundle(t, "cjs", source), bundle(t, "esm", source)
			for _, variant := range []struct {
				runtime, format string
				code            []byte
			}{{convoke.Runtimes[0].Name, "cjs", cjs}, {convoke.Runtimes[1].Name, "cjs", cjs}, {convoke.DefaultRuntime, "esm", esm}} {
				t.Run(variant.runtime+" "+variant.format, func(t *testing.T) {
					f := b.function(t, w, variant.runtime, "", func(p *worker.Program) { p.Code, p.Format = variant.code, variant.format })
					if got, err := invoke(f, w.payload()); err != nil || got != c.want {
						t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
					}
				})
			}
		})
	}
}

// TestClientsKeepConnections: the clients reuse one, as they do elsewhere.
func TestClientsKeepConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ imports, call string }{
		"undici":     {`import { request, Agent } from 'undici'; const dispatcher = new Agent({ connections: 1 })`, `(await request('http://plain.test/', { dispatcher })).body.text()`},
		"axios":      {`import axios from 'axios'; import http from 'node:http'; const httpAgent = new http.Agent({ keepAlive: true })`, `axios.get('http://plain.test/', { httpAgent })`},
		"got":        {`import got from 'got'; import http from 'node:http'; const agent = { http: new http.Agent({ keepAlive: true }) }`, `got('http://plain.test/', { agent })`},
		"node-fetch": {`import fetch from 'node-fetch'; import http from 'node:http'; const agent = new http.Agent({ keepAlive: true })`, `(await fetch('http://plain.test/', { agent })).text()`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			source := c.imports + `; export const lambda = async () => { for (let n = 0; n < 3; n++) { await (` + c.call + `); await new Promise(setImmediate) } }`
			f := setupWith(t, w.road).function(t, w, convoke.DefaultRuntime, "", func(p *worker.Program) { p.Code = bundle(t, "cjs", source) })
			for range 2 { // also by a later invocation
				if _, err := invoke(f, w.payload()); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.connections("plain.test"); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// bundle makes one module of source and the clients that it imports.
func bundle(t *testing.T, format, source string) []byte {
	t.Helper()
	folder, err := filepath.Abs(clientsFolder)
	if err != nil {
		t.Fatal(err)
	}
	options := api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: source, ResolveDir: folder, Sourcefile: "index.js"},
		Bundle: true, Platform: api.PlatformNode, Target: api.ES2023, Format: api.FormatCommonJS, LogLevel: api.LogLevelSilent,
	}
	if format == "esm" {
		options.Format = api.FormatESModule
		// What internal/build adds for CommonJS files inside.
		options.Banner = map[string]string{"js": "globalThis.require ??= (name) => process.getBuiltinModule(name);"}
		options.Footer = map[string]string{"js": ";__convoke_lambda(lambda);"}
	}
	r := api.Build(options)
	if len(r.Errors) > 0 {
		t.Fatal(strings.Join(api.FormatMessages(r.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	return r.OutputFiles[0].Contents
}

// salesforce answers a log-in and a query as that service does.
func salesforce(rw http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/services/Soap/") {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "<username>ada@example.com</username>") {
			http.Error(rw, "who?", http.StatusUnauthorized)
			return
		}
		rw.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(rw, `<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><loginResponse><result>
			<serverUrl>https://%s/services/Soap/u/42.0/x</serverUrl><sessionId>session-1</sessionId><userId>user-1</userId>
			<userInfo><organizationId>org-1</organizationId></userInfo></result></loginResponse></soapenv:Body></soapenv:Envelope>`, r.Host)
		return
	}
	if r.Header.Get("Authorization") != "Bearer session-1" {
		http.Error(rw, "log in", http.StatusUnauthorized)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(rw, `{"totalSize":1,"done":true,"records":[{"Id":"account-1"}]}`)
}
