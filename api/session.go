package api

// LoginRequest signs in with a password. AppKey is that of the reference's bot
// users, which Convoke does not have: it is refused with words that help.
type LoginRequest struct {
	Username string `json:"username"`         // the login name
	Password string `json:"password"`         // of the user
	AppKey   string `json:"appKey,omitempty"` // of a bot user, which there are none of: it is refused
}

// LoginResponse has exactly the members of the reference (spec/api-surface.md 2.1).
type LoginResponse struct {
	Bearer    string      `json:"bearer"`    // a token, for the header Authorization
	CSRF      string      `json:"csrf"`      // what a browser sends as X-CSRF-Token beside the cookie
	SessionID string      `json:"sessionId"` // what the cookie session_id is set to
	Config    LoginConfig `json:"config"`    // who signed in
}

// LoginConfig is who signed in.
type LoginConfig struct {
	UserID    string `json:"userId"`    // of the user
	LoginName string `json:"loginName"` // of the user
}

// RefreshRequest asks whether the session of the cookie lasts.
type RefreshRequest struct {
	CSRF string `json:"csrf"` // of the sign-in
}

// RefreshResponse says that it does.
type RefreshResponse struct {
	CSRF   string      `json:"csrf"`   // of the sign-in
	Config LoginConfig `json:"config"` // who is signed in
}
