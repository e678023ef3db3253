package check_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/check"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// dumpOf runs the real Envoy and asks for its configuration.
func dumpOf(t *testing.T, change func(*bootstrapv3.Bootstrap)) []byte {
	t.Helper()
	a := envoytest.NewAuthority(t)
	socket := envoytest.Socket(t)
	e := envoytest.StartChanged(t, a, envoy.Config{Processor: envoytest.Socket(t), Admin: socket}, func(b *bootstrapv3.Bootstrap) {
		b.Admin.AllowPaths = nil // as in a mesh
		change(b)
	})
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", e.Admin())
	}}}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://envoy/config_dump")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response.Status, err)
	}
	return body
}

// A real Envoy says the same of itself as the bootstrap that it was started with.
func TestDumpOfARealEnvoy(t *testing.T) {
	t.Parallel()
	c, err := check.Read(dumpOf(t, func(*bootstrapv3.Bootstrap) {}))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Check(options()) {
		t.Error(f)
	}
	c, err = check.Read(dumpOf(t, func(b *bootstrapv3.Bootstrap) {
		p := &parts{t: t, bootstrap: b}
		p.take()
		p.extProc.FailureModeAllow = true
		p.remove("envoy.filters.http.rbac")
		p.json() // puts it back
	}))
	if err != nil {
		t.Fatal(err)
	}
	if found := codes(c.Check(options())); !slices.Equal(found, []string{"failure_mode_allow", "guard_missing"}) {
		t.Errorf("found %v", found)
	}
}
