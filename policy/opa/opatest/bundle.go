// Package opatest is a control plane for OPA's plugins, for tests: it makes and signs
// bundles with OPA's own code, serves them, and keeps the status reports and the
// decisions that come in. Everything but its health asks for a bearer token.
package opatest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/rogpeppe/go-internal/txtar"
)

// KeyID is how bundles name the key that they are signed with.
const KeyID = "release"

// Key signs bundles, by ES256.
type Key struct{ private, Public string }

// Private is the key that signs, which has no place in a configuration.
func (k *Key) Private() string { return k.private }

// NewKey makes a key.
func NewKey(t testing.TB) *Key {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return &Key{block("PRIVATE KEY", private), block("PUBLIC KEY", public)}
}

// Bundle makes a bundle file of a txtar archive with Rego files and data.json. It is
// signed if there is a key.
func Bundle(t testing.TB, revision, archive string, key *Key, roots ...string) []byte {
	t.Helper()
	b := bundle.Bundle{Data: map[string]any{}, Manifest: bundle.Manifest{Revision: revision}}
	if len(roots) > 0 {
		b.Manifest.Roots = &roots
	}
	b.Manifest.Init()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		if f.Name == "data.json" {
			if err := util.Unmarshal(f.Data, &b.Data); err != nil {
				t.Fatal(err)
			}
			continue
		}
		module := bundle.ModuleFile{URL: f.Name, Path: "/" + f.Name, Raw: f.Data}
		module.Parsed, _ = ast.ParseModule(f.Name, string(f.Data)) // a bad one is for who loads it
		b.Modules = append(b.Modules, module)
	}
	if key != nil {
		if err := b.GenerateSignature(bundle.NewSigningConfig(key.private, "ES256", ""), KeyID, true); err != nil {
			t.Fatal(err)
		}
	}
	return pack(t, b)
}

// Delta makes a delta bundle, which cannot be signed: it sets data at a path.
func Delta(t testing.TB, revision, path string, value any) []byte {
	t.Helper()
	b := bundle.Bundle{
		Manifest: bundle.Manifest{Revision: revision},
		Patch:    bundle.Patch{Data: []bundle.PatchOperation{{Op: "upsert", Path: path, Value: value}}},
	}
	b.Manifest.Init()
	return pack(t, b)
}

func pack(t testing.TB, b bundle.Bundle) []byte {
	t.Helper()
	var packed bytes.Buffer
	if err := bundle.NewWriter(&packed).UseModulePath(true).DisableFormat(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// indent puts a text into YAML, as a block.
func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
}
