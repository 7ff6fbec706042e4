package httpapi

import (
	"net/http"

	"convoke"
	"convoke/api"
	people "convoke/internal/account"
	"convoke/internal/httpx"
	"convoke/internal/oauth"
)

// beginOIDC sends a browser to the identity provider.
func (s *server) beginOIDC(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	if s.Identity.Provider == nil {
		return noProvider()
	}
	if err := s.Identity.Provider.Begin(w, r, r.URL.Query().Get("next"), secure(r)); err != nil {
		return oauth.ShowError(w, r, err)
	}
	return nil
}

func noProvider() error {
	return convoke.Errorf(convoke.CodeRouteNotFound, "there is no identity provider to sign in through; the operator sets one with oidc.issuer")
}

// finishOIDC signs in whom the identity provider sends back.
func (s *server) finishOIDC(w http.ResponseWriter, r *http.Request, _ *convoke.Principal) error {
	if s.Identity.Provider == nil {
		return noProvider()
	}
	if err := s.signInExternal(w, r); err != nil {
		return oauth.ShowError(w, r, err)
	}
	return nil
}

func (s *server) signInExternal(w http.ResponseWriter, r *http.Request) error {
	person, err := s.Identity.Provider.Finish(w, r, secure(r))
	if err != nil {
		return err
	}
	in, err := s.Accounts.SignInExternal(r.Context(), people.External{
		AccountID: s.Identity.AccountID, ID: person.ID, Names: person.Names, Roles: person.Roles, RolesAreGiven: person.RolesAreGiven,
		Create: s.Identity.Create, From: httpx.ClientIP(r).String(), Agent: r.UserAgent(),
	})
	if err != nil {
		return err
	}
	if err := s.recordSignIn(w, r, in.User, in.SignedIn, "identity provider"); err != nil {
		return err
	}
	if err := s.recordFollowed(r, in); err != nil {
		return err
	}
	http.SetCookie(w, in.SignedIn.HTTPCookie(secure(r)))
	http.Redirect(w, r, person.Next, http.StatusFound)
	return nil
}

// recordFollowed keeps what a sign-in made of its user.
func (s *server) recordFollowed(r *http.Request, in *people.ExternalSession) error {
	by := &convoke.Principal{AccountID: in.User.AccountID, ID: in.User.ID, Name: "identity provider"}
	switch {
	case in.New:
		return s.record(r, by, "user.create", in.User.ID, in.User.LoginName, nil, api.NewUser(in.User))
	case in.Was != nil:
		return s.record(r, by, "user.update", in.User.ID, in.User.LoginName, api.NewUser(in.Was), api.NewUser(in.User))
	}
	return nil
}
