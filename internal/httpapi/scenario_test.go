package httpapi

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// step is one request of a scenario. In path, body, has and lacks, "{name}"
// stands for what an earlier step saved.
type step struct {
	as, do string // who; method and path
	body   string
	header http.Header
	status int
	has    []string          // the answer, header lines included, contains all of these
	lacks  []string          // and none of these
	save   map[string]string // name to the member of the answer to keep, as "a.b"
}

const code1 = `async function lambda(input) { return 1 }`

// made creates a function with code.
var made = []step{
	{as: "developer", do: "POST /functions", body: `{"timestamp":0,"name":"greet","description":"says hello"}`, status: 201,
		has:  []string{`"state":"Draft"`, `"name":"greet"`, `"manifest":{"id":"`, `"version":1}`, `"skills":[]`, `"createdBy":"developer"`},
		save: map[string]string{"fn": "uuid", "manifest": "manifest.id"}},
	{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"timestamp":0,"version":1,"id":"{manifest}","code":"` + code1 + `","environment":{"A":"b"}}`, status: 200,
		has: []string{`"manifest":{"id":"{manifest}","version":1}`}},
}

func after(first []step, then ...step) []step { return append(append([]step{}, first...), then...) }

var deployed = after(made, step{as: "developer", do: "POST /deployments/{fn}?wait=true", status: 200, has: []string{`"state":"Productive"`}, save: map[string]string{"dep": "deploymentId"}})

var scenarios = map[string][]step{
	"life of a function": after(made,
		step{as: "invoker", do: "GET /functions/{fn}?userId=u", status: 200,
			has:   []string{`"versions":[{"id":"{manifest}","version":1,"runtime":"node26","code":"async function lambda`, `"environment":{"A":"b"}`, `"language":"javascript"`, `"settings":{}`, `"latestVersion":1`},
			lacks: []string{"deployedVersion", "lastDeployment", "pending"}},
		// The reference's command line sends a JSON content type and no body.
		step{as: "developer", do: "POST /deployments/{fn}?wait=true", status: 200, save: map[string]string{"dep": "deploymentId"},
			has: []string{`"message":"Version 1 is deployed."`, `"deploymentState":"successful"`, `"state":"Productive"`, `"text":"dubious"`}, lacks: []string{`"uuid"`}},
		step{as: "invoker", do: "GET /functions/{fn}", status: 200, has: []string{`"state":"Productive"`, `"deployedVersion":1`, `"lastDeployment":{"uuid":"{dep}"`, `"deploymentState":"successful"`, `"deployedAt":"2`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"version":1,"settings":{"timeoutMs":5000,"memoryMiB":128,"idleTimeoutSeconds":60}}`, status: 200, has: []string{`"version":2}`, `"state":"Modified"`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions", status: 200, has: []string{`"settings":{"timeoutMs":5000,"memoryMiB":128,"idleTimeoutSeconds":60}`, `"environment":{"A":"b"}`}},
		step{as: "developer", do: "PATCH /deployments/{fn}?wait=1", body: `{"version":1}`, status: 200, has: []string{`"version":1`, `"state":"Modified"`}},
		step{as: "developer", do: "PATCH /deployments/{fn}?wait=1", body: `{}`, status: 200, has: []string{`"version":2`, `"state":"Productive"`}},
		step{as: "invoker", do: "GET /functions/{fn}/deployments", status: 200, has: []string{`"manifestVersion":2`, `"manifestVersion":1`, `"functionUuid":"{fn}"`, `"undeployedAt":"2`}},
		step{as: "invoker", do: "GET /deployments", status: 200, has: []string{`[{"uuid":"`, `"manifestVersion":2`}, lacks: []string{`"manifestVersion":1`}},
		step{as: "invoker", do: "GET /deployments/count", status: 200, has: []string{"\n1\n"}},
		step{as: "developer", do: "DELETE /functions/{fn}", status: 409, has: []string{`"code":"com.liveperson.faas.dm.action.not-allowed"`}},
		step{as: "developer", do: "DELETE /deployments/{fn}", status: 200, has: []string{`"state":"Draft"`, `"message":"greet is undeployed."`}, lacks: []string{`"uuid"`}},
		step{as: "developer", do: "DELETE /deployments/{fn}", status: 409, has: []string{"action.not-allowed"}},
		step{as: "invoker", do: "GET /deployments/count", status: 200, has: []string{"\n0\n"}},
		step{as: "developer", do: "DELETE /functions/{fn}", status: 204},
		step{as: "invoker", do: "GET /functions/{fn}", status: 404, has: []string{`"code":"com.liveperson.faas.function.not-found"`}},
		step{as: "invoker", do: "GET /functions/count", status: 200, has: []string{"\n0\n"}},
	),
	"deploy without waiting": after(made,
		step{as: "developer", do: "POST /deployments/{fn}", status: 202, has: []string{`"message":"Deployment of version 1 has started."`, `"deploymentState":"deploying"`}, lacks: []string{`"uuid"`}},
		step{as: "developer", do: "POST /deployments/{fn}?wait=perhaps", status: 400, has: []string{"wait must be true or false"}},
		step{as: "developer", do: "POST /deployments/{fn}", body: `{"version":-3}`, status: 400, has: []string{"validation"}},
		step{as: "developer", do: "POST /deployments/{fn}", body: `{"version":9}`, status: 404, has: []string{"db.not-found"}},
		step{as: "developer", do: "POST /deployments/nothing", status: 404, has: []string{"function.not-found"}},
		step{as: "developer", do: "POST /deployments/{fn}", body: `{"version":`, status: 400, has: []string{"not JSON"}},
	),
	"broken code": after(made,
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"BROKEN"}`, status: 200},
		step{as: "developer", do: "POST /deployments/{fn}?wait=true", status: 422,
			has: []string{`"code":"com.liveperson.faas.dm.build.general"`, `"problems":[{"file":"index.js","line":3,"column":7,"text":"unexpected }"}]`}},
		step{as: "invoker", do: "GET /functions/{fn}", status: 200, has: []string{`"state":"Build Error"`, `"error":{"code":"com.liveperson.faas.dm.build.general"`, `"unexpected }"`}},
	),
	"saving": after(made,
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"timestamp":0,"version":1}`, status: 409, has: []string{`"code":"com.liveperson.faas.function.unchanged"`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"version":1,"environment":{}}`, status: 200, has: []string{`"version":2}`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"version":1,"code":"other"}`, status: 409, has: []string{`"code":"com.liveperson.faas.db.error.revision"`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"version":-1,"code":"newer","files":{"text.js":"export default 1"},"language":"typescript"}`, status: 200, has: []string{`"version":3}`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/3", status: 200, has: []string{`"environment":{}`, `"files":{"text.js":"export default 1"}`, `"language":"typescript"`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/1", status: 200, has: []string{`"environment":{"A":"b"}`}, lacks: []string{`"files"`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/7", status: 404, has: []string{"db.not-found"}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/x", status: 400, has: []string{"evg.invalid"}},
		step{as: "developer", do: "POST /functions/{fn}/versions/1/restore", status: 200, has: []string{`"version":4}`}},
		step{as: "invoker", do: "GET /functions/{fn}/versions/4", status: 200, has: []string{`"environment":{"A":"b"}`, `"language":"javascript"`}, lacks: []string{`"files"`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"environment":{"NODE_OPTIONS":"x"}}`, status: 400, has: []string{"validation", "NODE_OPTIONS"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"settings":{"timeoutMs":9223372036854775807}}`, status: 400, has: []string{"validation", "timeout"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"settings":{"timeoutMs":"5"}}`, status: 400, has: []string{"member settings.timeoutMs must be a whole number, not string"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"customDependencies":{"left-pad":"1"}}`, status: 400, has: []string{"customDependencies"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"` + strings.Repeat("x", 100_001) + `"}`, status: 400, has: []string{`"code":"com.liveperson.faas.fm.validation.to-long"`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"` + strings.Repeat("x", 8<<20) + `"}`, status: 413, has: []string{`"code":"com.liveperson.faas.ui.payload-too-large"`}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", status: 400, has: []string{"needs a JSON body"}},
	),
	"description": after(made,
		step{as: "developer", do: "PUT /functions/{fn}", body: `{"timestamp":0,"description":"other"}`, status: 200, has: []string{`"description":"other"`, `"manifest":{"id":"{manifest}"`}},
		step{as: "developer", do: "PUT /functions/{fn}", body: `{"timestamp":0,"description":"other"}`, status: 409, has: []string{"function.unchanged"}},
		step{as: "developer", do: "PUT /functions/{fn}", body: `{"name":"renamed"}`, status: 400, has: []string{"validation", "fixed"}},
		step{as: "developer", do: "PUT /functions/{fn}", body: `{"skills":["1"]}`, status: 400, has: []string{"validation"}},
		step{as: "developer", do: "POST /functions", body: `{"name":"greet"}`, status: 409, has: []string{`"code":"com.liveperson.faas.db.conflict"`}},
		step{as: "developer", do: "POST /functions", body: `{"name":"no spaces"}`, status: 400, has: []string{"validation"}},
	),
	"listing": after(deployed,
		step{as: "developer", do: "POST /functions", body: `{"name":"command","eventId":"conversational_command"}`, status: 201},
		step{as: "invoker", do: "GET /functions", status: 200, has: []string{`"name":"greet"`, `"name":"command"`}, lacks: []string{`"versions"`, `"manifest"`, `"code"`}},
		// Clients of the reference send unset filters as empty strings.
		step{as: "invoker", do: "GET /functions?eventId=&userId=&functionName=", status: 200, has: []string{`"name":"greet"`, `"name":"command"`}},
		step{as: "invoker", do: "GET /functions?state=Draft&state=Modified", status: 200, has: []string{`"name":"command"`}, lacks: []string{"greet"}},
		step{as: "invoker", do: "GET /functions?eventId=conversational_command", status: 200, has: []string{`"name":"command"`, `"eventId":"conversational_command"`}, lacks: []string{"greet"}},
		step{as: "invoker", do: "GET /functions?functionName=greet", status: 200, has: []string{"greet"}, lacks: []string{`"name":"command"`}},
		step{as: "invoker", do: "GET /functions?functionName=none", status: 200, has: []string{"\n[]\n"}},
		step{as: "invoker", do: "GET /functions?state=Asleep", status: 400, has: []string{"state must be one of Draft, Productive"}},
		step{as: "invoker", do: "GET /functions/count", status: 200, has: []string{"\n2\n"}},
		step{as: "other", do: "GET /api/account/" + other + "/functions", status: 200, has: []string{"\n[]\n"}},
		step{as: "other", do: "GET /api/account/" + other + "/functions/{fn}", status: 404, has: []string{"function.not-found"}},
		step{as: "other", do: "DELETE /api/account/" + other + "/deployments/{fn}", status: 404, has: []string{"function.not-found"}},
	),
	"testing": after(made,
		step{as: "developer", do: "POST /functions/{fn}/test", body: `{"timestamp":0,"headers":[],"payload":{"a":1}}`, header: http.Header{"X-Request-Id": {"req-7"}}, status: 200,
			has: []string{`"result":{"timestamp":0,"headers":[],"payload":{"a":1}}`, `"logs":[{"level":"Debug","message":"by developer as req-7","extras":[],"timestamp":1700000000123}]`, "X-Request-Id: req-7"}},
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"throw"}`, status: 200},
		step{as: "developer", do: "POST /functions/{fn}/test", body: `{}`, status: 901, has: []string{`"code":"com.customer.faas.function.threw-error"`, `"errorLogs":[{"level":"Debug"`}},
		step{as: "developer", do: "POST /functions/{fn}/test", body: strings.Repeat(" ", 2<<20), status: 413, has: []string{"payload-too-large"}},
	),
	"catalogue": {
		{as: "invoker", do: "GET /events", status: 200, has: []string{`"eventId":"conversational_command","eventName":"Conversational Command"`, `"lambdaLimit":30`, `"samplePayload":{`}},
		{as: "invoker", do: "GET /runtimes", status: 200, has: []string{`"name":"Node.js 26","baseImageName":"node26","version":"26.2.0","default":true`, `"baseImageName":"node24","default":false`}},
		{as: "invoker", do: "POST /lambdas/f1/invoke", body: `{}`, status: 200, has: []string{`"invoked"`}},
		{as: "invoker", do: "POST /events/e1/invoke", body: `{}`, status: 200, has: []string{`[]`}},
		{as: "invoker", do: "GET /events/e1/isImplemented", status: 200, has: []string{`{"implemented":false}`}},
	},
	"discovery": {
		// Clients of the reference send a content type, no token, and refuse members they do not know.
		{do: "GET /service/baseURI.json?version=1.0", status: 200,
			has: []string{`{"baseURIs":[{"service":"faasGW","account":"10000001","baseURI":"fninvocations.example.com"},{"service":"faasUI","account":"10000001","baseURI":"functions.example.com"}]}`}},
		{do: "GET /api/account/" + other + "/service/baseURI.json?version=1.0", status: 200,
			has: []string{`{"baseURIs":[{"service":"faasGW","account":"20000002","baseURI":"gw.example.com"}]}`}},
		{do: "GET /api/account/le12345/service/baseURI.json?version=1.0", status: 200, has: []string{"\n{\"baseURIs\":[]}\n"}},
		{do: "GET /service/faasUI/baseURI.json?version=1.0", status: 200, has: []string{`{"service":"faasUI","account":"10000001","baseURI":"functions.example.com"}`}},
		{do: "GET /service/asyncMessagingEnt/baseURI.json", status: 404, has: []string{`"code":"com.liveperson.faas.db.not-found"`}},
		{do: "GET /api/account/30000003/service/faasGW/baseURI.json", status: 404, has: []string{"db.not-found"}},
	},
	"tokens": {
		{as: "admin", do: "POST /tokens", body: `{"name":"ci","roles":["developer"],"ttlSeconds":3600}`, status: 201, has: []string{`"token":"cvk_`, `"roles":["developer"]`, `"expiresAt":"2`, "Cache-Control: no-store"},
			save: map[string]string{"id": "id", "text": "token"}},
		{as: "{text}", do: "GET /functions", status: 200},
		{as: "{text}", do: "GET /tokens", status: 403, has: []string{`"code":"convoke.auth.forbidden"`, "token:write"}},
		{as: "admin", do: "GET /tokens", status: 200, has: []string{`"id":"{id}"`, `"name":"ci"`}, lacks: []string{"cvk_", "{text}", "hash", "revokedAt"}},
		{as: "other", do: "DELETE /api/account/" + other + "/tokens/{id}", status: 404, has: []string{"db.not-found"}},
		{as: "admin", do: "DELETE /tokens/{id}", status: 204},
		{as: "{text}", do: "GET /events", status: 401, has: []string{`"code":"convoke.auth.unauthorized"`, "Www-Authenticate: Bearer"}},
		// A client of the reference tests for this one.
		{as: "{text}", do: "GET /functions", status: 403, has: []string{`"code":"convoke.auth.forbidden"`}, lacks: []string{"Www-Authenticate"}},
		{as: "", do: "GET /functions", status: 401, has: []string{`"code":"convoke.auth.unauthorized"`, "Www-Authenticate: Bearer"}},
		{as: "admin", do: "GET /tokens", status: 200, has: []string{`"revokedAt":"2`}},
		{as: "admin", do: "POST /tokens", body: `{"name":"ci","roles":["king"]}`, status: 400, has: []string{"validation", "king"}},
		{as: "admin", do: "POST /tokens", body: `{"name":"ci","roles":["admin"],"ttlSeconds":-9223372036854775808}`, status: 400, has: []string{"validation"}},
	},
	"outside of the table": {
		{as: "", do: "GET /api/nothing", status: 404, has: []string{`"code":"convoke.http.not-found"`, "Content-Type: application/json", "X-Content-Type-Options: nosniff"}},
		{as: "admin", do: "PUT /functions", status: 405, has: []string{`"code":"convoke.http.method-not-allowed"`, "Allow: GET, HEAD, POST"}},
		{as: "", do: "GET /livez", status: 200, has: []string{"ok"}},
	},
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for name, steps := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			saved := map[string]string{}
			for _, s := range steps {
				run(t, w, s, saved)
			}
		})
	}
}

func run(t *testing.T, w *world, s step, saved map[string]string) {
	t.Helper()
	fill := func(text string) string {
		return regexp.MustCompile(`\{\w+\}`).ReplaceAllStringFunc(text, func(name string) string {
			if v, ok := saved[strings.Trim(name, "{}")]; ok {
				return v
			}
			return name
		})
	}
	method, path, _ := strings.Cut(fill(s.do), " ")
	as := s.as
	if strings.HasPrefix(as, "{") {
		w.tokens["saved"], as = fill(as), "saved"
	}
	status, header, body := w.do(t, as, method, path, fill(s.body), s.header)
	if status != s.status {
		t.Fatalf("%s: status %d, want %d: %s", s.do, status, s.status, body)
	}
	var whole strings.Builder
	_ = header.Write(&whole) // a builder takes all
	whole.WriteString("\n" + body)
	for _, want := range s.has {
		if !strings.Contains(whole.String(), fill(want)) {
			t.Errorf("%s: the answer lacks %s:\n%s", s.do, fill(want), &whole)
		}
	}
	for _, not := range s.lacks {
		if strings.Contains(whole.String(), fill(not)) {
			t.Errorf("%s: the answer has %s:\n%s", s.do, fill(not), &whole)
		}
	}
	for name, member := range s.save {
		saved[name] = pick(t, body, member)
	}
}

func pick(t *testing.T, body, path string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	s, ok := v.(string)
	if !ok {
		t.Fatalf("the answer has no text %s: %s", path, body)
	}
	return s
}
