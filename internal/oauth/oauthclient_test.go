package oauth

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"convoke"
)

func TestClients(t *testing.T) {
	t.Parallel()
	w := setup(t)
	s, ctx := w.server, t.Context()
	wantCode := func(what string, err error, want convoke.Code) {
		t.Helper()
		if got := convoke.ErrorCode(err); got != want {
			t.Errorf("%s: got %v, want %s", what, err, want)
		}
	}
	id, secret := w.client(t, func(c *convoke.Client) { c.Name = "shop" })
	c, err := s.FindClient(ctx, home, id)
	if err != nil || c.CreatedBy != "ann" || len(c.Secrets) != 1 || string(c.Secrets[0].Hash) == secret {
		t.Fatalf("%+v, %v", c, err)
	}
	app, _ := w.client(t, func(c *convoke.Client) { public(c); c.Name = "app" })

	_, err = s.FindClient(ctx, other, id)
	wantCode("found by another account", err, convoke.CodeNotFound)
	_, err = s.CreateClient(ctx, &convoke.Client{AccountID: home, Name: "bad"}, "ann")
	wantCode("without a grant", err, convoke.CodeValidation)
	_, err = s.CreateClient(ctx, &convoke.Client{AccountID: home, Name: "shop", GrantTypes: convoke.GrantTypes[:1], Scopes: c.Scopes}, "ann")
	wantCode("name taken", err, convoke.CodeConflict)

	nothing := func(*convoke.Client) {}
	_, _, err = s.UpdateClient(ctx, home, id, nothing, "bob")
	wantCode("nothing new", err, convoke.CodeUnchanged)
	_, _, err = s.UpdateClient(ctx, other, id, func(c *convoke.Client) { c.Disabled = true }, "bob")
	wantCode("another account's", err, convoke.CodeNotFound)
	_, _, err = s.UpdateClient(ctx, home, id, func(c *convoke.Client) { c.Scopes = nil }, "bob")
	wantCode("no scopes", err, convoke.CodeValidation)
	_, _, err = s.UpdateClient(ctx, home, id, func(c *convoke.Client) { c.Name = "app" }, "bob")
	wantCode("name taken", err, convoke.CodeConflict)
	before, after, err := s.UpdateClient(ctx, home, id, func(c *convoke.Client) { c.Name = "store"; c.Scopes[0] = convoke.ScopeLogRead; c.Scopes = c.Scopes[:1] }, "bob")
	if err != nil || before.Name != "shop" || before.Scopes[0] != convoke.ScopeInvoke || after.Name != "store" || after.UpdatedBy != "bob" {
		t.Errorf("%+v → %+v, %v", before, after, err)
	}

	_, _, err = s.RotateSecret(ctx, home, app, time.Hour, "bob")
	wantCode("public client", err, convoke.CodeActionNotAllowed)
	_, _, err = s.RotateSecret(ctx, home, id, maxGrace+1, "bob")
	wantCode("long grace", err, convoke.CodeValidation)
	_, _, err = s.RotateSecret(ctx, home, id, -1, "bob")
	wantCode("negative grace", err, convoke.CodeValidation)
	_, _, err = s.RotateSecret(ctx, other, id, 0, "bob")
	wantCode("another account's secret", err, convoke.CodeNotFound)

	wantCode("removed by another account", s.RemoveClient(ctx, other, id), convoke.CodeNotFound)
	wantCode("removed", s.RemoveClient(ctx, home, id), "")
	wantCode("removed again", s.RemoveClient(ctx, home, id), convoke.CodeNotFound)
	if all, err := s.ListClients(ctx, home); err != nil || len(all) != 1 || all[0].ID != app {
		t.Errorf("left are %v, %v", all, err)
	}
}

func TestNewRefusesWiringMistakes(t *testing.T) {
	t.Parallel()
	w := setup(t)
	good := Config{Store: w.store, Keys: w.server.keys, Issuer: issuer, Logger: slog.New(slog.DiscardHandler)}
	for _, bad := range []string{"", "sentinel.example.com", "https://x/", "https://x/path", "ftp://x", "https://", "https://u@x", "https://x?y"} {
		c := good
		c.Issuer = bad
		if _, err := New(c); convoke.ErrorCode(err) != convoke.CodeValidation {
			t.Errorf("issuer %q: %v", bad, err)
		}
	}
	c := good
	c.Keys = nil
	if _, err := New(c); convoke.ErrorCode(err) != convoke.CodeInternal {
		t.Errorf("no keys: %v", err)
	}
}

// TestRun holds that Run makes the next key in time and ends with its context.
func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.server.Run(ctx) }()
		first := w.server.keys.current(time.Now()).id
		time.Sleep(29*24*time.Hour + time.Minute)
		synctest.Wait()
		if got := ids(w.server.keys); len(got) != 2 || w.server.keys.current(time.Now()).id != first {
			t.Errorf("after 29 days the keys are %v", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
