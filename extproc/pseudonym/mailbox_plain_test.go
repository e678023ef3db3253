package pseudonym

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Each byte is put in its classes, whatever is beside it.
func TestClasses(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 100 {
		for i := range 256 {
			c, place := byte(i), 8*random.IntN(8)
			x := random.Uint64()&^(0xFF<<place) | uint64(c)<<place
			upper, rest := classes(x)
			if (upper|rest)&^0x8080808080808080 != 0 {
				t.Fatalf("%x: classes %x and %x", x, upper, rest)
			}
			if got := upper>>(place+7)&1 == 1; got != (c >= 'A' && c <= 'Z') {
				t.Fatalf("%q in %x is a capital: %v", c, x, got)
			}
			if got := rest>>(place+7)&1 == 1; got == (alphanumeric(c) || c == '-') {
				t.Fatalf("%q in %x is something else: %v", c, x, got)
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
		if m := parseMailbox(value); m.found() {
			found++
			checkRead(t, value, m)
		}
	}
	if plain < rounds/100 || found == plain {
		t.Errorf("%d plain addresses of %d, %d mailboxes", plain, rounds, found)
	}
}

// So it is with any byte in any place of a usual address.
func TestPlainWithAnyByte(t *testing.T) {
	usual := []byte("Jane.O-Neil_2@emea.Contoso.example")
	for at := range len(usual) + 1 {
		for b := range 256 {
			values := [][]byte{slices.Concat(usual[:at], []byte{byte(b)}, usual[at:])}
			if at < len(usual) {
				values = append(values, slices.Concat(usual[:at], []byte{byte(b)}, usual[at+1:]), slices.Concat(usual[:at], []byte{byte(b)}))
			}
			for _, value := range values {
				checkPlain(t, value)
				if m := parseMailbox(value); m.found() {
					checkRead(t, value, m)
				}
			}
		}
	}
}

// checkRead checks that a value that is a plain address is read the short way.
func checkRead(t *testing.T, value []byte, m mailbox) {
	t.Helper()
	simple := len(value) <= onStack && value[0] != '"' && !bytes.Contains(value, []byte("+"))
	if simple && slices.Equal(value, slices.Concat(m.local, []byte("@"), m.domain)) && !checkPlain(t, value) {
		t.Fatalf("%q is plain and was not read", value)
	}
}

func checkPlain(t *testing.T, value []byte) bool {
	t.Helper()
	var text scratch
	at, ok := canonicalPlain(&text, value)
	if !ok {
		return false
	}
	m := parseMailbox(value)
	if got := text[:len(value)]; !bytes.Equal(got, m.appendCanonical(nil, false)) || !bytes.Equal(value[at+1:], m.domain) {
		t.Fatalf("%q: canonical %q with domain %q, the grammar has %q with %q", value, got, value[at+1:], m.appendCanonical(nil, false), m.domain)
	}
	return true
}

// Only where dots count is the short way taken.
func TestPlainIgnoringDots(t *testing.T) {
	c := codec(t, Config{Canonicalization: IgnoreDots})
	for _, value := range []string{"first.last@emea.acme.com", "f.i.r.s.t.last@emea.acme.com", "FirstLast@emea.acme.com"} {
		sum, domain := c.hash([]byte(value))
		if want, _ := c.hash([]byte("firstlast@emea.acme.com")); sum != want || string(domain) != "emea.acme.com" {
			t.Errorf("%s has a hash of its own, and domain %q", value, domain)
		}
	}
}

// FuzzPlain is TestPlainIsMailbox over any value.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{"a@b.co", "First.Last+x@emea.acme.com", "\"a\"@b.co", "a@b..co", "a@-b.co", "a.@b.co", "a@b.c0"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) { checkPlain(t, value) })
}
