package api

// Tagged has the ETag with which a single thing was answered: what a change of
// it can depend on. It is a header and not part of the body; elements of lists
// and answers to changes have none.
type Tagged struct {
	ETag string `json:"-"`
}

// SetETag is for the client that reads the answer.
func (t *Tagged) SetETag(etag string) { t.ETag = etag }
