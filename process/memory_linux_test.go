package process

import (
	"os"
	"slices"
	"testing"
)

// TestFileMappings: only what is as the file is may be unmapped.
func TestFileMappings(t *testing.T) {
	const smaps = `00400000-01500000 r-xp 00000000 fe:00 42                                 /usr/bin/graphveil
Size:              17408 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
01500000-02e00000 r--p 010f5000 fe:00 42                                 /usr/bin/graphveil
Rss:               17032 kB
Anonymous:             0 kB
02e00000-02f00000 r--p 02a0b000 fe:00 42                                 /usr/bin/graphveil
Anonymous:             4 kB
02f00000-03000000 rw-p 02b0b000 fe:00 42                                 /usr/bin/graphveil
Anonymous:             0 kB
c000000000-c000400000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000000000-7f0000100000 r-xp 00000000 fe:00 43                         /lib/usr/bin/graphveil
Anonymous:             0 kB
7f0000100000-7f0000200000 r-xp 00000000 fe:00 44                         /usr/bin/graphveil.old
Anonymous:             0 kB
7fff00000000-7fff00002000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
`
	want := []mapping{{0x400000, 0x1500000}, {0x1500000, 0x2e00000}}
	if got := fileMappings(smaps, "/usr/bin/graphveil"); !slices.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if len(fileMappings(string(text), program)) == 0 {
		t.Error("the program finds none of its own")
	}
}
