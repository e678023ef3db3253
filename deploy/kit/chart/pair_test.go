package chart

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/graphveil/graphveil/bench/tenant"
)

// authority issues the certificates of these tests.
var authority = sync.OnceValues(tenant.NewCA)

// writePair makes the files of a kubernetes.io/tls Secret for localhost, and Graph, in dir.
func writePair(t testing.TB, dir string) {
	t.Helper()
	ca, err := authority()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue("localhost", "graph.microsoft.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cert, key, err := tenant.WritePair(dir, "tls", pair)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{cert: "tls.crt", key: "tls.key"} {
		if err := os.Rename(from, filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
}

// tlsFor trusts the authority for localhost.
func tlsFor(ca *tenant.CA) *tls.Config {
	return &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}
}
