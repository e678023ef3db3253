package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Listener knows how many of the connections that it accepted are open: as long as
// Envoy keeps one it may send the processor another exchange.
type Listener struct {
	net.Listener
	open atomic.Int64
}

// Listen opens a Unix socket for a path, TCP for an address of loopback. No other
// address is taken: whoever can connect is told access tokens and what p~ tokens
// stand for. A socket that another process serves is refused, unless it is to be
// replaced; one that nobody listens on is always replaced; what is no socket never is.
// Its folder must exist. The socket is accessible to owner and group only, from the
// first moment on.
func Listen(address string, replace bool) (*Listener, error) {
	l, err := listen(address, replace)
	if err != nil {
		return nil, err
	}
	return &Listener{Listener: l}, nil
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.open.Add(1)
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

// handover is how long connections that were made to a replaced socket may take
// until they are accepted.
const handover = 100 * time.Millisecond

// WaitIdle returns when no connection is open, when another process has taken the
// place of the socket, or when the time is up. It says whether it was replaced.
func (l *Listener) WaitIdle(limit time.Duration) (replaced bool) {
	for end := time.Now().Add(limit); l.open.Load() > 0 && time.Now().Before(end); {
		if s, ok := l.Listener.(*socket); ok && s.replaced() {
			time.Sleep(handover)
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// patience is how often KeepPlace looks for a socket that is gone.
const patience = 3

// KeepPlace takes a socket back from a process that took it and was killed, until ctx
// ends. It returns an error when the socket has no name any more, and nobody else serves
// it: somebody removed it, so Envoy could not come again. For an address there is nothing
// to do.
func (l *Listener) KeepPlace(ctx context.Context, log *slog.Logger) error {
	s, ok := l.Listener.(*socket)
	if !ok {
		return nil
	}
	for gone := 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		regained, err := s.regain()
		if !errors.Is(err, fs.ErrNotExist) {
			gone = 0
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if gone++; gone < patience { // another one may be about to take it back
				continue
			}
			return fmt.Errorf("%s was removed, and nobody can connect any more\nhint: start the processor again, in a folder that nobody cleans", s.path)
		case err != nil:
			log.Warn("taking processor.listen back failed", "error", err)
		case regained:
			log.Warn("the processor that took the place of this one is gone: this one serves processor.listen again")
		}
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
