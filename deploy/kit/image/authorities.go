package main

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// authorities is the file of certificate authorities that both programs read at its
// usual place, so that who trusts others mounts another file over it. It has
// Mozilla's authorities as the Go project publishes them, pinned by go.sum: a
// binary with them inside could not be told to trust less, and Envoy wants a file
// anyway. Authorities that Mozilla trusts under conditions which a file cannot
// express are left out.
func authorities() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes everything
	}
	return all.Bytes()
}
