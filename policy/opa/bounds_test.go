package opa_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

// claims is an archive, of some hundred bytes, whose only file says to have that many.
func claims(t *testing.T, size int64) []byte {
	t.Helper()
	var file bytes.Buffer
	zipped := gzip.NewWriter(&file)
	w := tar.NewWriter(zipped)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "/data.json", Size: size}); err != nil {
		t.Fatal(err)
	}
	_ = w.Flush()
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestBombs: whoever has the server, and no key, can neither take the process down nor
// have its memory, by a bundle or by that of discovery.
func TestBombs(t *testing.T) {
	t.Parallel()
	many := repack(t, []entry{regular("/a/data.json", strings.Repeat(" ", 40<<20)), regular("/b/data.json", strings.Repeat(" ", 40<<20))})
	for name, file := range map[string][]byte{"a file without end": claims(t, 1<<60), "one that fits into no memory": claims(t, 1<<46), "many files": many} {
		discovery := newRig(t)
		discovery.Set("config", file)
		discovery.start("discovery: {service: control, resource: /bundles/config, signing: {keyid: release}, polling: {min_delay_seconds: 1, max_delay_seconds: 1}}\n")
		refused := func(r *rig) {
			t.Helper()
			r.wait(name+" to be refused", func() bool {
				err := r.plugins.Ready()
				return err != nil && strings.Contains(err.Error(), "more than 67108864 bytes unpacked")
			})
		}
		refused(discovery)
		discovery.set("main", "m1", things("one"))
		discovery.set("config", "c1", "-- data.json --\n"+`{"bundles": {"main": {"service": "control", "signing": {"keyid": "release"}}}}`+"\n")
		discovery.loaded()
	}
	// A bundle is bounded as a whole, and who needs more says so.
	r := newRig(t)
	r.Set("main", many)
	r.Set("other", claims(t, 1<<60))
	r.start("bundles:\n  main: {service: control, size_limit_bytes: 90000000, signing: {keyid: release}}\n  other: {service: control, signing: {keyid: release}}\n")
	r.wait("both to be refused", func() bool {
		err := r.plugins.Ready()
		return err != nil && strings.Contains(err.Error(), "bundle missing .signatures.json") && strings.Contains(err.Error(), "more than 90000000 bytes unpacked")
	})
}
