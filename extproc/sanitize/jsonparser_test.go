package sanitize

import (
	"bytes"
	"testing"

	"github.com/graphveil/graphveil/bench/peers"
)

// The plain jsonparser implementation is not strict; on strict bodies it must give
// the same output.
func TestAgainstPlainJSONParser(t *testing.T) {
	for name, page := range pages() {
		tokens := &fakeTokens{}
		want, err := peers.Rewrite(nil, page.body, page.plan, tokens)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d := deliver(t, New(Limits{}), page.plan, page.body, every(len(page.body), 1000)...)
		if d.err != nil {
			t.Fatalf("%s: %v", name, d.err)
		}
		// Both spell names as the body does, for these have no escapes.
		if !bytes.Equal(want, []byte(d.out)) {
			at := 0
			for at < min(len(want), len(d.out)) && want[at] == d.out[at] {
				at++
			}
			t.Errorf("%s: output differs at byte %d of %d and %d", name, at, len(d.out), len(want))
		}
	}
}
