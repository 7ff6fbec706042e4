package httpapi

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

// Discovery is what domain discovery answers from (spec/api-surface.md 1).
type Discovery struct {
	// V1 and V2 are host names by service. Clients choose the generation that
	// they speak by words in these names, so an account is given one set.
	V1, V2 map[string]string
	// Generations tells which.
	Generations Generations
}

// Generations knows the generations of accounts.
type Generations interface {
	// Generation reports whether an account is of the first generation. It
	// returns CodeNotFound for one that does not exist.
	Generation(ctx context.Context, accountID string) (v1 bool, err error)
}

func (s *server) discoveryRoutes() []Route {
	version := []Param{{Name: "version", Type: "string", About: "of the answer's form; there is one, 1.0"}}
	return []Route{
		{Method: "GET", Path: account + "/service/baseURI.json", Rule: Public, Handle: s.discover, Quiet: true, Doc: Doc{ID: "discover", Tag: "discovery",
			Summary: "List the hosts of an account's services", Query: version, Response: api.BaseURIs{}}},
		{Method: "GET", Path: account + "/service/{service}/baseURI.json", Rule: Public, Handle: s.discoverService, Quiet: true, Doc: Doc{ID: "discoverService", Tag: "discovery",
			Summary: "Get the host of one service", Query: version, Response: api.BaseURI{}, Codes: codes(convoke.CodeNotFound)}},
	}
}

func (s *server) discover(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	hosts, err := s.hostsOf(r.Context(), r.PathValue("account"))
	if err != nil {
		return err
	}
	out := api.BaseURIs{BaseURIs: make([]api.BaseURI, 0, len(hosts))}
	for _, service := range slices.Sorted(maps.Keys(hosts)) {
		out.BaseURIs = append(out.BaseURIs, api.BaseURI{Service: service, Account: r.PathValue("account"), BaseURI: hosts[service]})
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}

func (s *server) discoverService(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	accountID, service := r.PathValue("account"), r.PathValue("service")
	hosts, err := s.hostsOf(r.Context(), accountID)
	if err != nil {
		return err
	}
	host, ok := hosts[service]
	if !ok {
		return convoke.Errorf(convoke.CodeNotFound, "account %.20s has no service %.60q", accountID, service)
	}
	return httpx.WriteJSON(w, http.StatusOK, api.BaseURI{Service: service, Account: accountID, BaseURI: host})
}

// hostsOf are the hosts of an account's services; none of one that does not exist.
func (s *server) hostsOf(ctx context.Context, accountID string) (map[string]string, error) {
	v1, err := s.Discovery.Generations.Generation(ctx, accountID)
	switch {
	case convoke.ErrorCode(err) == convoke.CodeNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case v1:
		return s.Discovery.V1, nil
	}
	return s.Discovery.V2, nil
}
