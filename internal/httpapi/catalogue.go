package httpapi

import (
	"net/http"

	"convoke"
	"convoke/api"
	"convoke/internal/httpx"
)

func (s *server) listEvents(w http.ResponseWriter, _ *http.Request, _ *convoke.Principal) error {
	out := make([]api.Event, len(convoke.Events))
	for i, e := range convoke.Events {
		out[i] = api.Event{
			EventID: e.ID, EventName: e.Name, Name: e.Name, Description: e.Description,
			LambdaLimit: e.Limit, Source: e.Source, Skills: e.Skills, SamplePayload: e.SamplePayload(),
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}

func (s *server) listRuntimes(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	if s.v1(r) {
		return httpx.WriteJSON(w, http.StatusOK, runtimesV1())
	}
	out := make([]api.Runtime, len(convoke.Runtimes))
	for i, rt := range convoke.Runtimes {
		out[i] = api.Runtime{
			UUID: rt.ID, Name: rt.Display, BaseImageName: rt.Name, Version: s.RuntimeBuilds[rt.Name], Default: rt.Default,
		}
	}
	return httpx.WriteJSON(w, http.StatusOK, out)
}
