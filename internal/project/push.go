package project

import (
	"context"
	"fmt"
	"time"

	"convoke/api"
	"convoke/client"
)

// Push is one function whose files are compared with the server, to be saved
// there.
type Push struct {
	Name     string        // Shown of the place until it is known
	Function *api.Function // on the server; nil: it is created
	Diff     string
	Deploy   bool // it is to be made live

	at     Place
	change *change
}

// Push reads the files and finds what they change; ids are those of [Index].
// What it returns with an error has what was found until then.
func (at Place) Push(ctx context.Context, c *client.Client, ids map[string]string, deploy bool) (*Push, error) {
	u := &Push{Name: at.dirs, at: at}
	p, err := at.read()
	if err != nil {
		return u, err
	}
	name, err := at.function(p)
	if err != nil {
		return u, err
	}
	u.Name = name
	if id := ids[name]; id != "" {
		if u.Function, err = c.Function(ctx, id); err != nil {
			return u, err
		}
	}
	if u.change, err = planChange(name, p, nil, u.Function); err != nil {
		return u, err
	}
	u.Diff = u.change.diff
	u.Deploy = deploy && (u.Function == nil || u.change.manifest != nil || !live(u.Function))
	return u, nil
}

// Action is what is to be done, "" for nothing: a function that is created or
// changed may be deployed, too.
func (u *Push) Action() Action {
	switch {
	case u.change.fn == nil:
		return ActionCreate
	case !u.change.none():
		return ActionChange
	case u.Deploy:
		return ActionDeploy
	}
	return ""
}

// Saves reports whether the files differ from what is on the server.
func (u *Push) Saves() bool { return !u.change.none() }

// Since is the newest version on the server where others saved it after the
// files were pulled from version base, else nil.
func (u *Push) Since() (base int, newest *api.Manifest) {
	base = int(u.change.p.config.Version)
	fn := u.change.fn
	if fn == nil || u.change.manifest == nil || base == 0 || base >= fn.LatestVersion || len(fn.Versions) == 0 {
		return 0, nil
	}
	return base, &fn.Versions[0]
}

// Save saves what differs, and writes down which version the files are then.
func (u *Push) Save(ctx context.Context, c *client.Client) (*api.Function, error) {
	fn, err := u.change.save(ctx, c)
	if err != nil {
		return nil, err
	}
	return fn, u.at.keepVersion(u.change.p, fn.LatestVersion)
}

// MakeLive deploys what was saved, as [Deploy].
func (u *Push) MakeLive(ctx context.Context, c *client.Client, saved *api.Function, wait time.Duration) (*api.Function, error) {
	fn, err := Deploy(ctx, c, saved, nil, wait)
	return fn, placed(err, u.change.p)
}

// keepVersion writes into config.json which version the files are.
func (at Place) keepVersion(p *Files, version int) error {
	if p.text == "" || int(p.config.Version) == version {
		return nil
	}
	text, err := setMember(p.text, "version", version)
	if err == nil {
		err = at.write(configFile, text)
	}
	if err != nil {
		return fmt.Errorf("version %d is saved, but not its number in %s: %w", version, at.path(configFile), err)
	}
	return nil
}
