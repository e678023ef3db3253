package wan

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// echo answers each connection with size bytes, once it was sent one.
func echo(t *testing.T, size int) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 1)); err == nil {
					_, _ = c.Write(bytes.Repeat([]byte("x"), size)) // who left does not read
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// TestLine: an answer takes the way there and back and, on a narrow line, the time of its bytes, which all connections share.
func TestLine(t *testing.T) {
	const size = 100_000
	l, err := newLine(echo(t, size))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	ask := func(connections int) time.Duration {
		began := time.Now()
		done := make(chan error)
		for range connections {
			go func() {
				c, err := net.Dial("tcp", l.listener.Addr().String())
				if err != nil {
					done <- err
					return
				}
				defer c.Close()
				if _, err = c.Write([]byte("?")); err == nil {
					var n int64
					if n, err = io.Copy(io.Discard, c); n != size {
						t.Errorf("%d bytes", n)
					}
				}
				done <- err
			}()
		}
		for range connections {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		return time.Since(began)
	}
	for _, test := range []struct {
		delay       time.Duration
		rate        float64
		connections int
		least       time.Duration
	}{
		{0, 0, 2, 0},
		{50 * time.Millisecond, 0, 2, 100 * time.Millisecond},
		{0, size * 5, 1, 200 * time.Millisecond},
		{50 * time.Millisecond, size * 5, 2, 500 * time.Millisecond},
	} {
		l.set(test.delay, test.rate)
		if took := ask(test.connections); took < test.least || took > test.least+2*time.Second {
			t.Errorf("%+v took %v", test, took)
		}
	}
}
