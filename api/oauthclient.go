package api

// Client describes an OAuth client without its secrets.
type Client struct {
	Tagged
	ID           string         `json:"id"`                          // the client_id
	Name         string         `json:"name"`                        // what people call it; unique in the account
	Public       bool           `json:"public"`                      // has no secret, proves itself by PKCE
	Disabled     bool           `json:"disabled"`                    // it gets no tokens, and those it has are refused
	GrantTypes   []string       `json:"grantTypes" enum:"grantType"` // how it may get tokens
	Scopes       []string       `json:"scopes" enum:"scope"`         // what its tokens may do
	RedirectURIs []string       `json:"redirectUris"`                // where users may be sent back to
	Secrets      []ClientSecret `json:"secrets"`                     // the newest first
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
	Name         string   `json:"name"`                                  // what people call it; unique in the account
	Public       bool     `json:"public,omitempty"`                      // it can keep no secret and proves itself by PKCE
	GrantTypes   []string `json:"grantTypes,omitempty" enum:"grantType"` // how it may get tokens; absent: client_credentials, of a public one authorization_code
	Scopes       []string `json:"scopes,omitempty" enum:"scope"`         // what its tokens may do; absent: faas.lambda.invoke
	RedirectURIs []string `json:"redirectUris,omitempty"`                // for authorization_code

	InvocationsPerSecond int `json:"invocationsPerSecond,omitempty"` // 0: no limit of its own
}

// UpdateClientRequest changes a client. Absent members stay as they are.
type UpdateClientRequest struct {
	Name         *string   `json:"name,omitempty"`                        // what people call it
	Disabled     *bool     `json:"disabled,omitempty"`                    // whether its tokens are refused
	GrantTypes   *[]string `json:"grantTypes,omitempty" enum:"grantType"` // how it may get tokens
	Scopes       *[]string `json:"scopes,omitempty" enum:"scope"`         // what its tokens may do
	RedirectURIs *[]string `json:"redirectUris,omitempty"`                // where users may be sent back to

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
