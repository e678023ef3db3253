package opa_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// entry is one of an archive.
type entry struct {
	tar.Header
	text []byte
}

func unpack(t *testing.T, file []byte) (entries []entry) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{*h, text})
	}
}

func repack(t *testing.T, entries []entry) []byte {
	t.Helper()
	var file bytes.Buffer
	zipped := gzip.NewWriter(&file)
	w := tar.NewWriter(zipped)
	for _, e := range entries {
		e.Size = int64(len(e.text))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func regular(name, text string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600}, []byte(text)}
}

// signed replaces the token of an archive's signature.
func signed(t *testing.T, entries []entry, change func(token string) any) []byte {
	t.Helper()
	for i, e := range entries {
		if !strings.HasSuffix(e.Name, ".signatures.json") {
			continue
		}
		var s struct{ Signatures []string }
		if err := json.Unmarshal(e.text, &s); err != nil || len(s.Signatures) != 1 {
			t.Fatal(err, s)
		}
		text, err := json.Marshal(change(s.Signatures[0]))
		if err != nil {
			t.Fatal(err)
		}
		entries[i].text = text
	}
	return repack(t, entries)
}

func tokens(all ...string) any { return map[string]any{"signatures": all} }

// TestTampered: a bundle that differs from what was signed by as little as one file is
// refused, and so is a signature that says itself how it is to be checked.
func TestTampered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "policy.tar.gz")
	put := func(content []byte) {
		t.Helper()
		next := filepath.Join(folder, "next")
		if err := errors.Join(os.WriteFile(next, content, 0o600), os.Rename(next, file)); err != nil {
			t.Fatal(err)
		}
	}
	good := opatest.Bundle(t, "v1", things("one"), r.key)
	put(good)
	r.start("bundles: {main: {resource: 'file://" + file + "', size_limit_bytes: 65536, signing: {keyid: release, scope: ''}}}\n" + statusSection)
	r.loaded()

	evil := strings.TrimPrefix(things("evil"), "-- things.rego --\n")
	find := func(entries []entry, name string) *entry {
		for i := range entries {
			if strings.HasSuffix(entries[i].Name, name) {
				return &entries[i]
			}
		}
		t.Fatalf("no %s in %v", name, entries)
		return nil
	}
	of := func() []entry { return unpack(t, good) }
	reheaded := func(header string) []byte {
		return signed(t, of(), func(token string) any {
			parts := strings.Split(token, ".")
			parts[0] = base64.RawURLEncoding.EncodeToString([]byte(header))
			if strings.Contains(header, "none") {
				parts[2] = ""
			}
			return tokens(strings.Join(parts, "."))
		})
	}
	scoped := opatest.Bundle(t, "v2", things("evil"), r.key)
	for _, bad := range []struct {
		what, says string
		file       []byte
	}{
		{"a file more", "not included in bundle signature", repack(t, append(of(), regular("/evil.rego", evil)))},
		{"a manifest more", "not included in bundle signature", repack(t, append(of(), regular("/other/.manifest", `{"revision": "v9"}`)))},
		{"data more", "not included in bundle signature", repack(t, append(of(), regular("/evil/data.json", `{"open": true}`)))},
		{"a file above", "not included in bundle signature", repack(t, append(of(), regular("/../../things.rego", evil)))},
		{"a file twice", "not included in bundle signature", repack(t, append(of(), regular("/things.rego", evil)))},
		{"a signature more", "multiple signatures files", repack(t, append(of(), *find(of(), ".signatures.json")))},
		{"a file less", "not found in the target bundle", repack(t, slices.DeleteFunc(of(), func(e entry) bool { return strings.HasSuffix(e.Name, "things.rego") }))},
		{"another file", "digest mismatch", repack(t, func() []entry {
			entries := of()
			find(entries, "things.rego").text = []byte(evil)
			return entries
		}())},
		{"the signature of another", "digest mismatch", repack(t, func() []entry {
			entries := unpack(t, scoped)
			*find(entries, ".signatures.json") = *find(of(), ".signatures.json")
			return entries
		}())},
		{"no token", "bundle missing .signatures.json", signed(t, of(), func(string) any { return tokens() })},
		{"two tokens", "multiple JWTs", signed(t, of(), func(token string) any { return tokens(token, token) })},
		{"a plugin", "no verifier exists", signed(t, of(), func(token string) any { return map[string]any{"signatures": []string{token}, "plugin": "none"} })},
		{"no algorithm", "failed to verify JWT signature", reheaded(`{"alg":"none"}`)},
		{"another algorithm", "failed to verify JWT signature", reheaded(`{"alg":"HS256","kid":"release"}`)},
		{"another key's id", "failed to verify JWT signature", reheaded(`{"alg":"ES256","kid":"other"}`)},
		{"half", "unexpected EOF", good[:len(good)/2]},
		{"a bomb", "exceeded max size", repack(t, append([]entry{regular("/data.json", `{"x": "`+strings.Repeat("x", 1<<20)+`"}`)}, of()...))},
		{"a manifest without end", "exceeded max size", repack(t, append([]entry{regular("/.manifest", `{"revision": "`+strings.Repeat("x", 1<<20)+`"}`)}, of()...))},
		{"data of the library", "is not for data files", opatest.Bundle(t, "bad", things("evil")+"-- data.json --\n{\"graphveil\": {\"errors\": {\"shape\": {}}}}\n", r.key)},
		{"data of an endpoint", "is not for data files", opatest.Bundle(t, "bad", things("evil")+"-- data.json --\n{\"graphveil\": {\"connectors\": {\"x\": {}}}}\n", r.key)},
		{"roots that are not kept", "do not permit", opatest.Bundle(t, "bad", things("evil")+"-- data.json --\n{\"elsewhere\": true}\n", r.key, "graphveil/connectors")},
	} {
		before, logged := r.rejected(), len(r.log.String())
		put(bad.file)
		r.wait(bad.what+" to be refused", func() bool { return r.rejected() > before })
		if said := r.log.String()[logged:]; !strings.Contains(said, bad.says) {
			t.Errorf("%s: not refused for %q: %.600s", bad.what, bad.says, said)
		}
		if s := r.engine.Current(); !r.serves("/one") || r.serves("/evil") || s.Bundles()["main"] != "v1" {
			t.Errorf("%s changed the policy in force", bad.what)
		}
	}

	// What is no file is not read, and links lead nowhere.
	outside := filepath.Join(folder, "outside.rego")
	if err := os.WriteFile(outside, []byte(evil), 0o600); err != nil {
		t.Fatal(err)
	}
	put(repack(t, append(unpack(t, opatest.Bundle(t, "v3", things("three"), r.key)),
		entry{tar.Header{Typeflag: tar.TypeSymlink, Name: "/evil.rego", Linkname: outside}, nil},
		entry{tar.Header{Typeflag: tar.TypeLink, Name: "/data.json", Linkname: outside}, nil})))
	r.wait("the bundle with links", func() bool { return r.serves("/three") })
	if r.serves("/evil") {
		t.Error("a link in a bundle was followed")
	}
	// An old bundle is as good as a new one: its signature has no date.
	put(good)
	r.wait("the old bundle", func() bool { return r.serves("/one") })
	if got := r.gathered("graphveil_policy_bundle_info"); len(got) != 1 || got[0] != "main v1 1" {
		t.Errorf("the metric does not show it: %q", got)
	}
}
