package cli

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"convoke/api"
	"convoke/client"
)

func (a *app) show() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME|UUID",
		Short: "Show all about one function but its code",
		Long: `Shows a function: its state, its event and skills, what it runs with, how its
last deployment ended and where it is invoked. What differs between the version
that is live and the newest one stands side by side. Of variables the names are
shown, and no values. The code is fetched by convoke pull.`,
		Example:           "  convoke show greeting\n  convoke show greeting --json",
		Args:              args("NAME"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, fn, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			s := newShown(c, fn)
			if a.json {
				return a.printJSON(s)
			}
			return a.table(s.rows())
		},
	}
}

// shownFunction is a function as show prints it.
type shownFunction struct {
	UUID           string          `json:"uuid"`
	Name           string          `json:"name"`
	Description    string          `json:"description"`
	State          string          `json:"state"`
	Pending        bool            `json:"pending,omitempty"` // a deployment or undeployment is under way
	EventID        string          `json:"eventId,omitempty"`
	Skills         []string        `json:"skills"`
	CreatedAt      api.Time        `json:"createdAt,omitzero"`
	CreatedBy      string          `json:"createdBy"`
	UpdatedAt      api.Time        `json:"updatedAt,omitzero"`
	UpdatedBy      string          `json:"updatedBy"`
	Live           *shownVersion   `json:"live,omitempty"` // absent: it is not deployed
	Newest         *shownVersion   `json:"newest"`
	LastDeployment *api.Deployment `json:"lastDeployment,omitempty"`
	InvokeURL      string          `json:"invokeUrl"`          // POST
	EventURL       string          `json:"eventUrl,omitempty"` // POST; all functions of its event
}

// shownVersion is a version without its code and the values of its variables.
type shownVersion struct {
	Version        int          `json:"version"`
	CreatedAt      api.Time     `json:"createdAt,omitzero"`
	CreatedBy      string       `json:"createdBy"`
	Runtime        string       `json:"runtime"`
	Language       string       `json:"language"`
	Contract       string       `json:"contract,omitempty"`      // absent: found out from the code
	Variables      []string     `json:"variables"`               // names
	AllowedDomains []string     `json:"allowedDomains,omitzero"` // absent: those of the account
	Settings       api.Settings `json:"settings"`                // absent members are the server's
}

func newShown(c *client.Client, fn *api.Function) *shownFunction {
	s := &shownFunction{
		UUID: fn.UUID, Name: fn.Name, Description: fn.Description, State: fn.State, Pending: fn.Pending, EventID: fn.EventID, Skills: fn.Skills,
		CreatedAt: fn.CreatedAt, CreatedBy: fn.CreatedBy, UpdatedAt: fn.UpdatedAt, UpdatedBy: fn.UpdatedBy,
		LastDeployment: fn.LastDeployment, InvokeURL: c.InvokeURL(fn.UUID), Newest: versionOf(fn, fn.LatestVersion),
	}
	if s.Skills == nil {
		s.Skills = []string{}
	}
	if fn.DeployedVersion != nil {
		s.Live = versionOf(fn, *fn.DeployedVersion)
	}
	if fn.EventID != "" {
		s.EventURL = c.EventURL(fn.EventID)
	}
	return s
}

// versionOf is the version of that number; of one that is gone, the number.
func versionOf(fn *api.Function, number int) *shownVersion {
	v := &shownVersion{Version: number, Variables: []string{}}
	for _, m := range fn.Versions {
		if m.Version != number {
			continue
		}
		v.CreatedAt, v.CreatedBy, v.Runtime, v.Language, v.Contract = m.CreatedAt, m.CreatedBy, m.Runtime, m.Language, m.Contract
		v.Variables = slices.AppendSeq(v.Variables, maps.Keys(m.Environment))
		slices.Sort(v.Variables)
		v.AllowedDomains, v.Settings = m.AllowedDomains, m.Settings
	}
	return v
}

// rows is the function for people.
func (s *shownFunction) rows() [][]string {
	state := s.State
	if s.Pending {
		state += " (a deployment is under way)"
	}
	rows := [][]string{
		{"NAME", s.Name}, {"UUID", s.UUID}, {"DESCRIPTION", orDash(s.Description)}, {"STATE", state},
		{"EVENT", orDash(s.EventID)}, {"SKILLS", orDash(strings.Join(s.Skills, ", "))},
		{"CREATED", dated(s.CreatedAt, s.CreatedBy)}, {"CHANGED", dated(s.UpdatedAt, s.UpdatedBy)},
	}
	newest := s.Newest.cells()
	switch {
	case s.Live == nil:
		rows = append(rows, []string{"LIVE", "-"}, []string{"NEWEST", strconv.Itoa(s.Newest.Version)})
		rows = append(rows, newest...)
	case s.Live.Version == s.Newest.Version:
		rows = append(rows, []string{"LIVE", strconv.Itoa(s.Live.Version) + ", the newest"})
		rows = append(rows, newest...)
	default:
		rows = append(rows, []string{"LIVE", strconv.Itoa(s.Live.Version)}, []string{"NEWEST", strconv.Itoa(s.Newest.Version)})
		for i, cell := range s.Live.cells() {
			if cell[1] != newest[i][1] {
				cell[1] += " (newest: " + newest[i][1] + ")"
			}
			rows = append(rows, cell)
		}
	}
	rows = append(rows, []string{"LAST DEPLOYMENT", s.deployment()}, []string{"INVOKE", "POST " + s.InvokeURL})
	if s.EventURL != "" {
		rows = append(rows, []string{"INVOKE BY EVENT", "POST " + s.EventURL})
	}
	return rows
}

// cells are the rows of a version.
func (v *shownVersion) cells() [][]string {
	domains := "all that the account allows"
	switch {
	case len(v.AllowedDomains) > 0:
		domains = strings.Join(v.AllowedDomains, ", ")
	case v.AllowedDomains != nil:
		domains = "none"
	}
	contract := v.Contract
	if contract == "" {
		contract = "by the code"
	}
	s := v.Settings
	return [][]string{
		{"SAVED", dated(v.CreatedAt, v.CreatedBy)}, {"RUNTIME", orDash(v.Runtime)}, {"LANGUAGE", orDash(v.Language)}, {"CONTRACT", contract},
		{"VARIABLES", orDash(strings.Join(v.Variables, ", "))}, {"DOMAINS", domains},
		{"TIME-OUT", orServer(s.TimeoutMs, (time.Duration(s.TimeoutMs) * time.Millisecond).String())},
		{"MEMORY", orServer(int64(s.MemoryMiB), strconv.Itoa(s.MemoryMiB)+" MiB")},
		{"CONCURRENCY", orServer(int64(s.Concurrency), strconv.Itoa(s.Concurrency))},
		{"INSTANCES", strconv.Itoa(s.MinInstances) + " to " + orServer(int64(s.MaxInstances), strconv.Itoa(s.MaxInstances))},
		{"IDLE TIME-OUT", orServer(s.IdleTimeoutSeconds, (time.Duration(s.IdleTimeoutSeconds) * time.Second).String())},
		{"INVOCATIONS PER SECOND", orServer(int64(s.InvocationsPerSecond), strconv.Itoa(s.InvocationsPerSecond))},
	}
}

// orServer is text, unless the value is left to the server.
func orServer(value int64, text string) string {
	if value == 0 {
		return "the server's"
	}
	return text
}

func dated(at api.Time, by string) string {
	if by == "" {
		return formatTime(at)
	}
	return formatTime(at) + " by " + by
}

func (s *shownFunction) deployment() string {
	d := s.LastDeployment
	if d == nil {
		return "never"
	}
	text := "version " + strconv.Itoa(d.ManifestVersion) + " " + d.DeploymentState + ", " + dated(d.CreatedAt, d.CreatedBy)
	if d.Error != nil {
		text += ": " + d.Error.Message
	}
	return text
}
