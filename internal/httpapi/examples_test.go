package httpapi

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"convoke"
)

// noExample are the operations with JSON bodies that have no example, with the
// reason.
var noExample = map[string]string{
	"refresh":    "takes a cookie",
	"token":      "takes a form; docs/oauth.md shows it",
	"appToken":   "takes a form; docs/oauth.md shows it",
	"appTokenV2": "takes a form; docs/oauth.md shows it",
	"userToken":  "takes a form; docs/oauth.md shows it",
}

// shown is one use of every operation, in order. In body and path "{name}"
// stands for what an earlier use saved.
var shown = []struct {
	as, op, body, query string
	save                map[string]string
}{
	{as: "developer", op: "createFunction", body: `{"name":"greeting","description":"says hello","eventId":"controllerbot_messaging_new_conversation"}`, save: map[string]string{"uuid": "uuid", "manifest": "manifest.id"}},
	{as: "developer", op: "updateFunction", body: `{"description":"says hello to new customers","skills":["4129463410"]}`},
	{as: "developer", op: "saveManifest", body: `{"id":"{manifest}","version":1,"code":"async function lambda(input) {\n  return [{ type: \"systemMessage\", text: \"Hello\" }];\n}\n","environment":{"TONE":"friendly"}}`},
	{as: "developer", op: "saveManifest", body: `{"id":"{manifest}","version":1,"code":"async function lambda(input) {\n  return [{ type: \"systemMessage\", text: process.env.GREETING }];\n}\n","environment":{"GREETING":"Hello"},"settings":{"timeoutMs":5000}}`},
	{as: "developer", op: "deploy", body: `{"version":2}`},
	{as: "developer", op: "redeploy", body: `{"version":1}`},
	{as: "developer", op: "restoreVersion"},
	{as: "developer", op: "getFunction"}, {as: "developer", op: "listFunctions"}, {as: "developer", op: "countFunctions"},
	{as: "developer", op: "listVersions"}, {as: "developer", op: "getVersion"},
	{as: "developer", op: "listDeployments"}, {as: "developer", op: "listAccountDeployments"}, {as: "developer", op: "countDeployments"},
	{as: "developer", op: "testFunction", body: `{"headers":[],"payload":{"conversationId":"4a1f2c"}}`},
	{as: "invoker", op: "invoke", body: `{"timestamp":1764000000000,"headers":[{"key":"channel","value":"web"}],"payload":{"conversationId":"4a1f2c"}}`},
	{as: "invoker", op: "invokeEvent", body: `{"payload":{"conversationId":"4a1f2c"}}`}, {as: "invoker", op: "isImplemented"},
	{as: "developer", op: "listInvocations"}, {as: "developer", op: "reportInvocations", query: "?startTimestamp=1763999900000&endTimestamp=1764000200000"}, {as: "developer", op: "countInvocations", query: "?startTimestamp=1763999900000&endTimestamp=1764000200000"},
	{as: "developer", op: "queryLogs"}, {as: "developer", op: "queryAccountLogs"}, {as: "developer", op: "listCalls"}, {as: "developer", op: "listAccountCalls"},
	{as: "developer", op: "createSchedule", body: `{"functionUuid":"{uuid}","cronExpression":"0 6 * * 1","description":"weekly report","invocationBody":{"payload":{"week":"last"}}}`, save: map[string]string{"schedule": "id"}},
	{as: "developer", op: "updateSchedule", body: `{"cronExpression":"30 6 * * 1"}`},
	{as: "developer", op: "getSchedule"}, {as: "developer", op: "listSchedules"}, {as: "developer", op: "listScheduleRuns"},
	{as: "developer", op: "undeploy"},
	{as: "admin", op: "addDomain", body: `{"domain":"api.example.com"}`}, {as: "admin", op: "listDomains"},
	{as: "admin", op: "createSecret", body: `{"name":"crm-key","value":"s3cr3t"}`}, {as: "admin", op: "setSecret", body: `{"value":"n3w"}`},
	{as: "admin", op: "getSecret"}, {as: "admin", op: "listSecrets"}, {as: "operator", op: "rotateKey"},
	{as: "admin", op: "createClient", body: `{"name":"crm","grantTypes":["client_credentials"],"scopes":["faas.lambda.invoke"]}`, save: map[string]string{"client": "id"}},
	{as: "admin", op: "updateClient", body: `{"name":"CRM"}`}, {as: "admin", op: "rotateClientSecret", body: `{"graceSeconds":3600}`},
	{as: "admin", op: "getClient"}, {as: "admin", op: "listClients"},
	{as: "admin", op: "createToken", body: `{"name":"ci","roles":["developer"],"ttlSeconds":86400}`}, {as: "admin", op: "listTokens", query: "?sort=name"},
	{as: "operator", op: "createAccount", body: `{"id":"30000003","name":"Example Ltd","admin":"ann"}`},
	{as: "operator", op: "updateAccount", body: `{"limits":{"functionsPerAccount":500}}`}, {as: "operator", op: "getAccount"}, {as: "operator", op: "listAccounts"},
	{as: "admin", op: "updateSettings", body: `{"name":"Example Inc"}`}, {as: "admin", op: "getSettings"}, {as: "admin", op: "listLimits"},
	{as: "admin", op: "createUser", body: `{"loginName":"bob","roles":["developer"]}`, save: map[string]string{"user": "id"}},
	{as: "admin", op: "updateUser", body: `{"roles":["developer","invoker"]}`}, {as: "admin", op: "resetPassword", save: map[string]string{"reset": "password"}},
	{as: "", op: "login", body: `{"username":"bob","password":"{reset}"}`, save: map[string]string{"bob": "bearer"}},
	{as: "{bob}", op: "changePassword", body: `{"oldPassword":"{reset}","newPassword":"` + password + `"}`},
	{as: "{bob}", op: "me"}, {as: "{bob}", op: "listOwnConsents"}, {as: "admin", op: "listConsents"}, {as: "{bob}", op: "createOwnToken", body: `{"name":"laptop","roles":["developer"]}`}, {as: "{bob}", op: "listOwnTokens"},
	{as: "admin", op: "getUser"}, {as: "admin", op: "listUsers"}, {as: "admin", op: "listActivities", query: "?noun=domain"},
	{as: "developer", op: "listEvents"}, {as: "developer", op: "listRuntimes"},
	{as: "developer", op: "v1.createLambda", body: `{"uuid":"","version":-1,"name":"greeting-v1","description":"says hello","eventId":"","runtime":{"uuid":"2f1ad8b6-5c0e-4a26-9d26-000000000026","name":"Node.js 26","baseImageName":"node26"},"implementation":{"code":"function lambda(input, callback) {\n  callback(null, \"Hello\");\n}\n","dependencies":[],"environmentVariables":[{"key":"","value":""}]}}`, save: map[string]string{"uuid": "uuid"}},
	{as: "developer", op: "v1.saveLambda", body: `{"uuid":"{uuid}","version":2,"name":"greeting-v1","description":"says hello","implementation":{"code":"function lambda(input, callback) {\n  callback(null, process.env.GREETING);\n}\n","environmentVariables":[{"key":"GREETING","value":"Hello"}]}}`},
	{as: "developer", op: "v1.deploy"}, {as: "developer", op: "v1.getLambda"}, {as: "developer", op: "v1.listLambdas", query: "&name=greeting-v1"},
	{as: "invoker", op: "v1.invoke", body: `{"timestamp":0,"headers":[],"payload":{"conversationId":"4a1f2c"}}`},
	{as: "invoker", op: "v1.invokeEvent", body: `{"payload":{"conversationId":"4a1f2c"}}`}, {as: "invoker", op: "v1.isImplemented"},
	{as: "developer", op: "v1.createSchedule", body: `{"lambdaUUID":"{uuid}","cronExpression":"0 6 * * 1","isActive":true}`, save: map[string]string{"schedule": "uuid"}},
	{as: "developer", op: "v1.updateSchedule", body: `{"cronExpression":"30 6 * * 1"}`}, {as: "developer", op: "v1.getSchedule"}, {as: "developer", op: "v1.listSchedules"},
	{as: "developer", op: "v1.reportInvocations", query: "&startTimestamp=1763999900000&endTimestamp=1764000200000"}, {as: "developer", op: "v1.countInvocations", query: "&startTimestamp=1763999900000&endTimestamp=1764000200000"},
	{as: "developer", op: "v1.undeploy"}, {as: "developer", op: "v1.countLambdas"}, {as: "developer", op: "v1.countLimits"},
	{as: "admin", op: "v1.addProxySetting", body: `{"domain":"*.example.com"}`}, {as: "developer", op: "v1.listEvents"}, {as: "developer", op: "v1.listRuntimes"},
	{as: "", op: "discover"}, {as: "", op: "discoverService"}, {as: "", op: "oauthServer"}, {as: "", op: "openIDConfiguration"}, {as: "", op: "keySet"}, {as: "", op: "sentinelKeySet"},
	{as: "{bob}", op: "listOwnSessions"}, {as: "admin", op: "listSessions"}, {as: "{bob}", op: "endOwnSessions"}, {as: "admin", op: "endSessions"},
}

// TestExamples uses every operation and holds the examples of the API document
// to what was sent and answered; and both to the types that the table names.
func TestExamples(t *testing.T) {
	t.Parallel()
	w := setup(t)
	routes := map[string]Route{}
	for _, rt := range append((&server{}).routes(), (&server{}).v1Routes()...) {
		if rt.Doc.ID != "" {
			routes[rt.Doc.ID] = rt
		}
		if rt.V1 != nil {
			rt.Doc, rt.Path = *rt.V1, rt.Path+"?v=1"
			routes[v1Prefix+rt.Doc.ID] = rt
		}
	}
	same := normalizer{ids: map[string]string{}}
	saved := map[string]string{"account": home, "version": "1", "event": "controllerbot_messaging_new_conversation", "secret": "crm-key", "id": "30000003", "service": "faasGW"}
	fill := func(s string) string {
		for name, value := range saved {
			s = strings.ReplaceAll(s, "{"+name+"}", value)
		}
		return s
	}
	got := map[string]shownExample{}
	for _, use := range shown {
		rt, ok := routes[use.op]
		if !ok {
			t.Fatalf("there is no operation %s", use.op)
		}
		switch use.op {
		case "invoke":
			hello := `[{"type":"systemMessage","text":"Hello"}]`
			w.config.Gateway = Gateway{Invoke: plainFor(answer(hello)), Event: plainFor(answer(`[{"uuid":"` + saved["uuid"] + `","timestamp":1764000000000,"result":` + hello + `}]`)), Implemented: answer(`{"implemented":true}`)}
			w.remake(t)
		case "listInvocations":
			w.leaveRecords(t, saved["uuid"])
		case "listScheduleRuns":
			w.leaveRun(t)
		case "endOwnSessions":
			w.signIn(t, saved["user"], "Mozilla/5.0")
		case "listOwnConsents":
			w.consent(t, home, saved["user"], saved["client"])
		}
		as := use.as
		if strings.HasPrefix(as, "{") {
			w.tokens["saved"], as = fill(as), "saved"
		}
		body := fill(use.body)
		status, _, answered := w.do(t, as, rt.Method, fill(rt.Path)+use.query, body, nil)
		if status < 200 || status > 299 {
			t.Fatalf("%s: status %d: %s", use.op, status, answered)
		}
		for name, member := range use.save {
			saved[name] = pick(t, answered, member)
		}
		for use.op == "deploy" || use.op == "redeploy" { // until it has ended
			if _, _, f := w.do(t, "developer", "GET", "/functions/"+saved["uuid"], "", nil); !strings.Contains(f, `"pending":true`) {
				break
			}
		}
		e := shownExample{}
		if body != "" {
			e.Request = json.RawMessage(same.text(body))
		}
		if answered != "" {
			e.Response = same.first(t, same.text(answered))
		}
		for side, of := range map[*json.RawMessage]any{&e.Request: rt.Doc.Request, &e.Response: rt.Doc.Response} {
			if *side == nil || of == anyValue {
				continue
			}
			d := json.NewDecoder(bytes.NewReader(*side))
			d.DisallowUnknownFields()
			if err := d.Decode(reflect.New(reflect.TypeOf(of)).Interface()); err != nil {
				t.Errorf("%s: %v in %s", use.op, err, *side)
			}
		}
		got[use.op] = e
	}
	for id, rt := range routes {
		e, isShown := got[id]
		request, response := rt.Doc.Request != nil, rt.Doc.Response != nil && rt.Doc.Media == ""
		if !request && !response || noExample[id] != "" {
			continue
		}
		if !isShown || request && e.Request == nil || response && e.Response == nil {
			t.Errorf("%s has no example of its request or answer", id)
		}
	}
	b, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile("examples.json", b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("examples.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(b), "\n")); diff != "" {
		t.Errorf("examples.json is not what the server does; if that is meant, run the tests with -update, twice: the program holds the file (-want +got):\n%s", diff)
	}
}

// leaveRecords is what running functions leave.
func (w *world) leaveRecords(t *testing.T, functionID string) {
	t.Helper()
	at := time.UnixMilli(1764000000000).UTC()
	w.meter.Record(&convoke.Invocation{RequestID: "6d1f9a3c", AccountID: home, FunctionID: functionID, Version: 2, EventID: "controllerbot_messaging_new_conversation", Caller: "controllerbot",
		StartedAt: at, Wait: 20 * time.Microsecond, Cold: true, ColdStart: 3100 * time.Microsecond, Run: 1200 * time.Microsecond, CPU: 900 * time.Microsecond, PeakMemory: 48 << 20,
		PayloadBytes: 61, ResultBytes: 42, Outcome: convoke.OutcomeSucceeded})
	if err := w.meter.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.store.AppendLogs(t.Context(), []convoke.LogEntry{{AccountID: home, FunctionID: functionID, Version: 2, RequestID: "6d1f9a3c", Time: at,
		Level: convoke.LevelInfo, Source: convoke.SourceConsole, Message: "greeted", Extras: json.RawMessage(`[{"conversationId":"4a1f2c"}]`)}}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.AppendCalls(t.Context(), []convoke.Call{{AccountID: home, FunctionID: functionID, Version: 2, RequestID: "6d1f9a3c", At: at, Host: "api.example.com", Port: 443,
		Method: "GET", Status: 200, Sent: 912, Received: 5310, Took: 84 * time.Millisecond, Outcome: convoke.CallOK}}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) leaveRun(t *testing.T) {
	t.Helper()
	now := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	runs, err := w.store.ClaimRuns(t.Context(), now, 1, 9, func(sc *convoke.Schedule) *convoke.ScheduleRun {
		sc.NextAt = sc.NextAt.AddDate(0, 0, 7)
		return &convoke.ScheduleRun{State: convoke.RunFinished, RequestID: "7e20ab4d", ClaimedAt: now, StartedAt: now, FinishedAt: now}
	})
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
}

// normalizer makes what differs from run to run the same.
type normalizer struct{ ids map[string]string }

var (
	anyID     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	anyTime   = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)
	anySecret = regexp.MustCompile(`"(token|bearer|password|oldPassword|secret|csrf|sessionId|x|y|kid)":"[^"]+"`)
	anyKey    = regexp.MustCompile(`"(keyId)":\d+`)
	used      = regexp.MustCompile(`,"lastUsedAt":"[^"]*"`) // is written a while later
)

func (n normalizer) text(s string) string {
	s = anyID.ReplaceAllStringFunc(s, func(id string) string {
		if n.ids[id] == "" {
			n.ids[id] = uuid.NewSHA1(uuid.NameSpaceOID, []byte{byte(len(n.ids))}).String()
		}
		return n.ids[id]
	})
	s = used.ReplaceAllString(s, "")
	s = anyTime.ReplaceAllString(s, `"2026-11-27T09:30:00.000Z"`)
	s = anySecret.ReplaceAllString(s, `"$1":"…"`)
	return strings.TrimSpace(anyKey.ReplaceAllString(s, `"$1":2405917532`))
}

// first keeps an example short: of a list, one element.
func (n normalizer) first(t *testing.T, s string) json.RawMessage {
	t.Helper()
	if !strings.HasPrefix(s, "[") {
		return json.RawMessage(s)
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(s), &list); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(list[:min(1, len(list))])
	if err != nil {
		t.Fatal(err)
	}
	return b
}
