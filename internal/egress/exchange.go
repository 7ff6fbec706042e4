package egress

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"convoke"
)

// maxPipelined bounds the requests that wait for their answer on one
// connection.
const maxPipelined = 64

// exchange pairs the requests on a connection with their answers, so that the
// proxy speaks only when no answer is under way and lets another protocol
// through only when the server has agreed to it. If the answers cannot be
// followed they pass all the same, and the proxy closes where it would speak.
type exchange struct {
	mu       sync.Mutex
	changed  *sync.Cond
	http     bool
	asked    []string // the methods of requests not fully answered, oldest first
	lost     bool     // the answers cannot be followed any more, or none will come
	switched bool     // to another protocol
}

func (x *exchange) init() { x.changed = sync.NewCond(&x.mu) }

func (x *exchange) follow() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.http = true
}

func (x *exchange) followed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.http
}

// ask enters a request before it is passed on; false is one too many.
func (x *exchange) ask(method string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.asked) == maxPipelined {
		return false
	}
	if !x.lost {
		x.asked = append(x.asked, method)
	}
	return true
}

// oldest returns the method of the request to which the next answer belongs.
func (x *exchange) oldest() (method string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.asked) == 0 {
		return "", false
	}
	return x.asked[0], true
}

func (x *exchange) answered() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = x.asked[1:]
	x.changed.Broadcast()
}

func (x *exchange) lose() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lost, x.asked = true, nil
	x.changed.Broadcast()
}

func (x *exchange) change() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.switched = true
	x.changed.Broadcast()
}

// settle waits until every request has its answer. It is not quiet when that
// will never be known.
func (x *exchange) settle() (quiet, switched bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.asked) > 0 && !x.lost && !x.switched {
		x.changed.Wait()
	}
	return !x.lost && !x.switched, x.switched
}

// requests passes HTTP requests on, each judged by its head. It returns nil at
// the end of the stream.
func (c *conn) requests(to meter, l *lookahead) error {
	c.exchange.follow()
	for first := true; ; first = false {
		head, err := readHead(l)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var r request
		if err == nil {
			r, err = parseRequest(head)
		}
		if err != nil {
			return c.malformed(err)
		}
		if refusal := c.judge(r, first); refusal != nil {
			if quiet, _ := c.exchange.settle(); quiet {
				c.reply(refusal, refusal.Status, httpReply(refusal, r.method))
			} else {
				c.end(refusal.Outcome, refusal.Message)
			}
			return errEnded
		}
		if !c.exchange.ask(r.method) {
			c.end(convoke.CallLimited, fmt.Sprintf("more than %d requests at a time on one connection", maxPipelined))
			return errEnded
		}
		if r.upgrade {
			c.asks(r.method)
		}
		if err := l.pass(to, len(head)); err != nil {
			return err
		}
		if err := passContent(to, l, r.body); err != nil {
			return c.malformed(err)
		}
		if r.upgrade {
			if quiet, switched := c.exchange.settle(); switched {
				return c.rest(to, l)
			} else if !quiet {
				return c.malformed(malformed("the answer to a request for another protocol cannot be read"))
			}
		}
	}
}

// malformed ends the connection if err is about HTTP and not about the socket.
func (c *conn) malformed(err error) error {
	if m, ok := errors.AsType[malformed](err); ok {
		c.end(convoke.CallRefused, "closed, because it is not plain HTTP/1.1: "+string(m))
	}
	return err
}

// judge asks for each host that a request names whether the function may call
// it, since a server may serve allowed hosts and others, and for the rate. The
// connection itself has paid for its first request.
func (c *conn) judge(r request, first bool) *Refusal {
	for _, named := range []string{r.host, r.target} {
		host, port := named, c.port
		if i := strings.LastIndexByte(named, ':'); i >= 0 && isDigits(named[i+1:]) {
			host = named[:i]
			if r.method == http.MethodConnect {
				port, _ = strconv.Atoi(named[i+1:]) // one out of range matches nothing
			}
		}
		// Nothing was named. A port alone is another thing: some proxies take it
		// for one of their own machine.
		if named == "" || port == c.port && strings.EqualFold(host, c.host) {
			continue
		}
		if refusal := c.p.judge(c.p.ctx, c.src, host, port, nil); refusal != nil {
			return refusal
		}
	}
	if first {
		return nil
	}
	if !c.p.rates.take(c.src.key()) {
		return c.p.rates.refusal(place(c.host, c.port))
	}
	c.p.ledger.tookToken(c)
	return nil
}

// httpReply is the refusal as an HTTP answer.
func httpReply(r *Refusal, method string) []byte {
	body, _ := json.Marshal(r) // strings and a number
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n",
		r.Status, http.StatusText(r.Status), len(body))
	if r.Status == http.StatusTooManyRequests {
		b = append(b, "Retry-After: 1\r\n"...)
	}
	b = append(b, "\r\n"...)
	if method == http.MethodHead {
		return b
	}
	return append(b, body...)
}

// answers passes HTTP answers back as long as they can be followed. After nil
// the rest is to be passed as it is.
func (c *conn) answers(to meter, l *lookahead) error {
	for {
		followed, err := c.answer(to, l)
		_, odd := errors.AsType[malformed](err)
		switch {
		case odd, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			c.exchange.lose()
			return nil
		case err != nil || !followed:
			return err
		}
	}
}

// answer passes one answer back, or an interim one, and reports whether
// another may follow that can be told apart.
func (c *conn) answer(to meter, l *lookahead) (followed bool, err error) {
	head, err := readHead(l)
	if err != nil {
		return false, err
	}
	method, ok := c.exchange.oldest()
	if !ok {
		return false, malformed("nothing was asked")
	}
	a, err := parseAnswer(head, method)
	if err != nil {
		return false, err
	}
	if a.switched {
		status, _ := strconv.Atoi(string(head[9:12])) // parseAnswer has read it
		c.granted(status)
	}
	if err := l.pass(to, len(head)); err != nil {
		return false, err
	}
	switch {
	case a.switched:
		c.exchange.change()
		return false, nil
	case a.interim:
		return true, nil
	case a.body.toEnd:
		c.exchange.lose()
		return false, nil
	}
	if err := passContent(to, l, a.body); err != nil {
		return false, err
	}
	c.exchange.answered()
	return true, nil
}
