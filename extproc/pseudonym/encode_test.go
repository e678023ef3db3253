package pseudonym

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Digits by pairs are those of encoding/base64, at every length, with and without room, and nothing else is written.
func TestAppendEncoded(t *testing.T) {
	pairs := newDigitPairs()
	random := rand.New(rand.NewPCG(1, 2))
	for length := range 300 {
		src := make([]byte, length)
		for i := range src {
			src[i] = byte(random.Uint32())
		}
		want := encoding.AppendEncode([]byte("head"), src)
		for _, room := range []int{0, len(want) - 4, 1000} {
			dst := append(make([]byte, 0, 4+room), "head"...)
			got := pairs.appendEncoded(dst, src)
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes with room for %d: got %s, want %s", length, room, got, want)
			}
			if rest := got[len(got):cap(got)]; room == 1000 && !bytes.Equal(rest, make([]byte, len(rest))) {
				t.Fatalf("%d bytes: wrote behind the digits", length)
			}
		}
	}
	for i := range 1 << 12 { // every pair of digits
		src := []byte{byte(i >> 4), byte(i<<4) | byte(i>>8), byte(i), 0, 0, 0, 0, 0}
		if got, want := pairs.appendEncoded(nil, src), encoding.AppendEncode(nil, src); !bytes.Equal(got, want) {
			t.Fatalf("%x: got %s, want %s", src, got, want)
		}
	}
}
