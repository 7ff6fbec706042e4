package httpapi

import (
	"cmp"
	"math"
	"net/http"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// The V1 dialect of the management API (spec/api-surface.md 5): other paths and
// shapes over the same use cases, so both dialects see the same functions.
// Paths that both have are told apart by v=1 in the query, which V1 clients
// always send and V2 clients never do.

// v1Routes are the paths that only V1 has. They are in a document of their
// own: nobody should write a new client for them.
func (s *server) v1Routes() []Route {
	var (
		read   = Permission(convoke.PermFunctionRead)
		write  = Permission(convoke.PermFunctionWrite)
		logs   = Permission(convoke.PermLogRead)
		report = Permission(convoke.PermReportRead)
	)
	const lambdas = account + "/lambdas"
	return []Route{
		{Method: "GET", Path: lambdas, Rule: read, Handle: s.listLambdas, V1: &Doc{ID: "listLambdas", Tag: "functions",
			Summary: "List functions with their newest versions", Query: lambdaQuery, Response: []api.Lambda{}, Codes: codes(convoke.CodeInvalid)}},
		{Method: "GET", Path: lambdas + "/{$}", Rule: read, Handle: s.listLambdas}, // one client asks so
		{Method: "POST", Path: lambdas, Rule: write, Handle: s.createLambda, V1: &Doc{ID: "createLambda", Tag: "functions",
			Summary: "Create a function with its code", Request: api.LambdaRequest{}, Response: api.Lambda{}, Status: http.StatusCreated,
			Codes: append(codes(convoke.CodeConflict, convoke.CodeLimitExceeded), lambdaCodes...)}},
		{Method: "GET", Path: lambdas + "/{uuid}", Rule: read, Handle: s.getLambda, V1: &Doc{ID: "getLambda", Tag: "functions",
			Summary: "Get a function, as a list of one", Response: []api.Lambda{}, Codes: codes(convoke.CodeFunctionNotFound)}},
		{Method: "PUT", Path: lambdas + "/{uuid}", Rule: write, Handle: s.saveLambda, V1: &Doc{ID: "saveLambda", Tag: "functions",
			Summary: "Save a function with its code", Request: api.LambdaRequest{}, Response: api.Lambda{},
			Codes:   append(codes(convoke.CodeFunctionNotFound, convoke.CodeRevision, convoke.CodeActionNotAllowed), lambdaCodes...),
			Answers: []Answer{{Status: http.StatusNotModified, About: "Nothing differs from what is stored."}}}},
		{Method: "GET", Path: account + "/logs/export", Rule: logs, Handle: s.exportLambdaLogs, V1: &Doc{ID: "exportLambdaLogs", Tag: "logs",
			Summary: "Get at most 500 log entries as CSV, oldest first", Response: "", Media: "text/csv", Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound),
			Query: append([]Param{{Name: "lambdaUUID", Type: "string", About: "id of the function", Required: true}}, exportQuery...)}},
		{Method: "GET", Path: account + "/reports/limitCounts", Rule: report, Handle: s.countLimits, V1: &Doc{ID: "countLimits", Tag: "accounts",
			Summary: "Get the account's limits", Response: api.LimitCounts{}}},
		{Method: "GET", Path: account + "/reports/lambdaCounts", Rule: report, Handle: s.countLambdas, V1: &Doc{ID: "countLambdas", Tag: "functions",
			Summary: "Count the functions", Response: api.LambdaCounts{}}},
		{Method: "POST", Path: account + "/proxy-settings", Rule: Permission(convoke.PermDomainWrite), Handle: s.addProxySetting, V1: &Doc{ID: "addProxySetting", Tag: "domains",
			Summary: "Allow a domain; it holds for the next call", Request: api.ProxySettingRequest{}, Response: api.ProxySetting{}, Status: http.StatusCreated,
			Codes: codes(convoke.CodeInvalid, convoke.CodeInvalidDomain, convoke.CodeConflict, convoke.CodeLimitExceeded, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)}},
	}
}

var (
	lambdaQuery = []Param{
		{Name: "eventId", Type: "string", About: "only functions of this event"},
		{Name: "state", Type: "string", About: "only functions in one of these states", Repeated: true, Values: texts(convoke.States)},
		{Name: "name", Type: "string", About: "only the function of this name"},
	}
	lambdaCodes = codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodeValidationTooLong, convoke.CodeValidationSyntax, convoke.CodeValidationLambda,
		convoke.CodePayloadTooLarge, convoke.CodeStorageFull)
)

// What V1 gets of paths that both have.
var (
	deployV1 = Doc{ID: "deploy", Tag: "deployments", Summary: "Deploy the newest version, and wait a while for it", Response: api.MessageV1{},
		Answers: []Answer{{Status: http.StatusAccepted, About: "It takes longer: ask for the function's state.", Body: api.MessageV1{}}},
		Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound, convoke.CodeActionNotAllowed, convoke.CodeLimitExceeded, convoke.CodeBuildFailed, convoke.CodeDeployFailed,
			convoke.CodeStorageFull, convoke.CodeUnavailable)}
	undeployV1 = Doc{ID: "undeploy", Tag: "deployments", Summary: "Take a function out of service", Response: api.MessageV1{},
		Codes: codes(convoke.CodeFunctionNotFound, convoke.CodeActionNotAllowed, convoke.CodeUnavailable)}
	invokeV1 = Doc{ID: "invoke", Tag: "invocations", Summary: "Invoke a function and get what it returned", Query: callerQuery, Headers: callerHeader,
		Request: api.InvokeRequest{}, Response: anyValue, Codes: invokeCodes}
	invokeEventV1 = Doc{ID: "invokeEvent", Tag: "invocations", Summary: "Invoke every function that listens to an event", Query: callerQuery, Headers: callerHeader,
		Request: api.InvokeRequest{}, Response: []api.EventResult{}, Codes: invokeCodes}
	isImplementedV1 = Doc{ID: "isImplemented", Tag: "invocations", Summary: "Ask whether a deployed function listens to an event", Query: callerQuery,
		Response: api.Implemented{}}
	reportV1Doc = Doc{ID: "reportInvocations", Tag: "invocations", Summary: "Get a function's histogram of invocations; UNKNOWN is spelled UNKOWN", Query: reportQuery,
		Response: api.InvocationReportV1{}, Codes: codes(convoke.CodeInvalid, convoke.CodeFunctionNotFound)}
	countsV1Doc = Doc{ID: "countInvocations", Tag: "invocations", Summary: "Sum up the account's invocations, of this month by default", Query: spanQuery,
		Response: api.InvocationCountsV1{}, Codes: codes(convoke.CodeInvalid)}
	eventsV1      = Doc{ID: "listEvents", Tag: "catalogue", Summary: "List the events of the catalogue", Response: []api.Event{}}
	runtimesV1Doc = Doc{ID: "listRuntimes", Tag: "catalogue", Summary: "List the runtimes, the default first", Response: []api.LambdaRuntime{}}
	schedulesV1   = Doc{ID: "listSchedules", Tag: "schedules", Summary: "List the schedules, the oldest first", Order: convoke.ScheduleOrder, Query: scheduleQuery,
		Response: []api.ScheduleV1{}, Codes: codes(convoke.CodeInvalid)}
	scheduleCodes    = codes(convoke.CodeInvalid, convoke.CodeValidation, convoke.CodePayloadTooLarge, convoke.CodeStorageFull)
	createScheduleV1 = Doc{ID: "createSchedule", Tag: "schedules", Summary: "Schedule a deployed function", Request: api.ScheduleRequest{}, Response: api.ScheduleV1{},
		Status: http.StatusCreated, Codes: append(codes(convoke.CodeFunctionNotFound, convoke.CodeActionNotAllowed, convoke.CodeLimitExceeded), scheduleCodes...)}
	scheduleV1 = Doc{ID: "getSchedule", Tag: "schedules", Summary: "Get a schedule", Response: api.ScheduleV1{}, Codes: codes(convoke.CodeNotFound)}

	updateScheduleV1 = Doc{ID: "updateSchedule", Tag: "schedules", Summary: "Change a schedule; absent members stay", Request: api.ScheduleRequest{}, Response: api.ScheduleV1{},
		Codes: append(codes(convoke.CodeNotFound), scheduleCodes...)}
)

// v1 reports whether the caller speaks V1.
func (s *server) v1(r *http.Request) bool { return s.V1 != nil && s.V1(r) }

// exportLambdaLogs is exportLogs with the function in the query.
func (s *server) exportLambdaLogs(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	id := r.URL.Query().Get("lambdaUUID")
	if id == "" {
		return convoke.Errorf(convoke.CodeInvalid, "the query parameter lambdaUUID must name a function")
	}
	r.SetPathValue("uuid", id)
	return s.exportLogs(w, r, by)
}

func (s *server) addProxySetting(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.ProxySettingRequest
	if err := httpx.ReadJSON(w, r, &in, metaBytes); err != nil {
		return err
	}
	d, err := s.Domains.Add(r.Context(), by, by.AccountID, in.Domain)
	if err != nil {
		return err
	}
	added := api.NewDomain(d)
	if err := s.record(r, by, "domain.add", d.ID, added.Domain, nil, added); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusCreated, api.ProxySetting{ID: d.ID, Domain: d.String()})
}

// countLimits answers with a number where there is no limit: V1 clients show
// the figure as it is.
func (s *server) countLimits(w http.ResponseWriter, _ *http.Request, by *convoke.Principal) error {
	limits := s.Accounts.LimitsOf(by.AccountID)
	return httpx.WriteJSON(w, http.StatusOK, api.LimitCounts{
		LimitTotalLambdas: limits.FunctionsPerAccount, LimitDeployedLambdas: limits.FunctionsPerAccount,
		InvocationLimitPerMonth: cmp.Or(limits.InvocationsPerMonth, math.MaxInt32),
	})
}

func (s *server) countLambdas(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	total, deployed, err := s.Functions.Counts(r.Context(), by.AccountID)
	if err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, api.LambdaCounts{Total: total, Deployed: deployed})
}

// writeDeployed answers deploy and undeploy in the caller's dialect.
func (s *server) writeDeployed(w http.ResponseWriter, r *http.Request, status int, out api.DeployResponse) error {
	if s.v1(r) {
		return httpx.WriteJSON(w, status, api.MessageV1{Message: out.Message})
	}
	return httpx.WriteJSON(w, status, out)
}

func reportV1(report api.InvocationReport) api.InvocationReportV1 {
	out := api.InvocationReportV1{UUID: report.UUID, InvocationStatistics: make([]api.InvocationStatisticsV1, len(report.InvocationStatistics))}
	for i, b := range report.InvocationStatistics {
		out.InvocationStatistics[i] = api.InvocationStatisticsV1(b)
	}
	return out
}

func countsV1(counts []api.InvocationCount) (sum api.InvocationCountsV1) {
	for _, c := range counts {
		sum.SuccessfulInvocations += c.SuccessfulInvocations
		sum.UnsuccessfulInvocations += c.FailedInvocations
	}
	return sum
}

func runtimesV1() []api.LambdaRuntime {
	out := make([]api.LambdaRuntime, len(convoke.Runtimes))
	for i, rt := range convoke.Runtimes {
		out[i] = api.LambdaRuntime{UUID: rt.ID, Name: rt.Display, BaseImageName: rt.Name}
	}
	return out
}
