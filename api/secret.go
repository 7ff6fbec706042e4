package api

// Secret describes a secret. No answer of the API holds its value.
type Secret struct {
	Tagged
	Name      string `json:"name"`                   // what functions and requests name it by
	Type      string `json:"type" enum:"secretType"` // what its value is
	Version   int    `json:"version"`                // from 1, raised by each change of the value
	System    bool   `json:"system"`                 // the platform's own
	CreatedAt Time   `json:"createdAt,omitzero"`
	CreatedBy string `json:"createdBy"`
	UpdatedAt Time   `json:"updatedAt,omitzero"`
	UpdatedBy string `json:"updatedBy"`
}

// SetSecretRequest creates a secret or changes its value.
type SetSecretRequest struct {
	Value string `json:"value"`                            // a Number or JSON is text too
	Type  string `json:"type,omitempty" enum:"secretType"` // absent: stays; of a new one it is String
}

// CreateSecretRequest creates a secret.
type CreateSecretRequest struct {
	Name string `json:"name"` // what functions and requests name it by; fixed
	SetSecretRequest
}

// KeyRotation is what a change of the master key did.
type KeyRotation struct {
	KeyID      int64       `json:"keyId"`      // of the new master key
	Resealed   int         `json:"resealed"`   // secrets that it seals now
	Unreadable []SecretRef `json:"unreadable"` // secrets that could not be read, and so not sealed anew
}

// SecretRef names a secret of any account.
type SecretRef struct {
	Account string `json:"account"` // id of its account
	Name    string `json:"name"`    // of the secret
}
