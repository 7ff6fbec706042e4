package httpapi

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"convoke"
)

// Members of the answers. A client of the reference reads some of them by
// name, and the Java one refuses any it does not know: so a shape is exact, and
// adding a member to it is a decision that this test asks for.
const (
	metaMembers     = "createdAt createdBy description eventId isCompV1 latestVersion name skills state updatedAt updatedBy uuid"
	manifestMembers = "code contract createdAt createdBy environment id language runtime settings updatedAt updatedBy version"
	deployedMembers = "createdAt createdBy deployedAt deploymentState functionUuid manifestUUID manifestVersion updatedAt updatedBy uuid warnings"
	problemMembers  = "column file line text"
	lambdaMembers   = "createdAt createdBy description eventId implementation lastDeployment name runtime state updatedAt updatedBy uuid version"
	contentMembers  = "code dependencies environmentVariables"
	runtimeMembers  = "baseImageName name uuid"
	lambdaDeployed  = "createdAt createdBy deployedAt deploymentError deploymentState imageName lambdaUUID lambdaVersion name updatedAt updatedBy uuid"
	lineMembers     = "extras level message timestamp"
	statistics1     = "from to UNKOWN SUCCEEDED CODING_FAILURE PLATFORM_FAILURE TIMEOUT"
	statistics2     = "from to UNKNOWN SUCCEEDED CODING_FAILURE PLATFORM_FAILURE TIMEOUT"
)

// shapes is every answer of the table of spec/api-surface.md 10 that this room
// gives: "" is the members of the answer itself, or all that elements of a list
// have, "a.b" those of b in a. {fn} has code, a variable and is deployed; {bad} could
// not be built.
var shapes = []struct {
	as, do, body string
	list         bool // the answer is a list
	members      map[string]string
}{
	{as: "", do: "GET /service/baseURI.json?version=1.0", members: map[string]string{"": "baseURIs", "baseURIs": "account baseURI service"}},
	{as: "", do: "GET /service/faasGW/baseURI.json?version=1.0", members: map[string]string{"": "account baseURI service"}},

	{as: "invoker", do: "GET /functions?userId=u", list: true, members: map[string]string{"": metaMembers + " deployedVersion"}},
	{as: "invoker", do: "GET /functions/{bad}", members: map[string]string{"": metaMembers + " lastDeployment versions", "versions": manifestMembers,
		"lastDeployment":       "createdAt createdBy deploymentState error functionUuid manifestUUID manifestVersion updatedAt updatedBy uuid",
		"lastDeployment.error": "code message problems", "lastDeployment.error.problems": problemMembers}},
	{as: "invoker", do: "GET /functions/{fn}", members: map[string]string{"": metaMembers + " deployedVersion lastDeployment versions", "versions": manifestMembers,
		"versions.environment": "A", "lastDeployment": deployedMembers, "lastDeployment.warnings": problemMembers}},
	{as: "developer", do: "POST /functions", body: `{"timestamp":0,"name":"new","eventId":"e"}`, members: map[string]string{"": metaMembers + " manifest", "manifest": "id version"}},
	{as: "developer", do: "PUT /functions/{fn}", body: `{"timestamp":0,"description":"newer"}`, members: map[string]string{"": metaMembers + " deployedVersion manifest", "manifest": "id version"}},
	{as: "developer", do: "PUT /functions/{fn}", body: `{"timestamp":0,"description":"newer"}`, members: map[string]string{"": "code message"}},
	{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"timestamp":0,"version":1}`, members: map[string]string{"": "code message"}},
	{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"timestamp":0,"version":1,"code":"newer"}`, members: map[string]string{"": metaMembers + " deployedVersion manifest", "manifest": "id version"}},
	{as: "invoker", do: "GET /deployments", list: true, members: map[string]string{"": deployedMembers + " error",
		"warnings": problemMembers, "error": "code message problems", "error.problems": problemMembers}},
	{as: "developer", do: "PATCH /deployments/{fn}", members: map[string]string{"": "deploymentId deploymentState message version"}},
	{as: "invoker", do: "POST /functions/{fn}/test", body: `7`, members: map[string]string{"": "logs result", "logs": lineMembers}},
	{as: "invoker", do: "GET /reports/invocations/{fn}?bucketSize=300", members: map[string]string{"": "invocationStatistics uuid", "invocationStatistics": statistics2}},
	{as: "invoker", do: "GET /reports/invocationCounts", list: true, members: map[string]string{"": "failedInvocations functionUuid successfulInvocations"}},
	{as: "", do: "GET /functions", members: map[string]string{"": "code message"}},
	{as: "wrong", do: "GET /functions", members: map[string]string{"": "code message"}},
	{as: "invoker", do: "GET /functions/none", members: map[string]string{"": "code message"}},
	{as: "invoker", do: "GET /none", members: map[string]string{"": "code message"}},

	{as: "invoker", do: "GET /lambdas?v=1&name=greet", list: true, members: map[string]string{"": lambdaMembers, "runtime": runtimeMembers, "implementation": contentMembers,
		"implementation.environmentVariables": "key value", "lastDeployment": lambdaDeployed}},
	{as: "invoker", do: "GET /lambdas/{bad}?v=1", list: true, members: map[string]string{"": lambdaMembers, "runtime": runtimeMembers, "implementation": contentMembers,
		"lastDeployment": lambdaDeployed, "lastDeployment.deploymentError": "errorCode errorLogs errorMsg", "lastDeployment.deploymentError.errorLogs": lineMembers}},
	{as: "developer", do: "POST /lambdas?v=1", body: `{"name":"newer","eventId":"e"}`, members: map[string]string{"": lambdaMembers, "runtime": runtimeMembers, "implementation": contentMembers}},
	{as: "developer", do: "PUT /lambdas/{bad}?v=1", body: `{"description":"newer"}`, members: map[string]string{"": lambdaMembers, "runtime": runtimeMembers, "implementation": contentMembers,
		"lastDeployment": lambdaDeployed, "lastDeployment.deploymentError": "errorCode errorLogs errorMsg", "lastDeployment.deploymentError.errorLogs": lineMembers}},
	{as: "invoker", do: "GET /runtimes?v=1", list: true, members: map[string]string{"": runtimeMembers}},
	{as: "developer", do: "DELETE /deployments/{late}?v=1", members: map[string]string{"": "message"}},
	{as: "developer", do: "POST /deployments/{late}?v=1", members: map[string]string{"": "message"}},
	{as: "admin", do: "POST /proxy-settings?v=1", body: `{"timestamp":0,"domain":"a.example.com","id":-1}`, members: map[string]string{"": "domain id"}},
	{as: "invoker", do: "GET /reports/invocations/{fn}?v=1&bucketSize=300&invocationStates=UNKOWN", members: map[string]string{"": "invocationStatistics uuid", "invocationStatistics": statistics1}},
	{as: "invoker", do: "GET /reports/invocationCounts?v=1", members: map[string]string{"": "successfulInvocations unsuccessfulInvocations"}},
	{as: "invoker", do: "GET /reports/limitCounts?v=1", members: map[string]string{"": "invocationLimitPerMonth limitDeployedLambdas limitTotalLambdas"}},
	{as: "invoker", do: "GET /reports/lambdaCounts?v=1", members: map[string]string{"": "deployed total"}},
	{as: "invoker", do: "GET /lambdas/none?v=1", members: map[string]string{"": "errorCode errorMsg"}},
	{as: "invoker", do: "POST /lambdas?v=1", body: "{}", members: map[string]string{"": "errorCode errorMsg"}},
	{as: "", do: "GET /lambdas?v=1", members: map[string]string{"": "errorCode errorMsg"}},
	{as: "invoker", do: "GET /none?v=1", members: map[string]string{"": "errorCode errorMsg"}},
}

func TestShapes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	saved := map[string]string{}
	prepare := []step{
		{as: "developer", do: "POST /functions", body: `{"name":"greet","eventId":"conversational_command"}`, status: 201, save: map[string]string{"fn": "uuid"}},
		{as: "developer", do: "PUT /functions/{fn}/manifest", body: `{"code":"x","contract":"v1","environment":{"A":"b"}}`, status: 200},
		{as: "developer", do: "POST /deployments/{fn}?wait=1", status: 200},
		{as: "developer", do: "POST /functions", body: `{"name":"late","eventId":"e"}`, status: 201, save: map[string]string{"late": "uuid"}},
		{as: "developer", do: "PUT /functions/{late}/manifest", body: `{"code":"y"}`, status: 200},
		{as: "developer", do: "POST /deployments/{late}?wait=1", status: 200},
		{as: "developer", do: "POST /functions", body: `{"name":"bad","eventId":"e"}`, status: 201, save: map[string]string{"bad": "uuid"}},
		{as: "developer", do: "PUT /functions/{bad}/manifest", body: `{"code":"BROKEN","contract":"v2"}`, status: 200},
		{as: "developer", do: "POST /deployments/{bad}?wait=1", status: 422},
	}
	for _, s := range prepare {
		run(t, w, s, saved)
	}
	w.meter.Record(&convoke.Invocation{RequestID: "r", AccountID: home, FunctionID: saved["fn"], StartedAt: time.Now().UTC(), Outcome: convoke.OutcomeSucceeded})

	for _, tt := range shapes {
		method, path, _ := strings.Cut(tt.do, " ")
		path = strings.NewReplacer("{fn}", saved["fn"], "{late}", saved["late"], "{bad}", saved["bad"]).Replace(path)
		_, _, body := w.do(t, tt.as, method, path, tt.body, nil)
		var answer any
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Errorf("%s: %v in %s", tt.do, err, body)
			continue
		}
		if list, is := answer.([]any); is != tt.list || is && len(list) == 0 {
			t.Errorf("%s: a list: %v, want %v, with something in it: %s", tt.do, is, tt.list, body)
			continue
		}
		got, want := map[string]map[string]bool{}, map[string]map[string]bool{}
		collect("", answer, got)
		for at, members := range tt.members {
			want[at] = map[string]bool{}
			for m := range strings.FieldsSeq(members) {
				want[at][m] = true
			}
		}
		maps.DeleteFunc(got, func(at string, members map[string]bool) bool { return len(members) == 0 && want[at] == nil })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s%s", tt.do, diff, body)
		}
	}

	// The command line prints the members of a bucket as columns, in their order.
	for query, want := range map[string]string{"": statistics2, "?v=1": statistics1} {
		_, _, body := w.do(t, "invoker", "GET", "/reports/invocations/"+saved["fn"]+query, "", nil)
		at := -1
		for member := range strings.FieldsSeq(want) {
			next := strings.Index(body, `"`+member+`":`)
			if next <= at {
				t.Errorf("%s is not in its place in %s", member, body)
			}
			at = next
		}
	}
}

// collect gathers the members of v by the path that leads to them, over all
// elements of lists.
func collect(at string, v any, into map[string]map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			collect(at, element, into)
		}
	case map[string]any:
		if into[at] == nil {
			into[at] = map[string]bool{}
		}
		for name, member := range v {
			into[at][name] = true
			collect(strings.TrimPrefix(at+"."+name, "."), member, into)
		}
	}
}
