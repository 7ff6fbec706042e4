package cli

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"convoke"
	"convoke/api"
	"convoke/client"
	"convoke/internal/config"
)

// renewBefore is how long before its end a token is replaced: a call that
// begins with it must not arrive too late.
const renewBefore = 30 * time.Second

// renewer keeps the token of a sign-in good, in memory and in its profile.
type renewer struct {
	path   string
	client *client.Client // without a token

	mu      sync.Mutex
	profile config.Profile
}

// token is the token to use in place of rejected, or simply the present one.
func (n *renewer) token(ctx context.Context, rejected convoke.Secret) (convoke.Secret, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if rejected.Reveal() != n.profile.Token.Reveal() && time.Now().Before(n.profile.Expires.Add(-renewBefore)) {
		return n.profile.Token, nil
	}
	if err := n.renew(ctx, rejected); err != nil {
		return convoke.Secret{}, err
	}
	return n.profile.Token, nil
}

// renew takes what another process has renewed, or renews. Between the
// server's answer and the file there must be nothing that stops it: the old
// refresh token is worth nothing then.
func (n *renewer) renew(ctx context.Context, rejected convoke.Secret) error {
	unlock, err := config.LockProfile(n.path)
	if err != nil {
		return err
	}
	defer unlock()
	saved, err := config.LoadProfile(n.path)
	if err != nil {
		return fmt.Errorf("renew the sign-in: %w", err)
	}
	if saved.URL != n.profile.URL || saved.Account != n.profile.Account || saved.Refresh.IsZero() {
		return &hinted{convoke.Errorf(convoke.CodeUnauthorized, "the sign-in of this profile was replaced or ended meanwhile"), "convoke login signs in again"}
	}
	if saved.Token.Reveal() != n.profile.Token.Reveal() && saved.Token.Reveal() != rejected.Reveal() && time.Now().Before(saved.Expires.Add(-renewBefore)) {
		n.profile = saved
		return nil
	}
	out, err := n.client.TokenByForm(context.WithoutCancel(ctx), url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {saved.Refresh.Reveal()}, "client_id": {convoke.CommandLineID},
	})
	if convoke.ErrorCode(err) == convoke.CodeUnauthorized {
		return &hinted{&convoke.Error{Code: convoke.CodeUnauthorized, Message: "the sign-in has ended: it is too old, or somebody ended it", Cause: err}, "convoke login signs in again"}
	}
	if err != nil {
		return err
	}
	saved = withTokens(saved, out)
	if err := config.SaveProfile(n.path, saved); err != nil {
		return err
	}
	n.profile = saved
	return nil
}

// withTokens is p with a sign-in through a browser.
func withTokens(p config.Profile, t *api.OAuthToken) config.Profile {
	p.Token, p.Refresh = convoke.NewSecret(t.AccessToken), convoke.NewSecret(t.RefreshToken)
	p.Expires = time.Now().Add(time.Duration(t.ExpiresIn) * time.Second).UTC().Truncate(time.Second)
	return p
}

// giveUp ends a sign-in through a browser on its server.
func giveUp(ctx context.Context, c *client.Client, refresh convoke.Secret) error {
	return c.RevokeByForm(ctx, url.Values{"token": {refresh.Reveal()}, "client_id": {convoke.CommandLineID}})
}
