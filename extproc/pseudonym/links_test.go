package pseudonym

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
)

var (
	linkTarget  = []byte("https://graph.microsoft.com/v1.0/users?$top=100&$skiptoken=RFNwdAIAAQAAACMtYWxpY2VAYWNtZS5jb20")
	linkBinding = Binding{Connector: "entra_id", Endpoint: "users", Caller: "spiffe://acme.com/etl", Path: "/v1.0/users"}
)

func linkKeyOf(b byte) []byte { return bytes.Repeat([]byte{b}, LinkKeySize) }

func links(t testing.TB, ring ...[]byte) *Links {
	t.Helper()
	l, err := NewLinks(ring...)
	if err != nil {
		t.Fatalf("NewLinks: %v", err)
	}
	return l
}

func seal(t testing.TB, l *Links, target []byte, b Binding) []byte {
	t.Helper()
	sealed, ok := l.AppendSeal(nil, target, b)
	if !ok {
		t.Fatalf("a target of %d bytes is not sealed", len(target))
	}
	return sealed
}

// The form of a link may not change: a client comes back with its delta link after months.
func TestLinkVector(t *testing.T) {
	const want = "gv~AVdH7aYg1cPCRE1KSksC7IQBL2f3GE2BVDR_fOj1su4v1nOjxJTePPyWqBJRvSxHttg-2M5VqbefRSTkjtUERzcyujeiFe0Z3yGEbqbM14H6DDex3xHY0AP0jCDz_cXzog"
	l := links(t, linkKeyOf(1))
	target := []byte("/v1.0/users?$skiptoken=x")
	if got := seal(t, l, target, linkBinding); string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, ok := l.AppendOpen(nil, []byte(want), linkBinding); !ok || !bytes.Equal(got, target) {
		t.Errorf("opened as %q, %v", got, ok)
	}
}

func TestLinkRoundTrip(t *testing.T) {
	l := links(t, linkKeyOf(1))
	shape := regexp.MustCompile(`^gv~[A-Za-z0-9_-]+$`)
	targets := [][]byte{linkTarget, []byte("x"), {0}, {0x80}, {0x80, 0, 0}, bytes.Repeat([]byte{'x'}, MaxLinkTarget)}
	for n := 60; n < 70; n++ {
		targets = append(targets, bytes.Repeat([]byte{0}, n))
	}
	for _, target := range targets {
		for _, b := range []Binding{linkBinding, {Connector: "c", Endpoint: "e"}} {
			sealed := seal(t, l, target, b)
			if !shape.Match(sealed) || len(sealed) > MaxSealedLink || bytes.Contains(sealed, target) && len(target) > 8 {
				t.Errorf("%.60q is sealed as %.60s", target, sealed)
			}
			if again := seal(t, l, target, b); !bytes.Equal(again, sealed) {
				t.Errorf("%.60q is sealed differently the second time", target)
			}
			got, ok := l.AppendOpen([]byte("head"), sealed, b)
			if !ok || string(got) != "head"+string(target) {
				t.Errorf("%.60q: opened as %.60q, %v", target, got, ok)
			}
			if got, ok := l.AppendSeal([]byte("head"), target, b); !ok || string(got) != "head"+string(sealed) {
				t.Errorf("%.60q: appended as %.60q, %v", target, got, ok)
			}
		}
	}
}

func TestLinkRefusesToSeal(t *testing.T) {
	l := links(t, linkKeyOf(1))
	for name, v := range map[string]struct {
		links  *Links
		target []byte
		b      Binding
	}{
		"zero links":   {&Links{}, linkTarget, linkBinding},
		"empty target": {l, nil, linkBinding},
		"long target":  {l, make([]byte, MaxLinkTarget+1), linkBinding},
		"zero binding": {l, linkTarget, Binding{}},
		"no connector": {l, linkTarget, Binding{Endpoint: "users"}},
		"no endpoint":  {l, linkTarget, Binding{Connector: "entra_id"}},
	} {
		if got, ok := v.links.AppendSeal([]byte("head"), v.target, v.b); ok || string(got) != "head" {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
}

func unopened(t *testing.T, l *Links, sealed []byte, b Binding, what string) {
	t.Helper()
	dst := append(make([]byte, 0, 1024), "head"...)
	if got, ok := l.AppendOpen(dst, sealed, b); ok || string(got) != "head" {
		t.Errorf("%s: opened as %.60q, %v", what, got, ok)
	}
}

func TestLinkTampered(t *testing.T) {
	l := links(t, linkKeyOf(1), linkKeyOf(2))
	for n := len(linkTarget) - 2; n <= len(linkTarget); n++ { // all three lengths of the last base64 group
		sealed := seal(t, l, linkTarget[:n], linkBinding)
		for i := range sealed {
			for bit := range 8 {
				altered := bytes.Clone(sealed)
				altered[i] ^= 1 << bit
				unopened(t, l, altered, linkBinding, "a bit flipped")
			}
			unopened(t, l, sealed[:i], linkBinding, "truncated")
			unopened(t, l, sealed[i+1:], linkBinding, "beheaded")
			for _, extra := range []string{"A", "=", "\n", "\r\n", " "} {
				unopened(t, l, []byte(string(sealed[:i])+extra+string(sealed[i:])), linkBinding, "something put in")
			}
		}
		for _, extra := range []string{"A", "=", "==", "\n", "AAAA", "&x=y", strings.Repeat("A", MaxSealedLink)} {
			unopened(t, l, append(bytes.Clone(sealed), extra...), linkBinding, "something put behind")
		}
	}
	raw, err := encoding.AppendDecode(nil, seal(t, l, linkTarget, linkBinding)[len(SealedPrefix):])
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		altered := bytes.Clone(raw)
		altered[i] ^= 0xff
		unopened(t, l, encoding.AppendEncode([]byte(SealedPrefix), altered), linkBinding, "a byte flipped")
		unopened(t, l, encoding.AppendEncode([]byte(SealedPrefix), raw[:i]), linkBinding, "bytes cut off")
	}
	unopened(t, l, []byte(SealedPrefix), linkBinding, "prefix alone")
	unopened(t, l, linkTarget, linkBinding, "a plain link")
	unopened(t, &Links{}, seal(t, l, linkTarget, linkBinding), linkBinding, "zero links")
}

// What AppendSeal refuses to make does not open either, were it made with the key.
func TestLinkRefusesToOpen(t *testing.T) {
	l := links(t, linkKeyOf(1))
	made := func(version byte, padded string, b Binding) []byte {
		header := append([]byte{version}, l.ring[0].id[:]...)
		header = append(header, make([]byte, linkNonce)...)
		data := b.data(linkHeader)
		copy(data, header)
		raw := l.ring[0].aead.Seal(bytes.Clone(header), header[1+linkID:], []byte(padded), data)
		return encoding.AppendEncode([]byte(SealedPrefix), raw)
	}
	if got, ok := l.AppendOpen(nil, made(linkVersion, "target\x80", linkBinding), linkBinding); !ok || string(got) != "target" {
		t.Fatalf("a link made by hand opens as %q, %v", got, ok)
	}
	unopened(t, l, made(linkVersion, strings.Repeat("x", MaxLinkTarget+linkStep)+"\x80", linkBinding), linkBinding, "too long")
	unopened(t, l, made(linkVersion, "target", linkBinding), linkBinding, "without padding")
	unopened(t, l, made(linkVersion+1, "target\x80", linkBinding), linkBinding, "another version")
	unopened(t, l, made(linkVersion, "", linkBinding), linkBinding, "empty")
	for _, b := range []Binding{{}, {Connector: "c"}, {Endpoint: "e"}} {
		unopened(t, l, made(linkVersion, "target\x80", b), b, "incomplete binding")
	}
}

func TestLinkBinding(t *testing.T) {
	l := links(t, linkKeyOf(1))
	sealed := seal(t, l, linkTarget, linkBinding)
	for name, change := range map[string]func(*Binding){
		"connector":          func(b *Binding) { b.Connector = "outlook_mail" },
		"endpoint":           func(b *Binding) { b.Endpoint = "groups" },
		"caller":             func(b *Binding) { b.Caller = "spiffe://acme.com/other" },
		"path":               func(b *Binding) { b.Path = "/v1.0/groups" },
		"no connector":       func(b *Binding) { b.Connector = "" },
		"no endpoint":        func(b *Binding) { b.Endpoint = "" },
		"no caller":          func(b *Binding) { b.Caller = "" },
		"no path":            func(b *Binding) { b.Path = "" },
		"shifted left":       func(b *Binding) { b.Connector += "u"; b.Endpoint = b.Endpoint[1:] },
		"shifted right":      func(b *Binding) { b.Path = b.Caller[len(b.Caller)-1:] + b.Path; b.Caller = b.Caller[:len(b.Caller)-1] },
		"caller as path":     func(b *Binding) { b.Caller, b.Path = b.Path, b.Caller },
		"path in other case": func(b *Binding) { b.Path = "/v1.0/Users" },
	} {
		other := linkBinding
		change(&other)
		unopened(t, l, sealed, other, name)
	}
}

func TestLinkRing(t *testing.T) {
	first, second, third := linkKeyOf(1), linkKeyOf(2), linkKeyOf(3)
	sealed := seal(t, links(t, first), linkTarget, linkBinding)
	for name, l := range map[string]*Links{
		"same":          links(t, first),
		"rotated":       links(t, second, first),
		"rotated twice": links(t, third, second, first),
		"repeated":      links(t, second, first, first),
	} {
		if got, ok := l.AppendOpen(nil, sealed, linkBinding); !ok || !bytes.Equal(got, linkTarget) {
			t.Errorf("%s: opened as %q, %v", name, got, ok)
		}
	}
	unopened(t, links(t, second), sealed, linkBinding, "another key")
	unopened(t, links(t, second, third), sealed, linkBinding, "a ring without the key")
	unopened(t, links(t, first), seal(t, links(t, second, first), linkTarget, linkBinding), linkBinding, "sealed with the newest")

	// An id is a hint: another key's id in front of the same ciphertext does not open it.
	raw, err := encoding.AppendDecode(nil, sealed[len(SealedPrefix):])
	if err != nil {
		t.Fatal(err)
	}
	both := links(t, first, second)
	copy(raw[1:], both.ring[1].id[:])
	unopened(t, both, encoding.AppendEncode([]byte(SealedPrefix), raw), linkBinding, "id of another key")

	for _, ring := range [][][]byte{nil, {nil}, {first[1:]}, {first, append(second, 0)}} {
		if l, err := NewLinks(ring...); l != nil || !errors.Is(err, ErrLinkKey) {
			t.Errorf("a ring of %d: got %v, %v", len(ring), l, err)
		}
	}
}

// Two keys could have the same id by chance; each still opens its links.
func TestLinkSameID(t *testing.T) {
	l := links(t, linkKeyOf(1), linkKeyOf(2))
	l.ring[0].id = l.ring[1].id
	for i := range l.ring {
		sealed := seal(t, &Links{ring: l.ring[i:]}, linkTarget, linkBinding)
		if got, ok := l.AppendOpen(nil, sealed, linkBinding); !ok || !bytes.Equal(got, linkTarget) {
			t.Errorf("key %d: opened as %q, %v", i, got, ok)
		}
	}
}

func TestLinkNonces(t *testing.T) {
	nonces := map[string]string{}
	add := func(what string, key byte, target []byte, b Binding) {
		raw, err := encoding.AppendDecode(nil, seal(t, links(t, linkKeyOf(key)), target, b)[len(SealedPrefix):])
		if err != nil {
			t.Fatal(err)
		}
		nonce := string(raw[1+linkID : linkHeader])
		if other, ok := nonces[nonce]; ok {
			t.Errorf("%s and %s share a nonce", what, other)
		}
		nonces[nonce] = what
	}
	add("link", 1, linkTarget, linkBinding)
	add("other key", 2, linkTarget, linkBinding)
	add("other target", 1, linkTarget[1:], linkBinding)
	add("target with the padding's bytes", 1, append(bytes.Clone(linkTarget), 0x80), linkBinding)
	other := linkBinding
	other.Caller = ""
	add("other caller", 1, linkTarget, other)
}

func TestLinkPadding(t *testing.T) {
	l := links(t, linkKeyOf(1))
	length := func(n int) int { return len(seal(t, l, make([]byte, n), linkBinding)) }
	if length(1) != length(63) || length(64) != length(127) || length(63) == length(64) {
		t.Errorf("sealed lengths of 1, 63, 64, 127 bytes: %d, %d, %d, %d", length(1), length(63), length(64), length(127))
	}
	if got := length(MaxLinkTarget); got != MaxSealedLink {
		t.Errorf("the longest target seals to %d bytes, MaxSealedLink is %d", got, MaxSealedLink)
	}
}

func TestDeriveLinkKey(t *testing.T) {
	key := DeriveLinkKey("salt", "secret")
	if len(key) != LinkKeySize || !bytes.Equal(key, DeriveLinkKey("salt", "secret")) {
		t.Errorf("derived %d bytes, or not the same twice", len(key))
	}
	stretched, err := stretch("secret", "salt")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(key, stretched) {
		t.Error("the link key is the token key")
	}
	for name, other := range map[string][]byte{"salt": DeriveLinkKey("pepper", "secret"), "key": DeriveLinkKey("salt", "K3y")} {
		if len(other) != LinkKeySize || bytes.Equal(other, key) {
			t.Errorf("another %s derives the same key", name)
		}
	}
	for _, none := range [][]byte{DeriveLinkKey("", "secret"), DeriveLinkKey("salt", "")} {
		if _, err := NewLinks(none); !errors.Is(err, ErrLinkKey) {
			t.Errorf("a key derived from nothing: %v", err)
		}
	}
}

// FuzzOpen offers anything as a sealed link; only what AppendSeal makes may open.
func FuzzOpen(f *testing.F) {
	l := links(f, linkKeyOf(1), linkKeyOf(2))
	f.Add([]byte("gv~AQ"), []byte("x"))
	f.Add(seal(f, l, linkTarget, linkBinding), linkTarget)
	f.Fuzz(func(t *testing.T, offered, target []byte) {
		if got, ok := l.AppendOpen(nil, offered, linkBinding); ok && !bytes.Equal(seal(t, l, got, linkBinding), offered) {
			t.Fatalf("%q opens as %q", offered, got)
		}
		sealed, ok := l.AppendSeal(nil, target, linkBinding)
		if !ok {
			return
		}
		if got, ok := l.AppendOpen(nil, sealed, linkBinding); !ok || !bytes.Equal(got, target) {
			t.Fatalf("%q: opened as %q, %v", target, got, ok)
		}
	})
}

func BenchmarkSealedLink(b *testing.B) {
	l := links(b, linkKeyOf(1))
	sealed := seal(b, l, linkTarget, linkBinding)
	dst := make([]byte, 0, 1024)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.AppendSeal(dst, linkTarget, linkBinding)
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l.AppendOpen(dst, sealed, linkBinding)
		}
	})
}
