package inflate_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/graphveil/graphveil/extproc/inflate"
)

// FuzzInflate holds every body, in random chunks, against the standard library:
// complete is what it takes as one member with nothing after it, and then the
// text is the same. Of any other body only a beginning comes out of what it
// makes of the body before it fails.
func FuzzInflate(f *testing.F) {
	whole := zip(f, document()[:5000], gzip.Header{Name: "n", Comment: "c", Extra: []byte("e")})
	for _, seed := range [][]byte{nil, whole, whole[:len(whole)-1], append(whole[:len(whole):len(whole)], whole...),
		zip(f, "", gzip.Header{}), []byte("\x1f\x8b\x08\x02\x00\x00\x00\x00\x00\xff\x00\x00\x03\x00")} {
		f.Add(seed, uint64(1))
	}
	z := inflate.New()
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		var chunks [][]byte
		for rest := body; len(rest) > 0; {
			n := min(len(rest), random.IntN(40))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		got, err := inflated(t, z, chunks...)
		want, ok := standard(body)
		if (err == nil) != ok {
			t.Fatalf("error %v, the standard library takes it: %v", err, ok)
		}
		if ok && !bytes.Equal(got, want) || !ok && !bytes.HasPrefix(want, got) {
			t.Fatalf("%d bytes, %v; the standard library has %d", len(got), err, len(want))
		}
	})
}

// FuzzSplits: whatever is compressed comes out as it was, however it is split.
func FuzzSplits(f *testing.F) {
	f.Add([]byte(document()[:3000]), -1, uint64(1))
	f.Add(bytes.Repeat([]byte{' '}, 70_000), 0, uint64(2))
	z := inflate.New()
	f.Fuzz(func(t *testing.T, text []byte, level int, seed uint64) {
		var body bytes.Buffer
		w, err := gzip.NewWriterLevel(&body, level)
		if err != nil {
			return
		}
		w.Write(text)
		w.Close()
		random := rand.New(rand.NewPCG(seed, 0))
		var chunks [][]byte
		for body.Len() > 0 {
			chunks = append(chunks, bytes.Clone(body.Next(random.IntN(100))))
		}
		if got, err := inflated(t, z, chunks...); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(text), err)
		}
	})
}

// standard inflates one member with nothing after it.
func standard(body []byte) (text []byte, ok bool) {
	r := bytes.NewReader(body)
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, false
	}
	z.Multistream(false)
	text, err = io.ReadAll(z)
	return text, err == nil && r.Len() == 0
}
