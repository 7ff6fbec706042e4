package api

// BaseURIs is the answer of domain discovery. It has exactly these members: a
// client of the reference refuses others.
type BaseURIs struct {
	BaseURIs []BaseURI `json:"baseURIs"` // empty for an account that does not exist
}

// BaseURI says where one service of an account is.
type BaseURI struct {
	Service string `json:"service"` // such as faasGW
	Account string `json:"account"` // id of the account
	BaseURI string `json:"baseURI"` // a bare host name
}
