package extproc

import (
	"fmt"
	"testing"
)

// BenchmarkRepeats is what a token costs that is made without a table, that is found in it, and that is not.
func BenchmarkRepeats(b *testing.B) {
	ids := make([][]byte, 4*repeatSlots)
	mails := make([][]byte, len(ids))
	for i := range ids {
		ids[i] = fmt.Appendf(nil, "48d31887-5fad-4d73-a9f5-%012d", i)
		mails[i] = fmt.Appendf(nil, "alice.smith%d@acme.com", i)
	}
	for _, kind := range []struct {
		name   string
		op     operation
		values [][]byte
	}{{"token of mail", opPseudonym, mails}, {"reversible id", opReversible, ids}} {
		x := repeating(b, repeatSlots, repeatBytes)
		dst := make([]byte, 0, 1024)
		b.Run(kind.name+"/made", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				x.keys.appendToken(kind.op, dst, kind.values[i%len(ids)])
			}
		})
		b.Run(kind.name+"/found", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				x.append(kind.op, dst, kind.values[i%16])
			}
		})
		b.Run(kind.name+"/missed", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				x.append(kind.op, dst, kind.values[i%len(ids)])
			}
		})
	}
}
