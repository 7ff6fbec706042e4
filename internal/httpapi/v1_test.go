package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"convoke"
	"convoke/api"
)

const codeV1 = `function lambda(input, callback) { callback(null, 1) }`

// lambdaBody is a whole lambda as the command line of V1 sends it.
func lambdaBody(uuid, version, description, code, variables string) string {
	return `{"timestamp":0,"uuid":"` + uuid + `","version":` + version + `,"name":"greet","description":"` + description + `","eventId":"conversational_command","state":"Draft",` +
		`"runtime":{"uuid":"2f1ad8b6-5c0e-4a26-9d26-000000000024","name":"Node.js 24","baseImageName":"node24"},` +
		`"implementation":{"code":"` + code + `","dependencies":[],"environmentVariables":` + variables + `}}`
}

var madeV1 = []step{
	{as: "developer", do: "POST /lambdas?userId=u&v=1", body: lambdaBody("", "-1", "says hello", codeV1, `[{"key":"","value":""}]`), status: 201,
		has:  []string{`"version":1,"name":"greet"`, `"state":"Draft"`, `"environmentVariables":[]`, `"dependencies":[]`, `"lastDeployment":null`, `"name":"Node.js 24"`},
		save: map[string]string{"fn": "uuid"}},
}

var scenariosV1 = map[string][]step{
	"life of a lambda": after(madeV1,
		step{as: "developer", do: "GET /lambdas/{fn}?userId=u&v=1", status: 200, has: []string{"\n[{\"uuid\":\"{fn}\"", `callback(null, 1) }"`, `"lastDeployment":null`}},
		step{as: "developer", do: "PUT /lambdas/{fn}?userId=u&v=1", body: lambdaBody("{fn}", "2", "says hello", codeV1, `[{"key":"","value":""}]`), status: 304, lacks: []string{"{"}},
		step{as: "developer", do: "PUT /lambdas/{fn}?userId=u&v=1", body: lambdaBody("{fn}", "1", "says hello", codeV1, `[{"key":"","value":""}]`), status: 304, lacks: []string{"{"}},
		step{as: "developer", do: "PUT /lambdas/{fn}?userId=u&v=1", body: lambdaBody("{fn}", "2", "says hello", "changed", `[{"key":"B","value":"2"},{"key":"A","value":"1"}]`), status: 200,
			has: []string{`"version":2`, `"environmentVariables":[{"key":"A","value":"1"},{"key":"B","value":"2"}]`, `"code":"changed"`}},
		// Somebody who saw another version.
		step{as: "developer", do: "PUT /lambdas/{fn}?userId=u&v=1", body: lambdaBody("{fn}", "4", "says hello", "lost", `[]`), status: 409, has: []string{`{"errorCode":"com.liveperson.faas.db.error.revision","errorMsg":"`}},
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: lambdaBody("{fn}", "1", "other", "lost", `[]`), status: 409, has: []string{"db.error.revision"}},
		// The other dialect sees the same function.
		step{as: "developer", do: "GET /functions/{fn}", status: 200, has: []string{`"description":"says hello"`, `"environment":{"A":"1","B":"2"}`, `"runtime":"node24"`, `"latestVersion":2`, `"code":"changed"`}, lacks: []string{`"contract"`}},
		// A description alone is saved without a new version.
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: lambdaBody("{fn}", "3", "other", "changed", `[{"key":"A","value":"1"},{"key":"B","value":"2"}]`), status: 200, has: []string{`"version":2`, `"description":"other"`}},
		step{as: "developer", do: "POST /deployments/{fn}?userId=u&v=1&wait=true", status: 200, has: []string{"\n{\"message\":\"Version 2 is deployed.\"}\n"}},
		step{as: "developer", do: "GET /lambdas/{fn}?userId=u&v=1", status: 200, has: []string{`"state":"Productive"`, `"lambdaVersion":2`, `"lambdaUUID":"{fn}"`, `"deployedAt":"2`, `"deploymentError":null`}},
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: lambdaBody("{fn}", "3", "other", "newer", `[]`), status: 200, has: []string{`"state":"Modified"`, `"version":3`}},
		step{as: "developer", do: "POST /deployments/{fn}?userId=u&v=1", status: 200, has: []string{"\n{\"message\":\"Version 3 is deployed.\"}\n"}},
	),
	"undeploy": after(madeV1,
		step{as: "developer", do: "POST /deployments/{fn}?userId=u&v=1&wait=true", status: 200},
		step{as: "developer", do: "DELETE /deployments/{fn}?userId=u&v=1", status: 200, has: []string{"\n{\"message\":\"greet is undeployed.\"}\n"}},
		step{as: "developer", do: "GET /lambdas/{fn}?v=1", status: 200, has: []string{`"state":"Draft"`}},
		step{as: "developer", do: "DELETE /deployments/{fn}?userId=u&v=1", status: 409, has: []string{`{"errorCode":"com.liveperson.faas.dm.action.not-allowed"`}},
	),
	"lists": after(madeV1,
		step{as: "developer", do: "POST /functions", body: `{"name":"plain"}`, status: 201},
		step{as: "invoker", do: "GET /lambdas?v=1&userId=u", status: 200, has: []string{"\n[{\"uuid\":\"", `"name":"greet"`, `"name":"plain"`, "}\n]\n"}},
		step{as: "invoker", do: "GET /lambdas/?eventId=&externalSystem=&userId=u&v=1", status: 200, has: []string{`"name":"greet"`, `"name":"plain"`}},
		step{as: "invoker", do: "GET /lambdas?v=1&name=greet", status: 200, has: []string{`"name":"greet"`}, lacks: []string{`"name":"plain"`}},
		step{as: "invoker", do: "GET /lambdas?v=1&state=Productive&state=Modified", status: 200, has: []string{"\n[]\n"}},
		step{as: "invoker", do: "GET /lambdas?v=1&eventId=conversational_command&state=Draft", status: 200, has: []string{`"name":"greet"`}, lacks: []string{`"name":"plain"`}},
		step{as: "invoker", do: "GET /lambdas?v=1&state=Asleep", status: 400, has: []string{`{"errorCode":"com.liveperson.faas.es.badinput","errorMsg":"`}},
		step{as: "other", do: "GET /api/account/" + other + "/lambdas?v=1", status: 200, has: []string{"\n[]\n"}},
		step{as: "other", do: "GET /api/account/" + other + "/lambdas/{fn}?v=1", status: 404, has: []string{`{"errorCode":"com.liveperson.faas.es.missinglambda","errorMsg":"`}},
	),
	"what is refused": after(madeV1,
		step{as: "developer", do: "POST /lambdas?v=1", body: lambdaBody("", "-1", "", "", `[]`), status: 409, has: []string{`{"errorCode":"com.liveperson.faas.db.conflict"`}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"a b"}`, status: 400, has: []string{`{"errorCode":"com.liveperson.faas.fm.validation.general"`}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"a","runtime":{"uuid":"x","name":"Node.js 14"}}`, status: 400, has: []string{"validation", "Node.js 14"}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"a","implementation":{"environmentVariables":[{"key":"","value":"lost"}]}}`, status: 400, has: []string{"validation"}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"a","implementation":{"environmentVariables":[{"key":"A","value":"1"},{"key":"A","value":"2"}]}}`, status: 400, has: []string{"listed twice"}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"a","implementation":{"dependencies":[{"value":"1"}]}}`, status: 400, has: []string{"dependencies"}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"a","implementation":{"dependencies":["lodash"]}}`, status: 400, has: []string{`"errorCode":"com.liveperson.faas.es.badinput"`, "must be an object"}},
		step{as: "developer", do: "POST /lambdas?v=1", status: 400, has: []string{"needs a JSON body"}},
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: `{"version":2,"uuid":"another"}`, status: 400, has: []string{"validation"}},
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: `{"version":2,"name":"renamed"}`, status: 400, has: []string{"fixed"}},
		// What is wrong with the description leaves the content as it was.
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: lambdaBody("{fn}", "2", strings.Repeat("x", 201), "newer", `[]`), status: 400, has: []string{"validation", "201 characters"}},
		step{as: "developer", do: "GET /lambdas/{fn}?v=1", status: 200, has: []string{`"version":1`}, lacks: []string{"newer"}},
		step{as: "developer", do: "PUT /lambdas/nothing?v=1", body: `{}`, status: 404, has: []string{"es.missinglambda"}},
	),
	"broken code": after(madeV1,
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: lambdaBody("{fn}", "2", "other", "BROKEN", `[]`), status: 400,
			has: []string{`{"errorCode":"com.liveperson.faas.fm.validation.invalid-syntax","errorMsg":"the code has 1 problem","errorLogs":[{"level":"Error","message":"index.js:3:7: unexpected }","extras":[],"timestamp":`}},
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: lambdaBody("{fn}", "2", "other", "NAMELESS", `[]`), status: 400,
			has: []string{`{"errorCode":"com.liveperson.faas.fm.validation.contract-error","errorMsg":"the code has no function named lambda`}},
		step{as: "developer", do: "GET /lambdas/{fn}?v=1", status: 200, has: []string{`"version":1`, `"description":"says hello"`}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"second","implementation":{"code":"BROKEN"}}`, status: 400, has: []string{"invalid-syntax"}},
		step{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"second","implementation":{"code":"NAMELESS"}}`, status: 400, has: []string{"contract-error"}},
		step{as: "developer", do: "GET /lambdas?v=1", status: 200, lacks: []string{"second"}},
		// A draft that does not compile can be saved by V2, and changed in other ways by V1.
		step{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"BROKEN"}`, status: 200},
		step{as: "developer", do: "PUT /lambdas/{fn}?v=1", body: lambdaBody("{fn}", "2", "other", "BROKEN", `[]`), status: 200, has: []string{`"description":"other"`}},
		step{as: "developer", do: "POST /deployments/{fn}?userId=u&v=1", status: 422, has: []string{`{"errorCode":"com.liveperson.faas.dm.build.general"`}},
		step{as: "developer", do: "POST /deployments/{fn}?v=1&wait=true", status: 422, has: []string{`{"errorCode":"com.liveperson.faas.dm.build.general"`}, lacks: []string{"problems"}},
		step{as: "developer", do: "GET /lambdas/{fn}?v=1", status: 200, has: []string{`"state":"Build Error"`, `"deployedAt":null`,
			`"deploymentError":{"errorCode":"com.liveperson.faas.dm.build.general","errorMsg":"the code has 1 problem","errorLogs":[{"level":"Error","message":"index.js:3:7: unexpected }","extras":[],"timestamp":`}},
	),
	"domains": {
		{as: "admin", do: "POST /proxy-settings?v=1", body: `{"timestamp":0,"domain":"*.example.com","id":-1}`, status: 201, has: []string{`"domain":"*.example.com"}`}},
		{as: "admin", do: "POST /proxy-settings?v=1", body: `{"timestamp":0,"domain":"https://example.com","id":-1}`, status: 400, has: []string{`"errorCode":"com.liveperson.faas.fm.validation.invalid-domain"`}},
		{as: "developer", do: "POST /proxy-settings?v=1", body: `{"domain":"example.com"}`, status: 403},
	},
	"logs": after(madeV1,
		step{as: "invoker", do: "GET /logs/export?userId=u&v=1&lambdaUUID={fn}&startTimestamp=1&endTimestamp=&filterLevels=", status: 200, has: []string{"Content-Type: text/csv", "lambdaUUID;requestID;timestamp;level;message;extras"}},
		step{as: "invoker", do: "GET /logs/export?v=1&lambdaUUID=none", status: 404, has: []string{"es.missinglambda"}},
		step{as: "invoker", do: "GET /logs/export?v=1", status: 400, has: []string{"lambdaUUID must name a function"}},
	),
	"errors": {
		{as: "", do: "GET /lambdas?v=1", status: 401, has: []string{`{"errorCode":"convoke.auth.unauthorized","errorMsg":"`}},
		{as: "wrong", do: "GET /lambdas?v=1", status: 401, has: []string{`{"errorCode":"convoke.auth.unauthorized","errorMsg":"`}},
		{as: "other", do: "GET /lambdas?v=1", status: 403, has: []string{`{"errorCode":"convoke.auth.forbidden","errorMsg":"`}},
		{as: "admin", do: "GET /nothing?v=1", status: 404, has: []string{`{"errorCode":"convoke.http.not-found","errorMsg":"`}},
		{as: "admin", do: "PATCH /lambdas?v=1", status: 405, has: []string{`{"errorCode":"convoke.http.method-not-allowed","errorMsg":"`}},
		{as: "invoker", do: "POST /lambdas?v=1", body: "{}", status: 403, has: []string{`{"errorCode":"convoke.auth.forbidden"`}},
	},
}

func TestScenariosV1(t *testing.T) {
	t.Parallel()
	for name, steps := range scenariosV1 {
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

// FuzzReadLambda: whatever is sent either is refused with a code that the
// caller can act on, or is a content that its parts agree with.
func FuzzReadLambda(f *testing.F) {
	f.Add(lambdaBody("u", "2", "d", codeV1, `[{"key":"A","value":"1"}]`))
	f.Add(`{"implementation":{"environmentVariables":[{}],"dependencies":[{"key":"lodash"}]},"runtime":{"name":"Node.js 26"}}`)
	f.Add(`{"version":1e99}`)
	s := &server{Config: Config{Limits: convoke.DefaultLimits()}}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		in, content, err := s.readLambda(httptest.NewRecorder(), r)
		if err != nil {
			if code := convoke.ErrorCode(err); api.Status(code) >= 500 {
				t.Errorf("refused with %s", code)
			}
			return
		}
		if content.Runtime != nil && !convoke.HasRuntime(*content.Runtime) {
			t.Errorf("runtime %q", *content.Runtime)
		}
		if len(content.Environment) > len(in.Implementation.EnvironmentVariables) {
			t.Errorf("content %+v of %+v", content, in)
		}
		// What it becomes can be read again.
		out, err := json.Marshal(lambda(&convoke.Function{}, &convoke.Version{Environment: content.Environment}, nil))
		if err != nil || !regexp.MustCompile(`"environmentVariables":\[`).Match(out) {
			t.Errorf("%s, %v", out, err)
		}
	})
}
