package pseudonym

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestByteSets(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		for what, want := range map[string]bool{
			"atext":  alphanumeric(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0,
			"label":  alphanumeric(c) || c == '-',
			"letter": c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z',
		} {
			got := map[string]*byteSet{"atext": &atext, "label": &labelBytes, "letter": &letterBytes}[what].has(c)
			if got != want {
				t.Errorf("%q in %s: %v", c, what, got)
			}
		}
	}
}

// What the short way reads, the grammar reads in the same way; and it reads all addresses that are plain.
func TestPlainIsMailbox(t *testing.T) {
	const rounds = 300_000
	random := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"a", "B", "7", ".", ".", "@", "@", "-", "+", "_", "co", "Com", "acme", "x.y", "\"", "(", ")", "<", ">", " ", "\r\n ", "\\", "#EXT#", "é", ":",
		strings.Repeat("l", 63), "[1.2.3.4]", ",", ";", "'", "\x00", "\x7f"}
	plain, found := 0, 0
	for range rounds {
		some := func(dst []byte) []byte {
			for range 1 + random.IntN(3) {
				from := pieces
				if random.IntN(4) > 0 {
					from = pieces[:13]
				}
				dst = append(dst, from[random.IntN(len(from))]...)
			}
			return dst
		}
		value := append(some(nil), '@')
		value = append(append(some(value), '.'), []string{"co", "x", "example", "c0", "-", strings.Repeat("t", 27)}[random.IntN(6)]...)
		if checkPlain(t, value) {
			plain++
		}
		if m := parseAny(value); m.found() {
			found++
			if slices.Equal(value, slices.Concat(m.local, []byte("@"), m.domain)) && value[0] != '"' && !checkPlain(t, value) {
				t.Fatalf("%q is plain and was not read", value)
			}
		}
	}
	if plain < rounds/100 || found == plain {
		t.Errorf("%d plain addresses of %d, %d mailboxes", plain, rounds, found)
	}
}

func checkPlain(t *testing.T, value []byte) bool {
	t.Helper()
	m := parsePlain(value)
	if !m.found() {
		return false
	}
	if want := parseAny(value); !bytes.Equal(m.local, want.local) || !bytes.Equal(m.domain, want.domain) {
		t.Fatalf("%q: read %q and %q, the grammar reads %q and %q", value, m.local, m.domain, want.local, want.domain)
	}
	return true
}

// FuzzPlain is TestPlainIsMailbox over any value.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{"a@b.co", "First.Last+x@emea.acme.com", "\"a\"@b.co", "a@b..co", "a@-b.co", "a.@b.co", "a@b.c0"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) { checkPlain(t, value) })
}
