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

// v1Routes are the paths that only V1 has. They are not in the API document:
// nobody should write a new client for them.
func (s *server) v1Routes() []Route {
	var (
		read   = Permission(convoke.PermFunctionRead)
		write  = Permission(convoke.PermFunctionWrite)
		logs   = Permission(convoke.PermLogRead)
		report = Permission(convoke.PermReportRead)
	)
	const lambdas = account + "/lambdas"
	return []Route{
		{Method: "GET", Path: lambdas, Rule: read, Handle: s.listLambdas},
		{Method: "GET", Path: lambdas + "/{$}", Rule: read, Handle: s.listLambdas}, // one client asks so
		{Method: "POST", Path: lambdas, Rule: write, Handle: s.createLambda},
		{Method: "GET", Path: lambdas + "/{uuid}", Rule: read, Handle: s.getLambda},
		{Method: "PUT", Path: lambdas + "/{uuid}", Rule: write, Handle: s.saveLambda},
		{Method: "GET", Path: account + "/logs/export", Rule: logs, Handle: s.exportLambdaLogs},
		{Method: "GET", Path: account + "/reports/limitCounts", Rule: report, Handle: s.countLimits},
		{Method: "GET", Path: account + "/reports/lambdaCounts", Rule: report, Handle: s.countLambdas},
		{Method: "POST", Path: account + "/proxy-settings", Rule: Permission(convoke.PermDomainWrite), Handle: s.addProxySetting},
	}
}

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
