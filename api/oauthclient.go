package api

// Client describes an OAuth client without its secrets.
type Client struct {
	Tagged
	ID           string         `json:"id"` // the client_id
	Name         string         `json:"name"`
	Public       bool           `json:"public"` // has no secret, proves itself by PKCE
	Disabled     bool           `json:"disabled"`
	GrantTypes   []string       `json:"grantTypes"` // client_credentials, authorization_code
	Scopes       []string       `json:"scopes"`
	RedirectURIs []string       `json:"redirectUris"`
	Secrets      []ClientSecret `json:"secrets"` // the newest first
	CreatedAt    Time           `json:"createdAt,omitzero"`
	CreatedBy    string         `json:"createdBy"`
	UpdatedAt    Time           `json:"updatedAt,omitzero"`
	UpdatedBy    string         `json:"updatedBy"`
	LastUsedAt   Time           `json:"lastUsedAt,omitzero"` // when it last got a token, to the minute

	// InvocationsPerSecond is how many invocations it may begin, with all its
	// tokens, within what the account allows each client; absent: no limit of its own.
	InvocationsPerSecond int `json:"invocationsPerSecond,omitempty"`
}

// ClientSecret describes a secret without its text.
type ClientSecret struct {
	CreatedAt Time `json:"createdAt,omitzero"`
	ExpiresAt Time `json:"expiresAt,omitzero"` // absent: never
}

// CreateClientRequest registers a client.
type CreateClientRequest struct {
	Name         string   `json:"name"`
	Public       bool     `json:"public,omitempty"`
	GrantTypes   []string `json:"grantTypes"`
	Scopes       []string `json:"scopes"`
	RedirectURIs []string `json:"redirectUris,omitempty"` // for authorization_code

	InvocationsPerSecond int `json:"invocationsPerSecond,omitempty"` // 0: no limit of its own
}

// UpdateClientRequest changes a client. Absent members stay as they are.
type UpdateClientRequest struct {
	Name         *string   `json:"name,omitempty"`
	Disabled     *bool     `json:"disabled,omitempty"`
	GrantTypes   *[]string `json:"grantTypes,omitempty"`
	Scopes       *[]string `json:"scopes,omitempty"`
	RedirectURIs *[]string `json:"redirectUris,omitempty"`

	InvocationsPerSecond *int `json:"invocationsPerSecond,omitempty"` // 0: no limit of its own
}

// RotateClientSecretRequest gives a client a new secret.
type RotateClientSecretRequest struct {
	// GraceSeconds is how long the secret so far stays good: a day unless it
	// says otherwise, 0 to end it at once, at most 30 days.
	GraceSeconds *int64 `json:"graceSeconds,omitempty"`
}

// ClientWithSecret is the only answer that carries a client's secret: it is
// shown once and cannot be read again.
type ClientWithSecret struct {
	Client
	Secret string `json:"secret,omitempty"` // absent for a public client
}
