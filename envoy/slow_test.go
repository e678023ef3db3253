package envoy_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/graphveil/graphveil/envoy"
)

// TestSlowCallers: who takes longer than timeouts.request for a handshake or for the
// headers is cut off, and nothing of it reaches Graph. Requests with a body are the
// processor's to refuse, by their headers.
func TestSlowCallers(t *testing.T) {
	t.Parallel()
	const limit, patience = 300 * time.Millisecond, 10 * time.Second
	r := newRig(t, &stub{}, hello, func(c *envoy.Config) { c.Timeouts.Request = limit })
	for name, sent := range map[string]string{
		"no handshake":  "",
		"half a header": "GET /a HTTP/1.1\r\nhost: graph.example\r\nx-",
	} {
		conn, err := net.Dial("tcp", r.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		began := time.Now()
		if sent != "" {
			conn = tls.Client(conn, &tls.Config{RootCAs: r.authority.Pool(), ServerName: "localhost"})
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
		}
		answer, _ := io.ReadAll(conn) // ends with the connection, in whatever way
		if took := time.Since(began); took < limit/2 || took > patience/2 {
			t.Errorf("%s: cut off after %s, want some %s: %s", name, took, limit, answer)
		}
	}
	if got := send(t, r.Client(t, true), "GET", r.URL+"/a"); got.status != 200 || len(r.upstream.seen()) != 1 {
		t.Errorf("got %d, %d requests reached Graph", got.status, len(r.upstream.seen()))
	}
}
