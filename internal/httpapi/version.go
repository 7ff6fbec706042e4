package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"convoke"
	"convoke/api"
	"convoke/internal/function"
	"convoke/internal/httpx"
)

func (s *server) saveManifest(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	var in api.ManifestRequest
	if err := httpx.ReadJSON(w, r, &in, s.manifestBytes()); err != nil {
		return err
	}
	if len(in.CustomDependencies) > 0 {
		return convoke.Errorf(convoke.CodeValidation, "customDependencies cannot be used: put what the function needs into its files")
	}
	f, v, err := s.Functions.Save(r.Context(), by, by.AccountID, r.PathValue("uuid"), saveInput(&in))
	if err != nil {
		return err
	}
	if err := s.recordVersion(r, by, "function.save", f, v); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, withManifest(f, v))
}

// recordVersion keeps numbers: who wants to see what changed in the code and
// the environment compares the two versions.
func (s *server) recordVersion(r *http.Request, by *convoke.Principal, action string, f *convoke.Function, v *convoke.Version) error {
	var before any
	if v.Number > 1 {
		before = map[string]int{"version": v.Number - 1}
	}
	return s.record(r, by, action, f.ID, f.Name, before, map[string]int{"version": v.Number})
}

// manifestBytes is the largest body that could hold a valid version: each
// character may take six bytes as a JSON escape.
func (s *server) manifestBytes() int64 {
	l := s.Limits
	return metaBytes + 6*int64(l.SourceLength) + int64(l.VariablesPerFunction)*int64(l.VariableNameLength+6*l.VariableValueLength)
}

func saveInput(in *api.ManifestRequest) function.SaveInput {
	out := function.SaveInput{BaseID: in.ID, Content: function.Content{
		Code: in.Code, Files: in.Files, Runtime: in.Runtime, Environment: in.Environment,
		Domains: in.AllowedDomains, Language: (*convoke.Language)(in.Language), Contract: (*convoke.Contract)(in.Contract),
	}}
	if in.Version != nil {
		out.Base = *in.Version
	}
	if in.Settings != nil {
		out.Settings = &convoke.Settings{
			Timeout:      clampDuration(in.Settings.TimeoutMs, time.Millisecond),
			MemoryMiB:    in.Settings.MemoryMiB,
			Concurrency:  in.Settings.Concurrency,
			MinInstances: in.Settings.MinInstances,
			MaxInstances: in.Settings.MaxInstances,
			IdleTimeout:  clampDuration(in.Settings.IdleTimeoutSeconds, time.Second),

			InvocationsPerSecond: in.Settings.InvocationsPerSecond,
		}
	}
	return out
}

// clampDuration keeps absurd numbers from wrapping around into valid ones.
func clampDuration(n int64, unit time.Duration) time.Duration {
	const most = int64(10 * 365 * 24 * time.Hour)
	return time.Duration(min(max(n, -most/int64(unit)), most/int64(unit))) * unit
}

func (s *server) listVersions(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	q := queryOf(r)
	p := q.page(r, convoke.VersionOrder, 0, pageMost)
	if q.err != nil {
		return q.err
	}
	f, err := s.Functions.Get(r.Context(), by.AccountID, r.PathValue("uuid"))
	if err != nil {
		return err
	}
	versions, next, err := s.Pages.PageVersions(r.Context(), by.AccountID, f.ID, p.Page)
	if err != nil {
		return err
	}
	return writeList(w, r, p, next, bodies(versions, manifest))
}

func (s *server) getVersion(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	number, err := versionNumber(r)
	if err != nil {
		return err
	}
	_, v, err := s.Functions.Version(r.Context(), by.AccountID, r.PathValue("uuid"), number)
	if err != nil {
		return err
	}
	return httpx.WriteTagged(w, r, "", manifest(v))
}

func (s *server) restoreVersion(w http.ResponseWriter, r *http.Request, by *convoke.Principal) error {
	number, err := versionNumber(r)
	if err != nil {
		return err
	}
	f, v, err := s.Functions.Restore(r.Context(), by, by.AccountID, r.PathValue("uuid"), number)
	if err != nil {
		return err
	}
	if err := s.recordVersion(r, by, "function.restore", f, v); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, withManifest(f, v))
}

func versionNumber(r *http.Request) (int, error) {
	n, err := strconv.ParseInt(r.PathValue("version"), 10, 31)
	if err != nil || n < 0 {
		return 0, convoke.Errorf(convoke.CodeInvalid, "a version is a whole number, not %.40q", r.PathValue("version"))
	}
	return int(n), nil
}

func manifest(v *convoke.Version) api.Manifest {
	out := api.Manifest{
		ID: v.ID, Version: v.Number, Runtime: v.Runtime, Code: v.Code, Environment: v.Environment,
		CreatedAt: api.Time{Time: v.CreatedAt}, CreatedBy: v.CreatedBy,
		UpdatedAt: api.Time{Time: v.CreatedAt}, UpdatedBy: v.CreatedBy,
		Language: string(v.Language), Contract: string(v.Contract), Files: v.Files, AllowedDomains: v.Domains,
		Settings: api.Settings{
			TimeoutMs:          v.Settings.Timeout.Milliseconds(),
			MemoryMiB:          v.Settings.MemoryMiB,
			Concurrency:        v.Settings.Concurrency,
			MinInstances:       v.Settings.MinInstances,
			MaxInstances:       v.Settings.MaxInstances,
			IdleTimeoutSeconds: int64(v.Settings.IdleTimeout / time.Second),

			InvocationsPerSecond: v.Settings.InvocationsPerSecond,
		},
	}
	if out.Environment == nil {
		out.Environment = map[string]string{}
	}
	return out
}
