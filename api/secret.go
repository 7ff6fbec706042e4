package api

// Secret describes a secret. No answer of the API holds its value.
type Secret struct {
	Tagged
	Name      string `json:"name"`
	Type      string `json:"type"`    // String, Number, JSON
	Version   int    `json:"version"` // from 1, raised by each change of the value
	System    bool   `json:"system"`  // the platform's own
	CreatedAt Time   `json:"createdAt,omitzero"`
	CreatedBy string `json:"createdBy"`
	UpdatedAt Time   `json:"updatedAt,omitzero"`
	UpdatedBy string `json:"updatedBy"`
}

// SetSecretRequest creates a secret or changes its value.
type SetSecretRequest struct {
	Value string `json:"value"`          // a Number or JSON is text too
	Type  string `json:"type,omitempty"` // absent: stays; of a new one it is String
}

// CreateSecretRequest creates a secret.
type CreateSecretRequest struct {
	Name string `json:"name"`
	SetSecretRequest
}

// KeyRotation is what a change of the master key did.
type KeyRotation struct {
	KeyID      int64       `json:"keyId"`    // of the new master key
	Resealed   int         `json:"resealed"` // secrets that it seals now
	Unreadable []SecretRef `json:"unreadable"`
}

// SecretRef names a secret of any account.
type SecretRef struct {
	Account string `json:"account"`
	Name    string `json:"name"`
}
