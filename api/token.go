package api

// Token describes a bearer token without its text.
type Token struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	UserID     string   `json:"userId,omitempty"` // whose it is; absent: the account's
	Roles      []string `json:"roles"`            // admin, developer, invoker, viewer
	CreatedAt  Time     `json:"createdAt,omitzero"`
	CreatedBy  string   `json:"createdBy"`
	ExpiresAt  Time     `json:"expiresAt,omitzero"`  // absent: never
	RevokedAt  Time     `json:"revokedAt,omitzero"`  // absent: not revoked
	LastUsedAt Time     `json:"lastUsedAt,omitzero"` // to the minute
}

// CreateTokenRequest issues a token.
type CreateTokenRequest struct {
	Name       string   `json:"name"`
	Roles      []string `json:"roles"`
	TTLSeconds int64    `json:"ttlSeconds,omitempty"` // 0: never expires
}

// CreateTokenResponse is the only answer that carries a token's text: it is
// shown once and cannot be read again.
type CreateTokenResponse struct {
	Token
	Text string `json:"token"`
}
