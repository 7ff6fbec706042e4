package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"convoke"
)

const (
	// replyTimeout is how long a function has to take in an answer of the
	// proxy's own, and to stop sending.
	replyTimeout = 10 * time.Second
	// replyDrain bounds what it may go on sending meanwhile.
	replyDrain = 16 << 20
)

// errEnded says that the connection was ended, with the reason in it.
var errEnded = errors.New("the connection was ended")

// conn is one connection of a function, from the moment it is asked for.
//
//	asked for ─► admitted ─► judged, resolved, dialled ─► open ─► ended ─► recorded
//	                 └────────────── refused, failed ─────────────────────────┘
type conn struct {
	p         *Proxy
	src       *Source
	requestID string
	host      string // in the form that hostname gives
	port      int
	at        time.Time
	cancel    context.CancelFunc // gives up the dial

	sent, received atomic.Int64
	exchange       exchange
	flowing        atomic.Int32  // directions that may still carry something
	silent         atomic.Bool   // the proxy answers; nobody else speaks to the worker
	back           chan struct{} // closed when the direction to the worker has ended

	mu         sync.Mutex
	entry      string        // what covers it in the account's list
	serverName string        // of the TLS greeting, when it is not host
	worker     *net.UnixConn // set while open
	remote     *net.TCPConn  // likewise; nil when only the proxy answers
	closed     bool
	outcome    convoke.CallOutcome
	detail     string
	status     int        // of the proxy's own answer
	asked      request101 // for another protocol, the latest

	// Of Proxy.sweep alone.
	seenBytes int64
	seenAt    time.Time

	// Guarded by ledger.mu.
	reported bool
	credited bool // a report stands for what the proxy answered
	endedAt  time.Time
}

// request101 is a request for another protocol, a WebSocket or a tunnel, and
// what had passed when it was made.
type request101 struct {
	method         string
	status         int // 0 until it is granted
	at             time.Time
	sent, received int64
}

// open hands out a socket for the worker, whose other end carries what goes
// over remote. It takes remote over. The two directions run until both have
// ended or end is called.
func (c *conn) open(remote *net.TCPConn) (*os.File, *Refusal) {
	file, refusal := c.attach(remote)
	if refusal != nil {
		remote.Close()
		return nil, refusal
	}
	c.p.ledger.opened(c)
	c.flowing.Store(2)
	c.p.running.Go(func() {
		var back sync.WaitGroup
		back.Go(c.backward)
		c.forward()
		back.Wait()
		c.p.finish(c)
	})
	return file, nil
}

// turnAway hands out a socket on which the proxy answers the first request
// itself.
func (c *conn) turnAway(refusal *Refusal) (*os.File, *Refusal) {
	file, err := c.attach(nil)
	if err != nil {
		return nil, err
	}
	c.p.ledger.opened(c)
	c.p.running.Go(func() {
		c.decline(refusal)
		c.p.finish(c)
	})
	return file, nil
}

// attach makes the pair of sockets and keeps one, unless c was ended meanwhile.
func (c *conn) attach(remote *net.TCPConn) (*os.File, *Refusal) {
	pair, err := socketPair()
	if err != nil {
		return nil, failed("EMFILE", "the server has no socket left")
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "worker"), os.NewFile(uintptr(pair[1]), "egress")
	defer ours.Close() // net.FileConn has a copy
	worker, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, failed("EMFILE", "the server has no socket left")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		theirs.Close()
		worker.Close()
		return nil, c.cutOff()
	}
	c.worker, c.remote = worker.(*net.UnixConn), remote
	return theirs, nil
}

// cutOff is the refusal of a connection that was ended before it was open.
// c.mu must be held.
func (c *conn) cutOff() *Refusal {
	if c.outcome == convoke.CallRefused {
		return refused(c.detail)
	}
	return unavailable("the server is stopping")
}

// end closes the connection. The first reason counts.
func (c *conn) end(outcome convoke.CallOutcome, detail string) {
	c.mu.Lock()
	c.decide(outcome, detail, 0)
	c.closed = true
	worker, remote := c.worker, c.remote
	c.mu.Unlock()
	c.cancel()
	if worker != nil {
		worker.Close()
	}
	if remote != nil {
		remote.Close()
	}
}

// decide sets how the connection went, once. c.mu must be held.
func (c *conn) decide(outcome convoke.CallOutcome, detail string, status int) {
	if c.outcome == "" {
		c.outcome, c.detail, c.status = outcome, detail, status
	}
}

// how is how the connection went, "" while that is open.
func (c *conn) how() (outcome convoke.CallOutcome, detail string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcome, c.detail, c.status
}

// forward is the direction from the worker.
func (c *conn) forward() {
	err := c.send()
	if err == nil {
		_ = c.remote.CloseWrite() // fails if the connection is gone, which the other direction sees
	} else {
		// Nobody takes it any more, but an answer may be on its way, such as
		// that the request was too large.
		_ = c.worker.CloseRead()
	}
	if c.flowing.Add(-1) == 0 || gone(c.worker) {
		c.end(convoke.CallOK, "")
	}
}

// send looks at how the worker begins and passes on what it may say. nil is
// the end of its stream.
func (c *conn) send() error {
	to := meter{c.remote, c.counter(&c.sent)}
	l := &lookahead{r: c.worker}
	begin, err := l.need(1)
	if err == nil && begin[0] == recordHandshake {
		begin, err = l.need(2)
	}
	switch {
	case errors.Is(err, io.EOF):
		return c.rest(to, l)
	case err != nil:
		return err
	case looksLikeTLS(begin):
		return c.greeting(to, l)
	}
	http, err := looksLikeHTTP(l)
	switch {
	case err != nil:
		return err
	case http:
		return c.requests(to, l)
	}
	return c.rest(to, l)
}

// greeting passes TLS on if the server that it asks for is allowed too: behind
// an allowed host there may be others (domain fronting).
func (c *conn) greeting(to meter, l *lookahead) error {
	name, err := readHello(l)
	switch {
	case errors.Is(err, errHello), errors.Is(err, errTooLong):
		c.end(convoke.CallRefused, "closed: its TLS greeting cannot be read")
		return errEnded
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	if name != "" && name != c.host {
		c.mu.Lock()
		c.serverName = name // before it is judged: a change meanwhile must find it
		c.mu.Unlock()
		if refusal := c.p.judge(c.p.ctx, c.src, name, c.port, nil); refusal != nil {
			c.reply(refusal, 0, []byte(alertUnrecognized))
			return errEnded
		}
	}
	return c.rest(to, l)
}

// rest passes on what was held back and all that follows.
func (c *conn) rest(to meter, l *lookahead) error {
	if len(l.buf) > 0 {
		if err := l.pass(to, len(l.buf)); err != nil {
			return err
		}
	}
	_, err := pump(to, c.worker, c.mayBulk, nil)
	return err
}

// backward is the direction to the worker.
func (c *conn) backward() {
	defer close(c.back)
	err := c.receive()
	c.exchange.lose() // whoever waits for an answer waits in vain
	switch {
	case c.silent.Load():
	case err != nil || c.flowing.Add(-1) == 0:
		c.end(convoke.CallOK, "")
	default:
		_ = c.worker.CloseWrite() // fails if the worker is gone, which the other direction sees
	}
}

// receive passes back what the other side says. nil is the end of its stream.
func (c *conn) receive() error {
	to := meter{c.worker, c.counter(&c.received)}
	begin, err := pump(to, c.remote, c.mayBulk, c.exchange.followed)
	if err != nil || begin == nil {
		return err
	}
	l := &lookahead{r: c.remote, buf: begin}
	if err := c.answers(to, l); err != nil {
		return err
	}
	if len(l.buf) > 0 {
		if err := l.pass(to, len(l.buf)); err != nil {
			return err
		}
	}
	_, err = pump(to, c.remote, c.mayBulk, nil)
	return err
}

// reply ends the connection with words of the proxy's own. status is that of
// an HTTP answer, 0 for other words.
func (c *conn) reply(refusal *Refusal, status int, words []byte) {
	c.mu.Lock()
	c.decide(refusal.Outcome, refusal.Message, status)
	c.mu.Unlock()
	_ = c.worker.SetDeadline(time.Now().Add(replyTimeout)) // fails only when it is closed, as writing does
	if c.remote != nil {
		c.silent.Store(true)
		c.remote.Close()
		<-c.back
	}
	if _, err := c.worker.Write(words); err == nil && c.worker.CloseWrite() == nil {
		// Closing with something unread would cut the words off.
		_, _ = io.CopyN(io.Discard, c.worker, replyDrain)
	}
	c.end(refusal.Outcome, refusal.Message)
}

// decline answers the first request with the refusal; what is no HTTP cannot
// be answered and is closed.
func (c *conn) decline(refusal *Refusal) {
	_ = c.worker.SetDeadline(time.Now().Add(replyTimeout)) // fails only when it is closed, as reading does
	l := &lookahead{r: c.worker}
	if http, err := looksLikeHTTP(l); err == nil && http {
		if head, err := readHead(l); err == nil {
			if r, err := parseRequest(head); err == nil {
				c.reply(refusal, refusal.Status, httpReply(refusal, r.method))
				return
			}
		}
	}
	c.end(refusal.Outcome, refusal.Message)
}

// counter counts into n what one direction carries and ends the connection at
// its limit.
func (c *conn) counter(n *atomic.Int64) func(int64) error {
	return func(more int64) error {
		n.Add(more)
		if limit := c.p.cfg.Limits.BytesPerConnection; limit > 0 && c.bytes() > limit {
			c.end(convoke.CallLimited, fmt.Sprintf("closed: a connection may carry %d MiB", limit>>20))
			return errEnded
		}
		return nil
	}
}

func (c *conn) bytes() int64 { return c.sent.Load() + c.received.Load() }

func (c *conn) mayBulk() bool {
	limit := c.p.cfg.Limits.BytesPerConnection
	return limit <= 0 || limit-c.bytes() > spliceMargin
}

// names are the hosts for which the connection is used; requests in plain HTTP
// are judged one by one besides.
func (c *conn) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.serverName != "" {
		return []string{c.host, c.serverName}
	}
	return []string{c.host}
}

// asks notes a request for another protocol.
func (c *conn) asks(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = request101{method: method, at: time.Now(), sent: c.sent.Load(), received: c.received.Load()}
}

// granted notes that the other protocol begins.
func (c *conn) granted(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked.status = status
}

// switched is the request by which the connection came to another protocol.
func (c *conn) switched() (request101, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked, c.asked.status != 0
}

// record is the connection as a call. If it came to another protocol, it is
// that: the requests before have their own records.
func (c *conn) record() convoke.Call {
	outcome, detail, status := c.how()
	call := convoke.Call{
		AccountID: c.src.AccountID, FunctionID: c.src.FunctionID, Version: c.src.Version, RequestID: c.requestID,
		At: c.at, Host: c.host, Port: c.port, Status: status,
		Sent: c.sent.Load(), Received: c.received.Load(),
		Outcome: outcome, Detail: clip(detail),
	}
	if r, ok := c.switched(); ok {
		call.Method, call.Status = r.method, r.status
		if c.reported {
			call.At, call.Sent, call.Received = r.at, call.Sent-r.sent, call.Received-r.received
		}
	}
	call.Took = c.endedAt.Sub(call.At)
	return call
}
