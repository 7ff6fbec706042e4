package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"convoke"
	"convoke/api"
)

// List is a list of the server, to be read by Each.
type List[T any] struct {
	path  string
	query url.Values
}

// FunctionList is the account's functions.
func FunctionList(f FunctionFilter) List[api.Function] {
	return List[api.Function]{"/functions", f.query()}
}

// VersionList is a function's stored versions.
func VersionList(functionID string) List[api.Manifest] {
	return List[api.Manifest]{path: "/functions/" + segment(functionID) + "/versions"}
}

// DeploymentList is a function's deployments, or with "" the newest one of
// every function.
func DeploymentList(functionID string) List[api.Deployment] {
	if functionID == "" {
		return List[api.Deployment]{path: "/deployments"}
	}
	return List[api.Deployment]{path: "/functions/" + segment(functionID) + "/deployments"}
}

// InvocationList is the records of a function's invocations.
func InvocationList(functionID string) List[api.Invocation] {
	return List[api.Invocation]{path: "/functions/" + segment(functionID) + "/invocations"}
}

// LogList is the log entries that f selects; f.Limit does not count.
func LogList(f LogFilter) List[api.LogEntry] {
	f.Limit = 0
	return List[api.LogEntry]{f.path(), f.query()}
}

// CallList is the outbound calls that f selects; f.Limit does not count.
func CallList(f CallFilter) List[api.Call] {
	f.Limit = 0
	return List[api.Call]{f.path(), f.query()}
}

// ActivityList is the audit trail, as far as f selects it; f.Limit does not count.
func ActivityList(f ActivityFilter) List[api.Activity] {
	f.Limit = 0
	return List[api.Activity]{"/activities", f.query()}
}

// DomainList is the domains that the account's functions may call.
func DomainList() List[api.Domain] { return List[api.Domain]{path: "/domains"} }

// SecretList is the account's secrets without their values.
func SecretList() List[api.Secret] { return List[api.Secret]{path: "/secrets"} }

// ScheduleList is the account's schedules, or with functionID a function's.
func ScheduleList(functionID string) List[api.Schedule] {
	l := List[api.Schedule]{path: "/schedules"}
	if functionID != "" {
		l.query = url.Values{"functionUuid": {functionID}}
	}
	return l
}

// RunList is how the runs of a schedule went.
func RunList(scheduleID string) List[api.ScheduleRun] {
	return List[api.ScheduleRun]{path: "/schedules/" + segment(scheduleID) + "/runs"}
}

// TokenList is the account's tokens.
func TokenList() List[api.Token] { return List[api.Token]{path: "/tokens"} }

// OwnTokenList is the tokens of whoever asks.
func OwnTokenList() List[api.Token] { return List[api.Token]{path: "/users/me/tokens"} }

// UserList is the account's users.
func UserList() List[api.User] { return List[api.User]{path: "/users"} }

// SessionList is the sessions of a user that last; userID "" is oneself.
func SessionList(userID string) List[api.Session] { return List[api.Session]{path: sessions(userID)} }

// ConsentList is what a user allowed programs; userID "" is oneself.
func ConsentList(userID string) List[api.Consent] { return List[api.Consent]{path: consents(userID)} }

// ClientList is the account's OAuth clients.
func ClientList() List[api.Client] { return List[api.Client]{path: "/clients"} }

// AccountList is all accounts, for an operator.
func AccountList() List[api.Account] { return List[api.Account]{path: "/api/accounts"} }

// ListOptions say how a list is read.
type ListOptions struct {
	// Sort is a field, with a leading "-" from the end; "" is the list's own
	// order. CodeInvalid names the fields that a list has.
	Sort string
	// PageSize is how many elements the server is asked for at a time, up to
	// 1,000; 0 is what it gives by itself: all, and of records 100.
	PageSize int
}

// Each reads a list to its end, page by page, for as long as the caller goes
// on. Elements that come and go meanwhile make it neither miss others nor give
// them twice. An error is the last thing it yields.
func Each[T any](ctx context.Context, c *Client, l List[T], o ListOptions) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		r := request{method: http.MethodGet, path: l.path, query: url.Values{}}
		for name, values := range l.query {
			r.query[name] = values
		}
		if o.Sort != "" {
			r.query.Set("sort", o.Sort)
		}
		if o.PageSize > 0 {
			r.query.Set("limit", strconv.Itoa(o.PageSize))
		}
		for {
			page, header, err := answer[[]T](ctx, c, r)
			if err != nil {
				yield(none, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
			next := nextPage(header)
			if next == "" {
				return
			}
			// The token goes to this server and to no other.
			if !strings.HasPrefix(next, "/api/") {
				yield(none, convoke.Errorf(convoke.CodeInternal, "the next page is said to be at %.200q; is %s a Convoke server?", next, c.root))
				return
			}
			r.path, r.query = next, nil
		}
	}
}

// Some reads the first elements of a list, at most limit; 0 is all.
func Some[T any](ctx context.Context, c *Client, l List[T], sort string, limit int) ([]T, error) {
	all := []T{}
	for v, err := range Each(ctx, c, l, ListOptions{Sort: sort, PageSize: min(limit, maxPage)}) {
		if err != nil {
			return nil, err
		}
		if all = append(all, v); len(all) == limit {
			break
		}
	}
	return all, nil
}

// maxPage is the most that a server gives at a time.
const maxPage = 1000

// nextPage is the target of the link with rel="next" (RFC 8288).
func nextPage(h http.Header) string {
	for _, line := range h["Link"] {
		target, parameters, ok := strings.Cut(strings.TrimPrefix(line, "<"), ">")
		if ok && strings.Contains(strings.ReplaceAll(parameters, " ", ""), `;rel="next"`) {
			return target
		}
	}
	return ""
}
