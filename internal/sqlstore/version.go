package sqlstore

import (
	"context"

	"convoke"
)

// versionColumns are those that are small; sourceColumns are read only when
// the source is wanted.
const (
	versionColumns = `v.id, v.account_id, v.function_id, v.number, v.language, v.contract, v.runtime,
		v.settings, v.environment, v.domains, v.created_at, v.created_by`
	sourceColumns = `v.code, v.files`
)

func versionDest(v *convoke.Version) []any {
	return []any{&v.ID, &v.AccountID, &v.FunctionID, &v.Number, &v.Language, &v.Contract, &v.Runtime,
		jsonColumn{&v.Settings}, jsonColumn{&v.Environment}, jsonColumn{&v.Domains}, timeColumn{&v.CreatedAt}, &v.CreatedBy}
}

func scanVersion(r row) (*convoke.Version, error) {
	v := &convoke.Version{}
	return v, r.Scan(append(versionDest(v), &v.Code, jsonColumn{&v.Files})...)
}

// SaveVersion stores v as the newest version of its function and runs change
// on the function, in one transaction; change sees v.Number as LatestVersion
// already. v.Number must be the function's LatestVersion+1, or LatestVersion
// when that one is still empty (no code) and is filled; otherwise
// CodeRevision. Versions beyond keep (0: no limit) are evicted, oldest first,
// never version 0, the live one or one that a pending deployment uses. An
// error from change is returned as it is. CodeFunctionNotFound when there is
// no such function.
func (s *Store) SaveVersion(ctx context.Context, v *convoke.Version, keep int, change func(*convoke.Function) error) (*convoke.Function, error) {
	return s.changeFunction(ctx, v.AccountID, v.FunctionID, func(t tx, f *convoke.Function) error {
		if err := makeRoom(ctx, t, f, v.Number); err != nil {
			return err
		}
		f.LatestVersion = v.Number
		if err := change(f); err != nil {
			return err
		}
		f.LatestVersion = v.Number
		if err := insertVersion(ctx, t, v); err != nil {
			return onConflict(err, "version %s exists already", v.ID)
		}
		return evictVersions(ctx, t, f, keep)
	})
}

// makeRoom returns CodeRevision unless number is the next one, or the latest
// and that is still empty: then the empty one goes.
func makeRoom(ctx context.Context, t tx, f *convoke.Function, number int) error {
	if number == f.LatestVersion+1 {
		return nil
	}
	var removed int64
	if number == f.LatestVersion {
		var err error
		removed, err = t.exec(ctx, `DELETE FROM versions WHERE account_id = ? AND function_id = ? AND number = ? AND code = ''`,
			f.AccountID, f.ID, number)
		if err != nil {
			return err
		}
	}
	if removed == 0 {
		return convoke.Errorf(convoke.CodeRevision,
			"version %d cannot be saved after version %d: somebody saved in between; load the function again and repeat the change", number, f.LatestVersion)
	}
	return nil
}

func insertVersion(ctx context.Context, t tx, v *convoke.Version) error {
	settings, err := jsonText(v.Settings, 1)
	if err != nil {
		return err
	}
	environment, err := jsonText(v.Environment, len(v.Environment))
	if err != nil {
		return err
	}
	files, err := jsonText(v.Files, len(v.Files))
	if err != nil {
		return err
	}
	domains := ""
	if v.Domains != nil { // an empty list is not the same as none
		if domains, err = jsonText(v.Domains, 1); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, `INSERT INTO versions (id, account_id, function_id, number, language, contract, runtime, min_instances,
			settings, environment, domains, created_at, created_by, code, files)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.ID, v.AccountID, v.FunctionID, v.Number, string(v.Language), string(v.Contract), v.Runtime, v.Settings.MinInstances,
		settings, environment, domains, nanos(v.CreatedAt), v.CreatedBy, v.Code, files)
	return err
}

func evictVersions(ctx context.Context, t tx, f *convoke.Function, keep int) error {
	if keep <= 0 {
		return nil
	}
	n, err := find(ctx, t.conn, scanCount, never, `SELECT COUNT(*) FROM versions WHERE account_id = ? AND function_id = ?`, f.AccountID, f.ID)
	if err != nil || n <= keep {
		return err
	}
	live := 0 // never evicted anyway
	if f.LiveDeploymentID != "" {
		live = f.LiveVersion
	}
	_, err = t.exec(ctx, `DELETE FROM versions WHERE account_id = ? AND function_id = ? AND number IN (
			SELECT number FROM versions WHERE account_id = ? AND function_id = ? AND number NOT IN (0, ?, ?)
				AND number NOT IN (SELECT version_number FROM deployments WHERE account_id = ? AND id = ?)
			ORDER BY number LIMIT ?)`,
		f.AccountID, f.ID, f.AccountID, f.ID, live, f.LatestVersion, f.AccountID, f.PendingDeploymentID, n-keep)
	return err
}

// FindVersion returns CodeNotFound when there is none.
func (s *Store) FindVersion(ctx context.Context, accountID, functionID string, number int) (*convoke.Version, error) {
	missing := func() error {
		return convoke.Errorf(convoke.CodeNotFound, "function %s has no version %d", functionID, number)
	}
	return find(ctx, s.main.read, scanVersion, missing,
		`SELECT `+versionColumns+`, `+sourceColumns+` FROM versions v WHERE v.account_id = ? AND v.function_id = ? AND v.number = ?`,
		accountID, functionID, number)
}

// ListVersions returns versions newest first, none when there is no such function.
func (s *Store) ListVersions(ctx context.Context, accountID, functionID string) ([]*convoke.Version, error) {
	return list(ctx, s.main.read, scanVersion,
		`SELECT `+versionColumns+`, `+sourceColumns+` FROM versions v WHERE v.account_id = ? AND v.function_id = ? ORDER BY v.number DESC`,
		accountID, functionID)
}

var versionList = listing[*convoke.Version]{
	order: convoke.VersionOrder, columns: versionColumns + `, ` + sourceColumns, from: `versions v`, scan: scanVersion,
	keys: map[string][]column{"version": {number("v.number")}},
}

// PageVersions reads a page of a function's versions.
func (s *Store) PageVersions(ctx context.Context, accountID, functionID string, p convoke.Page) ([]*convoke.Version, convoke.Mark, error) {
	where := &filter{}
	where.add(`v.account_id = ? AND v.function_id = ?`, accountID, functionID)
	return versionList.page(ctx, s.main.search, where, p)
}
