package cli

import (
	"context"
	"runtime"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/project"
)

func (a *app) versions() *cobra.Command {
	return &cobra.Command{
		Use:               "versions NAME|UUID",
		Short:             "List a function's versions and how their deployments ended",
		Example:           "  convoke versions greeting",
		Args:              args("NAME"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, fn, err := a.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			deployments, err := c.Deployments(cmd.Context(), fn.UUID)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(versionRows(fn, deployments))
			}
			if len(deployments) == 0 {
				a.note("%s was never deployed; convoke deploy PATH --name %s saves code and makes it live", fn.Name, fn.Name)
			}
			rows := [][]string{{"VERSION", "LIVE", "SAVED", "BY", "RUNTIME", "LANGUAGE", "LAST DEPLOYMENT", "REASON"}}
			for _, v := range versionRows(fn, deployments) {
				rows = append(rows, []string{
					strconv.Itoa(v.Version), yesOrDash(v.Live), formatTime(v.CreatedAt), orDash(v.CreatedBy),
					v.Runtime, v.Language, orDash(v.Deployment), orDash(v.Reason),
				})
			}
			return a.table(rows)
		},
	}
}

// versionRow is a version with the outcome of its last deployment.
type versionRow struct {
	Version    int      `json:"version"`
	Live       bool     `json:"live"`
	CreatedAt  api.Time `json:"createdAt,omitzero"`
	CreatedBy  string   `json:"createdBy"`
	Runtime    string   `json:"runtime"`
	Language   string   `json:"language"`
	Deployment string   `json:"deployment,omitempty"` // state of the last one; absent: never deployed
	Reason     string   `json:"reason,omitempty"`     // why it failed
}

func versionRows(fn *api.Function, deployments []api.Deployment) []versionRow {
	rows := make([]versionRow, len(fn.Versions))
	for i, v := range fn.Versions {
		rows[i] = versionRow{
			Version: v.Version, Live: fn.DeployedVersion != nil && *fn.DeployedVersion == v.Version,
			CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy, Runtime: v.Runtime, Language: v.Language,
		}
		at := slices.IndexFunc(deployments, func(d api.Deployment) bool { return d.ManifestVersion == v.Version })
		if at >= 0 {
			rows[i].Deployment = deployments[at].DeploymentState
			if e := deployments[at].Error; e != nil {
				rows[i].Reason = e.Message
			}
		}
	}
	return rows
}

func (a *app) rollback() *cobra.Command {
	var to int
	var yes bool
	var f deployFlags
	cmd := &cobra.Command{
		Use:   "rollback NAME|UUID",
		Short: "Make an older version live again",
		Long: `Makes the version live that was live before, or the one named by --to, and
waits until it serves. The newest saved version stays as it is: the function is
in state Modified afterwards.
It asks before; without a terminal it takes --yes.`,
		Example:           "  convoke rollback greeting\n  convoke rollback greeting --to 3 --yes",
		Args:              args("NAME"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("to") {
				to = -1
			} else if to < 0 {
				return usagef("--to takes the number of a version, not %d", to)
			}
			return a.runRollback(cmd.Context(), args[0], to, yes, f)
		},
	}
	cmd.Flags().IntVar(&to, "to", 0, "version to make live (default the one that was live before)")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().DurationVar(&f.wait, "wait", defaultWait, "time to wait until the version serves")
	return cmd
}

func (a *app) runRollback(ctx context.Context, name string, to int, yes bool, f deployFlags) error {
	c, fn, err := a.find(ctx, name)
	if err != nil {
		return err
	}
	if to < 0 {
		if to, err = previousLive(ctx, c, fn); err != nil {
			return err
		}
	}
	if fn.DeployedVersion != nil && *fn.DeployedVersion == to {
		a.note("version %d of %s is live already", to, fn.Name)
		return a.printDeployed(fn)
	}
	if err := a.confirm(yes, "Make version %d of %s live (now: %s)?", to, fn.Name, liveNumber(fn)); err != nil {
		return err
	}
	stop := a.during("deploying %s", fn.Name)
	fn, err = project.Deploy(ctx, c, fn, &to, f.wait)
	stop()
	if err != nil {
		return err
	}
	a.tell("version %d of %s is live", to, fn.Name)
	return a.printDeployed(fn)
}

// previousLive is the version that was live before the present one and still exists.
func previousLive(ctx context.Context, c *client.Client, fn *api.Function) (int, error) {
	deployments, err := c.Deployments(ctx, fn.UUID)
	if err != nil {
		return 0, err
	}
	for _, d := range deployments {
		was := !d.DeployedAt.IsZero() && (fn.DeployedVersion == nil || d.ManifestVersion != *fn.DeployedVersion)
		exists := slices.ContainsFunc(fn.Versions, func(v api.Manifest) bool { return v.Version == d.ManifestVersion })
		if was && exists {
			return d.ManifestVersion, nil
		}
	}
	return 0, &hinted{
		convoke.Errorf(convoke.CodeNotFound, "no other version of %s was live before", fn.Name),
		"name one with --to; convoke versions " + fn.Name + " lists them",
	}
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  args(),
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{"version": a.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			return a.table([][]string{{"convoke " + a.Version + " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"}})
		},
	}
}
