package policy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// archive packs files of zeros of those sizes; of one that is negative there is only
// the header, which says to have as much.
func archive(t *testing.T, sizes ...int64) []byte {
	t.Helper()
	var file bytes.Buffer
	zipped := gzip.NewWriter(&file)
	w := tar.NewWriter(zipped)
	for _, size := range sizes {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "data.json", Size: max(size, -size)}); err != nil {
			t.Fatal(err)
		}
		if size > 0 {
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = w.Flush()
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// holes packs a sparse file in the old form of GNU: all of its bytes are holes.
func holes(t *testing.T, size byte) []byte {
	t.Helper()
	block := make([]byte, 512)
	copy(block, "data.json")
	copy(block[124:], "00000000000\x00") // what is there
	block[156] = tar.TypeGNUSparse
	copy(block[257:], "ustar  \x00")
	copy(block[483:], "0000000000"+string('0'+size)+"\x00") // what it says to have
	block[483+8-1] = '7'                                    // 7 * 8^3 and more
	copy(block[148:], "        ")
	sum := 0
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	var file bytes.Buffer
	zipped := gzip.NewWriter(&file)
	_, err := zipped.Write(block)
	if err == nil {
		err = zipped.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestReadArchive(t *testing.T) {
	const limit = 3000
	for name, file := range map[string][]byte{
		"one":             archive(t, limit+1),
		"together":        archive(t, 1000, 1000, 1001),
		"says so":         archive(t, -1<<60),
		"says so in all":  archive(t, 1000, -2001),
		"headers alone":   archive(t, make([]int64, 7)...),
		"packed":          bytes.Repeat([]byte("x"), limit+1),
		"holes":           holes(t, 1),
		"after the first": append(archive(t, 1), archive(t, 1<<20)...),
	} {
		if _, err := policy.ReadArchive(bytes.NewReader(file), limit); err == nil || !strings.Contains(err.Error(), "more than 3000 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := archive(t, 1000, 500)
	for name, file := range map[string][]byte{"good": good, "half": good[:len(good)/2], "nothing": nil, "no archive": []byte("no archive")} {
		if got, err := policy.ReadArchive(bytes.NewReader(file), limit); err != nil || !bytes.Equal(got, file) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestBundleBomb: a bundle file that says to be huge is an error, and takes nothing
// down that reads it: OPA makes room for it before it looks at the signature.
func TestBundleBomb(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.tar.gz")
	if err := os.WriteFile(file, archive(t, -1<<60), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := policy.Load(context.Background(), policy.Config{Paths: []string{policy.Builtin, file}})
	if err == nil || !strings.Contains(err.Error(), "more than 67108864 bytes unpacked") {
		t.Errorf("got %v", err)
	}
}
