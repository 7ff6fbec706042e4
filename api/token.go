package api

// Token describes a bearer token without its text.
type Token struct {
	ID         string   `json:"id"`                // what it is revoked by
	Name       string   `json:"name"`              // what it is for
	UserID     string   `json:"userId,omitempty"`  // whose it is; absent: the account's
	Roles      []string `json:"roles" enum:"role"` // what it may do
	CreatedAt  Time     `json:"createdAt,omitzero"`
	CreatedBy  string   `json:"createdBy"`
	ExpiresAt  Time     `json:"expiresAt,omitzero"`  // absent: never
	RevokedAt  Time     `json:"revokedAt,omitzero"`  // absent: not revoked
	LastUsedAt Time     `json:"lastUsedAt,omitzero"` // to the minute
}

// CreateTokenRequest issues a token.
type CreateTokenRequest struct {
	Name       string   `json:"name"`                 // what it is for
	Roles      []string `json:"roles" enum:"role"`    // what it may do
	TTLSeconds int64    `json:"ttlSeconds,omitempty"` // how long it is good, ten years at most; 0: until it is revoked
}

// CreateTokenResponse is the only answer that carries a token's text: it is
// shown once and cannot be read again.
type CreateTokenResponse struct {
	Token
	Text string `json:"token"` // for the header Authorization
}
