package api

// LoginRequest signs in with a password. AppKey is that of the reference's bot
// users, which Convoke does not have: it is refused with words that help.
type LoginRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
	AppKey   string `json:"appKey,omitempty"`
}

// LoginResponse has exactly the members of the reference (spec/api-surface.md 2.1).
type LoginResponse struct {
	Bearer    string      `json:"bearer"`
	CSRF      string      `json:"csrf"`
	SessionID string      `json:"sessionId"`
	Config    LoginConfig `json:"config"`
}

// LoginConfig is who signed in.
type LoginConfig struct {
	UserID    string `json:"userId"`
	LoginName string `json:"loginName"`
}

// RefreshRequest asks whether the session of the cookie lasts.
type RefreshRequest struct {
	CSRF string `json:"csrf"`
}

// RefreshResponse says that it does.
type RefreshResponse struct {
	CSRF   string      `json:"csrf"`
	Config LoginConfig `json:"config"`
}
