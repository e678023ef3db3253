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

// waitIdle returns when no connection is open, or when the time is up.
func (l *countingListener) waitIdle(limit time.Duration) {
	for end := time.Now().Add(limit); l.open.Load() > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
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
