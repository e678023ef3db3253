package main

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// countingListener knows how many of the connections that it accepted are open:
// as long as Envoy keeps one it may send the processor another exchange.
type countingListener struct {
	net.Listener
	open atomic.Int64
}

// Accept implements net.Listener.
func (l *countingListener) Accept() (net.Conn, error) {
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

// waitIdle returns when no connection is open, when another process has taken the
// place of the socket, or when the time is up. It says whether it was replaced.
func (l *countingListener) waitIdle(limit time.Duration) (replaced bool) {
	for end := time.Now().Add(limit); l.open.Load() > 0 && time.Now().Before(end); {
		if s, ok := l.Listener.(*socket); ok && s.replaced() {
			time.Sleep(handover)
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
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
