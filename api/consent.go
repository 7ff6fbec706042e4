package api

import "convoke"

// Consent is what a user allowed a program, and still does.
type Consent struct {
	ID         string   `json:"id"`                         // what it is ended by
	ClientID   string   `json:"clientId"`                   // of the program
	ClientName string   `json:"clientName"`                 // what the program is called
	Scopes     []string `json:"scopes" enum:"grantedScope"` // user: all that the user may do, which only the command line can have
	From       string   `json:"from,omitempty"`             // network address of the browser in which the user agreed
	CreatedAt  Time     `json:"createdAt"`                  // when the user agreed
	LastUsedAt Time     `json:"lastUsedAt,omitzero"`        // when it last brought tokens
	ExpiresAt  Time     `json:"expiresAt"`                  // the user is asked again then
}

// NewConsent is the body of a grant to the client of that name.
func NewConsent(g *convoke.Grant, client string) Consent {
	c := Consent{
		ID: g.ID, ClientID: g.ClientID, ClientName: client, Scopes: []string{}, From: g.From,
		CreatedAt: Time{g.CreatedAt}, LastUsedAt: Time{g.LastUsedAt}, ExpiresAt: Time{g.ExpiresAt},
	}
	for _, s := range g.Scopes {
		c.Scopes = append(c.Scopes, string(s))
	}
	return c
}
