package httpx

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"convoke"
)

// timedBody is a request's body that must arrive in time. The deadline is the
// connection's: it also ends what net/http reads of a body that the handler
// left, before it answers.
type timedBody struct {
	io.ReadCloser
	w http.ResponseWriter
}

// limitBody gives the body of r until the deadline, if it has one. Once the
// body is read the deadline is gone: an invocation or a stream may take long,
// and net/http watches the connection for a client that leaves.
//
// It returns a copy of r: by the type of its own request's body net/http
// decides how to end a connection whose body was not read.
func (e *Edge) limitBody(x *exchange, r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	x.body = timedBody{r.Body, x.ResponseWriter}
	// Without a connection, as in some tests, there is no deadline to set.
	if x.body.deadline(x.start.Add(e.bodyTimeout)) != nil {
		return r
	}
	r = r.WithContext(r.Context())
	r.Body = &x.body
	return r
}

func (b *timedBody) deadline(t time.Time) error {
	return http.NewResponseController(b.w).SetReadDeadline(t)
}

// Read returns CodeRequestTimeout when the client is too slow.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == io.EOF:
		_ = b.deadline(time.Time{}) // it could be set, so it can be taken back
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &convoke.Error{Code: convoke.CodeRequestTimeout, Cause: err,
			Message: "the body of the request did not arrive in time; send it again, faster"}
	}
	return n, err
}
