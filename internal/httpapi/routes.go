package httpapi

import (
	"net/http"
	"slices"

	"convoke"
	"convoke/api"
)

// Route is one line of the table: what it answers to, who may call it, what
// runs, and what the API document says about it.
type Route struct {
	Method string
	Path   string // in the form of http.ServeMux
	Rule   Rule
	Handle Handler
	Quiet  bool // successes are logged at Debug
	// Match is the kind of thing that the route changes and whose revision the
	// header If-Match can demand; "" refuses the header.
	Match string
	Doc   Doc
	// V1 is what the document of the first generation says; nil: it is not in
	// there, or the same as in the other.
	V1 *Doc
}

// Doc describes a route in the OpenAPI document. Path parameters, the answers
// of the rule and internal errors are added from the route itself.
type Doc struct {
	ID       string // operationId
	Tag      string
	Summary  string
	Query    []Param
	Order    convoke.Order // of a list that is read by pages
	Tagged   bool          // the answer has an ETag
	Request  any           // a value of the body's type; nil: none
	Optional bool          // the body may be left out
	Form     any           // a value of the type of a form instead of Request
	Response any           // a value of the answer's type; nil: none
	Media    string        // of the answer; "" is application/json
	Status   int           // of success; 0 is 200
	About    string        // what a success is; "" is the name of the status
	Codes    []convoke.Code
	Answers  []Answer // beside the success and the errors of Codes
	Headers  []Param  // of the request
	Cookies  []Param
	Knows    string // the security scheme that a route of everybody makes something of; "": none
	Hidden   bool   // not in the document
}

// Param is a parameter, of the query unless it stands elsewhere.
type Param struct {
	Name, Type, About string // Type is string, integer, boolean or date-time
	Repeated          bool
	Required          bool
	Values            []string // all there are; nil: any
}

const (
	account  = "/api/account/{account}"
	oneFn    = account + "/functions/{uuid}"
	anyValue = "any JSON value"
)

// routes is the whole API. Who may do what stands here and nowhere else.
func (s *server) routes() []Route {
	var (
		read   = Permission(convoke.PermFunctionRead)
		write  = Permission(convoke.PermFunctionWrite)
		deploy = Permission(convoke.PermFunctionDeploy)
		invoke = Permission(convoke.PermFunctionInvoke)
		logs   = Permission(convoke.PermLogRead)
		report = Permission(convoke.PermReportRead)
		tokens = Permission(convoke.PermTokenWrite)
		domain = Permission(convoke.PermDomainRead)
		permit = Permission(convoke.PermDomainWrite)
		gw     = s.Gateway
	)
	secrets, sealing := Permission(convoke.PermSecretRead), Permission(convoke.PermSecretWrite)
	schedules, scheduling := Permission(convoke.PermScheduleRead), Permission(convoke.PermScheduleWrite)
	metrics := tokens
	if s.Probes.MetricsPublic {
		metrics = Public
	}
	table := []Route{
		{Method: "GET", Path: account + "/functions", Rule: read.WrongIsForbidden(), Handle: s.listFunctions, Doc: Doc{ID: "listFunctions", Tag: "functions",
			Summary: "List functions in order of name", Order: convoke.FunctionOrder, Tagged: true, Query: functionQuery, Response: []api.Function{}, Codes: codes(convoke.CodeInvalid)}},
		{Method: "POST", Path: account + "/functions", Rule: write, Handle: s.createFunction, Doc: Doc{ID: "createFunction", Tag: "functions",
			Summary: "Create a function; its code follows with saveManifest", Request: api.CreateFunctionRequest{}, Response: api.Function{}, Status: http.StatusCreated,
			Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeConflict, convoke.CodeLimitExceeded, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "GET", Path: account + "/functions/count", Rule: read, Handle: s.countFunctions, Doc: Doc{ID: "countFunctions", Tag: "functions",
			Summary: "Count the functions", Response: 0}},
		{Method: "GET", Path: oneFn, Rule: read, Handle: s.getFunction, Doc: Doc{ID: "getFunction", Tag: "functions",
			Summary: "Get a function with all its versions, newest first", Tagged: true, Response: api.Function{}, Codes: codes(convoke.CodeFunctionNotFound)}},
		{Method: "PUT", Path: oneFn, Rule: write, Handle: s.updateFunction, Match: convoke.KindFunction, Doc: Doc{ID: "updateFunction", Tag: "functions",
			Summary: "Change description or skills; skills hold at once", Request: api.UpdateFunctionRequest{}, Response: api.Function{},
			Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeFunctionNotFound, convoke.CodeUnchanged, convoke.CodeActionNotAllowed, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "DELETE", Path: oneFn, Rule: write, Handle: s.removeFunction, Match: convoke.KindFunction, Doc: Doc{ID: "removeFunction", Tag: "functions",
			Summary: "Remove a function that is not deployed, with all its versions", Status: http.StatusNoContent,
			Codes: codes(convoke.CodeFunctionNotFound, convoke.CodeActionNotAllowed)}},
		{Method: "POST", Path: oneFn + "/test", Rule: invoke, Handle: s.testFunction, Doc: Doc{ID: "testFunction", Tag: "functions",
			Summary: "Run the newest saved version once, deployed or not", Request: api.InvokeRequest{}, Response: api.TestResponse{},
			Codes: append(codes(convoke.CodeBuildFailed, convoke.CodeDeployFailed), invokeCodes...)}},

		{Method: "PUT", Path: oneFn + "/manifest", Rule: write, Handle: s.saveManifest, Doc: Doc{ID: "saveManifest", Tag: "versions",
			Summary: "Save code and settings as a new version", Request: api.ManifestRequest{}, Response: api.Function{}, Codes: saveCodes}},
		{Method: "GET", Path: oneFn + "/versions", Rule: read, Handle: s.listVersions, Doc: Doc{ID: "listVersions", Tag: "versions",
			Summary: "List the stored versions, newest first", Order: convoke.VersionOrder, Tagged: true, Response: []api.Manifest{}, Codes: codes(convoke.CodeFunctionNotFound)}},
		{Method: "GET", Path: oneFn + "/versions/{version}", Rule: read, Handle: s.getVersion, Doc: Doc{ID: "getVersion", Tag: "versions",
			Summary: "Get one version", Tagged: true, Response: api.Manifest{}, Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound, convoke.CodeNotFound)}},
		{Method: "POST", Path: oneFn + "/versions/{version}/restore", Rule: write, Handle: s.restoreVersion, Doc: Doc{ID: "restoreVersion", Tag: "versions",
			Summary: "Save an old version's content as the newest; it is not deployed", Response: api.Function{}, Codes: append(codes(convoke.CodeNotFound), saveCodes...)}},

		{Method: "GET", Path: account + "/deployments", Rule: read, Handle: s.listAccountDeployments, Doc: Doc{ID: "listAccountDeployments", Tag: "deployments",
			Summary: "List the newest deployment of every function", Order: convoke.DeploymentOrder, Tagged: true, Response: []api.Deployment{}}},
		{Method: "GET", Path: account + "/deployments/count", Rule: read, Handle: s.countDeployments, Doc: Doc{ID: "countDeployments", Tag: "deployments",
			Summary: "Count the deployed functions", Response: 0}},
		{Method: "GET", Path: oneFn + "/deployments", Rule: read, Handle: s.listDeployments, Doc: Doc{ID: "listDeployments", Tag: "deployments",
			Summary: "List a function's deployments, newest first", Order: convoke.DeploymentOrder, Tagged: true, Response: []api.Deployment{}, Codes: codes(convoke.CodeFunctionNotFound)}},
		{Method: "POST", Path: account + "/deployments/{uuid}", Rule: deploy, Handle: s.deploy, V1: &deployV1, Doc: deployDoc("deploy", "Deploy a version, the newest unless the body names one")},
		{Method: "PATCH", Path: account + "/deployments/{uuid}", Rule: deploy, Handle: s.deploy, Doc: deployDoc("redeploy", "The same as deploy; the reference's tools tell the two apart")},
		{Method: "DELETE", Path: account + "/deployments/{uuid}", Rule: deploy, Handle: s.undeploy, V1: &undeployV1, Doc: Doc{ID: "undeploy", Tag: "deployments",
			Summary: "Take a function out of service", Response: api.DeployResponse{},
			Codes: codes(convoke.CodeFunctionNotFound, convoke.CodeActionNotAllowed, convoke.CodeUnavailable)}},

		{Method: "POST", Path: account + "/lambdas/{uuid}/invoke", Rule: invoke, Handle: gw.Invoke, Quiet: true, V1: &invokeV1, Doc: Doc{ID: "invoke", Tag: "invocations",
			Summary: "Invoke a function and get what it returned", Query: callerQuery, Headers: callerHeader, Request: api.InvokeRequest{}, Response: anyValue, Codes: invokeCodes}},
		{Method: "POST", Path: account + "/events/{event}/invoke", Rule: invoke, Handle: gw.Event, Quiet: true, V1: &invokeEventV1, Doc: Doc{ID: "invokeEvent", Tag: "invocations",
			Summary: "Invoke every function that listens to an event", Query: callerQuery, Headers: callerHeader, Request: api.InvokeRequest{}, Response: []api.EventResult{}, Codes: invokeCodes}},
		{Method: "GET", Path: account + "/events/{event}/isImplemented", Rule: invoke, Handle: plainFor(gw.Implemented), Quiet: true, V1: &isImplementedV1, Doc: Doc{ID: "isImplemented", Tag: "invocations",
			Summary: "Ask whether a deployed function listens to an event", Query: callerQuery, Headers: callerHeader, Response: api.Implemented{}}},
		{Method: "GET", Path: oneFn + "/invocations", Rule: report, Handle: s.listInvocations, Doc: Doc{ID: "listInvocations", Tag: "invocations",
			Summary: "List records of invocations, newest first", Order: convoke.InvocationOrder, Query: invocationQuery, Response: []api.Invocation{}, Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound)}},
		{Method: "GET", Path: account + "/reports/invocations/{uuid}", Rule: report, Handle: s.reportInvocations, V1: &reportV1Doc, Doc: Doc{ID: "reportInvocations", Tag: "invocations",
			Summary: "Get a function's histogram of invocations", Query: reportQuery, Response: api.InvocationReport{}, Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound)}},
		{Method: "GET", Path: account + "/reports/invocationCounts", Rule: report, Handle: s.countInvocations, V1: &countsV1Doc, Doc: Doc{ID: "countInvocations", Tag: "invocations",
			Summary: "Sum up each function's invocations, of this month by default", Query: spanQuery, Response: []api.InvocationCount{}, Codes: codes(convoke.CodeInvalid)}},

		{Method: "GET", Path: oneFn + "/logs", Rule: logs, Handle: s.queryLogs, Doc: logDoc("queryLogs", "Search a function's log", true)},
		{Method: "GET", Path: oneFn + "/logs/export", Rule: logs, Handle: s.exportLogs, Doc: Doc{ID: "exportLogs", Tag: "logs",
			Summary: "Get at most 500 log entries as CSV, oldest first", Query: exportQuery, Response: "", Media: "text/csv", Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound)}},
		{Method: "GET", Path: oneFn + "/logs/stream", Rule: logs, Handle: s.streamLogs, Doc: streamDoc("streamLogs", "Watch a function's log")},
		{Method: "GET", Path: account + "/logs", Rule: logs, Handle: s.queryLogs, Doc: logDoc("queryAccountLogs", "Search the logs of all functions", false)},
		{Method: "GET", Path: account + "/logs/stream", Rule: logs, Handle: s.streamLogs, Doc: streamDoc("streamAccountLogs", "Watch the logs of all functions")},

		{Method: "GET", Path: oneFn + "/calls", Rule: logs, Handle: s.listCalls, Doc: Doc{ID: "listCalls", Tag: "calls",
			Summary: "List a function's outbound calls, newest first", Order: convoke.CallOrder, Query: callQuery, Response: []api.Call{}, Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound)}},
		{Method: "GET", Path: account + "/calls", Rule: logs, Handle: s.listCalls, Doc: Doc{ID: "listAccountCalls", Tag: "calls",
			Summary: "List the outbound calls of all functions, newest first", Order: convoke.CallOrder, Query: callQuery, Response: []api.Call{}, Codes: codes(convoke.CodeInvalid)}},

		{Method: "GET", Path: account + "/domains", Rule: domain, Handle: s.listDomains, Doc: Doc{ID: "listDomains", Tag: "domains",
			Summary: "List the domains that functions may call, in order of name and port", Order: convoke.DomainOrder, Tagged: true, Response: []api.Domain{}}},
		{Method: "POST", Path: account + "/domains", Rule: permit, Handle: s.addDomain, Doc: Doc{ID: "addDomain", Tag: "domains",
			Summary: "Allow a domain; it holds for the next call", Request: api.AddDomainRequest{}, Response: api.Domain{}, Status: http.StatusCreated,
			Codes: codes(convoke.CodeInvalid, convoke.CodeInvalidDomain, convoke.CodeConflict, convoke.CodeLimitExceeded, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "DELETE", Path: account + "/domains/{domain}", Rule: permit, Handle: s.removeDomain, Doc: Doc{ID: "removeDomain", Tag: "domains",
			Summary: "Remove an allowed domain by its id; it holds for the next call", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound)}},

		{Method: "GET", Path: account + "/events", Rule: read, Handle: s.listEvents, V1: &eventsV1, Doc: Doc{ID: "listEvents", Tag: "catalogue",
			Summary: "List the events of the catalogue", Response: []api.Event{}}},
		{Method: "GET", Path: account + "/runtimes", Rule: read, Handle: s.listRuntimes, V1: &runtimesV1Doc, Doc: Doc{ID: "listRuntimes", Tag: "catalogue",
			Summary: "List the runtimes, the default first", Response: []api.Runtime{}}},

		{Method: "GET", Path: account + "/tokens", Rule: tokens, Handle: s.listTokens, Doc: Doc{ID: "listTokens", Tag: "tokens",
			Summary: "List the account's tokens, without their texts", Order: convoke.TokenOrder, Tagged: true, Response: []api.Token{}}},
		{Method: "POST", Path: account + "/tokens", Rule: tokens, Handle: s.createToken, Doc: Doc{ID: "createToken", Tag: "tokens",
			Summary: "Issue a token; its text is in this answer only", Request: api.CreateTokenRequest{}, Response: api.CreateTokenResponse{}, Status: http.StatusCreated,
			Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "DELETE", Path: account + "/tokens/{token}", Rule: tokens, Handle: s.revokeToken, Doc: Doc{ID: "revokeToken", Tag: "tokens",
			Summary: "Revoke a token", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound)}},

		{Method: "GET", Path: account + "/secrets", Rule: secrets, Handle: s.listSecrets, Doc: Doc{ID: "listSecrets", Tag: "secrets",
			Summary: "List the secrets in order of name; no answer holds a value", Order: convoke.SecretOrder, Tagged: true, Query: secretQuery, Response: []api.Secret{}, Codes: codes(convoke.CodeInvalid)}},
		{Method: "POST", Path: account + "/secrets", Rule: sealing, Handle: s.createSecret, Doc: Doc{ID: "createSecret", Tag: "secrets",
			Summary: "Create a secret", Request: api.CreateSecretRequest{}, Response: api.Secret{}, Status: http.StatusCreated,
			Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeConflict, convoke.CodeLimitExceeded, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "GET", Path: account + "/secrets/{secret}", Rule: secrets, Handle: s.getSecret, Doc: Doc{ID: "getSecret", Tag: "secrets",
			Summary: "Get what is known of a secret; no answer holds a value", Tagged: true, Response: api.Secret{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "PUT", Path: account + "/secrets/{secret}", Rule: sealing, Handle: s.setSecret, Match: convoke.KindSecret, Doc: Doc{ID: "setSecret", Tag: "secrets",
			Summary: "Change the value of a secret, or create it with status 201", Request: api.SetSecretRequest{}, Response: api.Secret{},
			Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeLimitExceeded, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "DELETE", Path: account + "/secrets/{secret}", Rule: sealing, Handle: s.removeSecret, Match: convoke.KindSecret, Doc: Doc{ID: "removeSecret", Tag: "secrets",
			Summary: "Remove a secret", Status: http.StatusNoContent, Codes: codes(convoke.CodeValidation, convoke.CodeNotFound)}},
		{Method: "POST", Path: "/api/master-key/rotate", Rule: Permission(convoke.PermAccountManage), Handle: s.rotateKey, Doc: Doc{ID: "rotateKey", Tag: "secrets",
			Summary: "Make a new master key and seal the secrets of all accounts with it; takes a token of the first account", Response: api.KeyRotation{},
			Codes: codes(convoke.CodeConflict, convoke.CodeStorageFull)}},

		{Method: "GET", Path: account + "/schedules", Rule: schedules, Handle: s.listSchedules, V1: &schedulesV1, Doc: Doc{ID: "listSchedules", Tag: "schedules",
			Summary: "List the schedules, the oldest first", Order: convoke.ScheduleOrder, Tagged: true, Query: scheduleQuery, Response: []api.Schedule{}, Codes: codes(convoke.CodeInvalid)}},
		{Method: "POST", Path: account + "/schedules", Rule: scheduling, Handle: s.createSchedule, V1: &createScheduleV1, Doc: Doc{ID: "createSchedule", Tag: "schedules",
			Summary: "Schedule a deployed function", Request: api.ScheduleRequest{}, Response: api.Schedule{}, Status: http.StatusCreated,
			Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeFunctionNotFound, convoke.CodeActionNotAllowed, convoke.CodeLimitExceeded, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "GET", Path: account + "/schedules/{schedule}", Rule: schedules, Handle: s.getSchedule, V1: &scheduleV1, Doc: Doc{ID: "getSchedule", Tag: "schedules",
			Summary: "Get a schedule with the times that come next", Tagged: true, Response: api.Schedule{}, Codes: codes(convoke.CodeNotFound)}},
		{Method: "PUT", Path: account + "/schedules/{schedule}", Rule: scheduling, Handle: s.updateSchedule, Match: convoke.KindSchedule, V1: &updateScheduleV1, Doc: Doc{ID: "updateSchedule", Tag: "schedules",
			Summary: "Change a schedule; absent members stay", Request: api.ScheduleRequest{}, Response: api.Schedule{},
			Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeNotFound, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
		{Method: "DELETE", Path: account + "/schedules/{schedule}", Rule: scheduling, Handle: s.removeSchedule, Match: convoke.KindSchedule, Doc: Doc{ID: "removeSchedule", Tag: "schedules",
			Summary: "Remove a schedule with its runs", Status: http.StatusNoContent, Codes: codes(convoke.CodeNotFound)}},
		{Method: "GET", Path: account + "/schedules/{schedule}/runs", Rule: schedules, Handle: s.listScheduleRuns, Doc: Doc{ID: "listScheduleRuns", Tag: "schedules",
			Summary: "List how the newest runs of a schedule went, the newest first", Order: convoke.ScheduleRunOrder, Query: runQuery, Response: []api.ScheduleRun{}, Codes: codes(convoke.CodeInvalid, convoke.CodeNotFound)}},

		{Method: "GET", Path: "/livez", Rule: Public, Handle: plain(s.Probes.Live), Quiet: true, Doc: Doc{ID: "live", Tag: "server",
			Summary: "Does the process run?", Response: "", Media: "text/plain"}},
		{Method: "GET", Path: "/readyz", Rule: Public, Handle: plain(s.Probes.Ready), Quiet: true, Doc: Doc{ID: "ready", Tag: "server",
			Summary: "Does the server take requests?", Response: "", Media: "text/plain", Codes: codes(convoke.CodeUnavailable)}},
		{Method: "GET", Path: "/metrics", Rule: metrics, Handle: plain(s.Probes.Metrics), Quiet: true, Doc: Doc{ID: "metrics", Tag: "server",
			Summary: "Metrics in the Prometheus text format", Response: "", Media: "text/plain"}},
	}
	table = append(table, s.discoveryRoutes()...)
	table = append(table, s.peopleRoutes()...)
	table = append(table, s.clientRoutes()...)
	table = append(table, s.oauthRoutes()...)
	return append(table, s.Extra...)
}

// documentRoute serves a document of routes.
func documentRoute(path string, document []byte) Route {
	return Route{Method: "GET", Path: path, Rule: Public,
		Handle: func(w http.ResponseWriter, _ *http.Request, _ *convoke.Principal) error {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(document) // fails only when the client left
			return nil
		}}
}

func deployDoc(id, summary string) Doc {
	return Doc{ID: id, Tag: "deployments", Summary: summary, Request: api.DeployRequest{}, Optional: true, Response: api.DeployResponse{}, Status: http.StatusAccepted,
		Query: []Param{{Name: "wait", Type: "boolean", About: "answer when the deployment has ended: 200, or the error with which it failed"}},
		Codes: codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeFunctionNotFound, convoke.CodeNotFound, convoke.CodeActionNotAllowed,
			convoke.CodeLimitExceeded, convoke.CodeBuildFailed, convoke.CodeDeployFailed, convoke.CodePayloadTooLarge, convoke.CodeStorageFull, convoke.CodeUnavailable)}
}

func logDoc(id, summary string, ofFunction bool) Doc {
	d := Doc{ID: id, Tag: "logs", Summary: summary, Order: convoke.LogOrder, Query: append(slices.Clone(logQuery), Param{Name: "order", Type: "string", About: "asc is the same as sort=id", Values: []string{"desc", "asc"}}),
		Response: []api.LogEntry{}, Codes: codes(convoke.CodeInvalid)}
	if ofFunction {
		d.Codes = append(d.Codes, convoke.CodeFunctionNotFound)
	}
	return d
}

func streamDoc(id, summary string) Doc {
	return Doc{ID: id, Tag: "logs", Summary: summary + "; resumes after the id in Last-Event-ID", Query: logQuery, Response: "", Media: "text/event-stream",
		Headers: []Param{{Name: "Last-Event-ID", Type: "integer", About: "id of the entry after which the stream begins, which browsers send by themselves; it goes before after"}},
		Codes:   codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound, convoke.CodeThrottled)}
}

func codes(c ...convoke.Code) []convoke.Code { return c }

var (
	saveCodes = codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeValidationTooLong, convoke.CodeInvalidDomain, convoke.CodeFunctionNotFound, convoke.CodeUnchanged,
		convoke.CodeRevision, convoke.CodeActionNotAllowed, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)
	invokeCodes = codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound, convoke.CodePayloadTooLarge, convoke.CodeThrottled, convoke.CodeUnavailable,
		convoke.CodeThrew, convoke.CodeRuntimeError, convoke.CodeTimeout, convoke.CodeLimitReached)

	functionQuery = []Param{
		{Name: "eventId", Type: "string", About: "only functions of this event"},
		{Name: "state", Type: "string", About: "only functions in one of these states", Repeated: true, Values: texts(convoke.States)},
		{Name: "functionName", Type: "string", About: "only the function of this name"},
	}
	// Who calls: as the header, by clients of the first generation in the query.
	callerHeader = []Param{{Name: "LP-EventSource", Type: "string", About: "who calls, as records of invocations show it; its first 100 characters"}}
	callerQuery  = []Param{
		{Name: "skillId", Type: "string", About: "only functions that handle this skill"},
		{Name: "externalSystem", Type: "string", About: "who calls, where there is no header LP-EventSource"},
	}
	spanQuery = []Param{
		{Name: "startTimestamp", Type: "integer", About: "Unix milliseconds, inclusive"},
		{Name: "endTimestamp", Type: "integer", About: "Unix milliseconds, exclusive"},
	}
	reportQuery = append(slices.Clone(spanQuery),
		Param{Name: "bucketSize", Type: "integer", About: "seconds; by default it follows from the span"},
		Param{Name: "invocationStates", Type: "string", About: "count only these", Repeated: true, Values: texts(convoke.Outcomes)})
	exportQuery = append(slices.Clone(spanQuery),
		Param{Name: "filterLevels", Type: "string", About: "only these levels", Repeated: true, Values: texts(convoke.LogLevels)})
	fromToQuery = []Param{
		{Name: "from", Type: "date-time", About: "inclusive; RFC 3339 or Unix milliseconds"},
		{Name: "to", Type: "date-time", About: "exclusive; RFC 3339 or Unix milliseconds"},
		{Name: "requestId", Type: "string", About: "only of this request"},
		{Name: "limit", Type: "integer", About: "at most so many, up to 1000"},
	}
	invocationQuery = append(slices.Clone(fromToQuery),
		Param{Name: "outcome", Type: "string", About: "only these", Repeated: true, Values: texts(convoke.Outcomes)})
	callQuery = append(slices.Clone(fromToQuery),
		Param{Name: "host", Type: "string", About: "only calls of this host"},
		Param{Name: "outcome", Type: "string", About: "only these", Repeated: true, Values: texts(convoke.CallOutcomes)},
		Param{Name: "before", Type: "integer", About: "only calls with a smaller id"})
	logQuery = append(slices.Clone(fromToQuery),
		Param{Name: "level", Type: "string", About: "only these levels", Repeated: true, Values: texts(convoke.LogLevels)},
		Param{Name: "text", Type: "string", About: "only entries that contain it, in either case"},
		Param{Name: "after", Type: "integer", About: "only entries with a greater id"})
)

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
