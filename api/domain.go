package api

import "convoke"

// Domain is an entry of the account's allow-list: a place that its functions
// may call.
type Domain struct {
	ID        string `json:"id"`             // what it is removed by
	Domain    string `json:"domain"`         // the entry as text, such as "*.example.com:8443"
	Name      string `json:"name"`           // without the port
	Port      int    `json:"port,omitempty"` // absent: 80 and 443
	CreatedAt Time   `json:"createdAt,omitzero"`
	CreatedBy string `json:"createdBy"`
}

// NewDomain converts d.
func NewDomain(d *convoke.Domain) Domain {
	return Domain{ID: d.ID, Domain: d.String(), Name: d.Name, Port: d.Port, CreatedAt: Time{d.CreatedAt}, CreatedBy: d.CreatedBy}
}

// AddDomainRequest allows a domain: a host name such as "api.example.com", or
// "*.example.com" for all names below one, and a port if it is neither 80 nor
// 443, "api.example.com:8443".
type AddDomainRequest struct {
	Domain string `json:"domain"` // such as api.example.com, *.example.com or api.example.com:8443
}
