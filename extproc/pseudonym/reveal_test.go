package pseudonym

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"strings"
	"testing"
)

var revealValues = []string{
	"", "a", "alice@acme.com", "Alice+x@ACME.com", `"Alice Smith" <alice@acme.com>`, "48d31887-5fad-4d73-a9f5-3c356e68a038",
	"0123456789abcde", "0123456789abcdef", "19:2da4c29f6d7041eca70b638b43d45437@thread.v2", "日本", "123", "\x00", "\x01\x01",
}

func TestRevealRoundTrip(t *testing.T) {
	for _, handling := range []DomainHandling{Preserve, Redact, Tokenize, Encrypt} {
		c := codec(t, Config{Domains: handling})
		for _, value := range revealValues {
			whole := reversible(c, value)
			bare, _, _ := strings.Cut(whole, "@")
			for _, made := range []string{whole, bare, tokenized(c, value)} {
				got, ok := c.AppendReveal([]byte("head"), []byte(made))
				if !ok || string(got) != "head"+value {
					t.Errorf("domains %d, %s: got %q, %v, want %q", handling, made, got, ok, value)
				}
			}
		}
	}
}

// One bit anywhere in a token, one byte less or more: no value, and dst as it was.
func TestRevealRefusesAltered(t *testing.T) {
	for _, handling := range []DomainHandling{Preserve, Redact, Tokenize, Encrypt} {
		c := codec(t, Config{Domains: handling})
		for _, value := range revealValues {
			made := reversible(c, value)
			for i := range made {
				for bit := range 8 {
					altered := []byte(made)
					altered[i] ^= 1 << bit
					if handling == Preserve && strings.EqualFold(string(altered), made) && i > strings.IndexByte(made, '@') {
						continue // the domain in other letters is the same domain
					}
					refused(t, c, string(altered))
				}
			}
			for i := range made {
				if made[i] != '@' { // what is left of a cut at @ is the token without its domain
					refused(t, c, made[:i])
				}
			}
			for _, extra := range []string{"A", "=", "@", "\n", " ", "%", "AAAAAAAAAAAAAAAAAAAAAA"} {
				refused(t, c, made+extra)
				refused(t, c, extra+made)
			}
		}
	}
}

func refused(t *testing.T, c *Codec, forged string) {
	t.Helper()
	dst := append(make([]byte, 0, 8<<10), "head"...)
	if got, ok := c.AppendReveal(dst, []byte(forged)); ok || string(got) != "head" || string(dst) != "head" {
		t.Errorf("revealed %q as %q, %v", forged, got, ok)
	}
}

func TestRevealRefusesShapes(t *testing.T) {
	c := codec(t, Config{})
	id, mail := reversible(c, "48d31887-5fad-4d73-a9f5-3c356e68a038"), reversible(c, "alice@acme.com")
	bare, _, _ := strings.Cut(mail, "@")
	chat := reversible(c, "19:2da4c29f6d7041eca70b638b43d45437@thread.v2")
	if !strings.Contains(chat, "-") || !strings.Contains(chat, "_") {
		t.Fatalf("%s has no character that the standard base64 alphabet lacks", chat)
	}
	for _, forged := range []string{
		"", "p", "p~", "p~abc", "P" + id[1:], "t" + id[1:], "p%7E" + id[2:], id[2:], " " + id,
		id + "@", id + "@acme.com", bare + "@", bare + "@evil.com", bare + "@acme.com@acme.com", bare + "@acme.com.", bare + "%40acme.com",
		tokenized(c, "Alice+x@ACME.com") + "@ACME.com",
		"p~" + hashOnly(c, "a"), // a hash and no ciphertext
		token(c, "a"),
		strings.Replace(chat, "-", "+", 1), strings.Replace(chat, "_", "/", 1), id + "==",
		id[:40] + "\n" + id[40:], id[:40] + "\r\n" + id[40:],
		"p~" + strings.Repeat("A", MaxToken), "p~" + strings.Repeat("A", 1<<20), "p~" + strings.Repeat("A", 64), "p~" + strings.Repeat("@", 64),
	} {
		refused(t, c, forged)
	}
	long := reversible(c, strings.Repeat("x", 12000))
	if _, ok := c.AppendReveal(nil, []byte(long)); !ok || len(long) > MaxToken {
		t.Errorf("a value of 12,000 bytes, token of %d, is not revealed", len(long))
	}
	refused(t, c, reversible(c, strings.Repeat("x", 13000)))
}

// Under the right key and initialization vector a forger without the salt still cannot make a value.
func TestRevealRecomputesHash(t *testing.T) {
	c := codec(t, Config{})
	var sum [hashSize]byte
	copy(sum[:], "chosen by the forger and no hash")
	refused(t, c, string(c.appendCiphertext([]byte("p~"), []byte("../../v1.0/me?x="), &sum, c.keys[0].value)))
	sum = digest([]byte("../../v1.0/me?x="), []byte("another salt"))
	refused(t, c, string(c.appendCiphertext([]byte("p~"), []byte("../../v1.0/me?x="), &sum, c.keys[0].value)))
	sum = digest([]byte("../../v1.0/me?x="), []byte("salt")) // all of it right: this one is a token
	if got, ok := c.AppendReveal(nil, c.appendCiphertext([]byte("p~"), []byte("../../v1.0/me?x="), &sum, c.keys[0].value)); !ok {
		t.Errorf("refused a proper token: %q", got)
	}
}

// Padding is checked in whole: wrong paddings over a right hash do not reveal.
func TestRevealChecksPadding(t *testing.T) {
	c := codec(t, Config{})
	key, err := stretch("secret", "salt")
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		value, padded string
		want          bool
	}{
		{"0123456789abcd", "0123456789abcd\x02\x02", true},
		{"0123456789abcd", "0123456789abcd\x01\x02", false},
		{"0123456789abcd", "0123456789abcd\x03\x02", false},
		{"0123456789abcd\x01", "0123456789abcd\x01\x02", false},
		{"0123456789abcdef", "0123456789abcdef" + strings.Repeat("\x10", 16), true},
		{"0123456789abcdef", "0123456789abcdef\x11" + strings.Repeat("\x10", 15), false},
		{"0123456789abcdef", "0123456789abcdef", false},
		{"0123456789abcde", "0123456789abcde\x00", false},
		{"0123456789abcde\x00", "0123456789abcde\x00", false},
		{"0123456789abcde", "0123456789abcde\x11", false},
		{"0123456789abcde", "0123456789abcde" + strings.Repeat("\x11", 17), false},
		{"", strings.Repeat("\x11", 16), false},
		{"0123456789abcde", "0123456789abcde\xff", false},
		{"0123456789abcde", "0123456789abcde\x01", true},
	} {
		sum := digest([]byte(v.value), []byte("salt"))
		raw := append(sum[:], v.padded...)
		cipher.NewCBCEncrypter(block, sum[:blockSize]).CryptBlocks(raw[hashSize:], raw[hashSize:])
		got, ok := c.AppendReveal(nil, encoding.AppendEncode([]byte("p~"), raw))
		if ok != v.want || ok && string(got) != v.value {
			t.Errorf("%q over %q: got %q, %v", v.padded, v.value, got, ok)
		}
	}
}

func TestRevealDomainSuffix(t *testing.T) {
	preserve, tokenize, encrypt := codec(t, Config{}), codec(t, Config{Domains: Tokenize}), codec(t, Config{Domains: Encrypt})
	bare := reversible(codec(t, Config{Domains: Redact}), "alice@acme.com")
	suffix := func(c *Codec) string { _, s, _ := strings.Cut(token(c, "alice@acme.com"), "@"); return "@" + s }
	suffixes := []string{"@acme.com", "@ACME.com", suffix(tokenize), suffix(encrypt), "@h~", "@e~", "@acme.con"}
	for name, v := range map[string]struct {
		c    *Codec
		want []string
	}{
		"preserve": {preserve, []string{"@acme.com", "@ACME.com"}},
		"redact":   {codec(t, Config{Domains: Redact}), nil}, // a plain domain would confirm a guess
		"tokenize": {tokenize, []string{suffix(tokenize)}},
		"encrypt":  {encrypt, []string{suffix(encrypt)}},
	} {
		var got []string
		for _, s := range suffixes {
			if value, ok := v.c.AppendReveal(nil, []byte(bare+s)); ok {
				if string(value) != "alice@acme.com" {
					t.Errorf("%s: revealed %q", name, value)
				}
				got = append(got, s)
			}
		}
		if strings.Join(got, " ") != strings.Join(v.want, " ") {
			t.Errorf("%s accepts %q, want %q", name, got, v.want)
		}
	}
}

func TestKeyRotation(t *testing.T) {
	for _, handling := range []DomainHandling{Preserve, Encrypt} {
		old, older := codec(t, Config{Key: "old", Domains: handling}), codec(t, Config{Key: "older", Domains: handling})
		rotated := codec(t, Config{PreviousKeys: []string{"old", "older"}, Domains: handling})
		unrotated := codec(t, Config{Domains: handling})
		for _, value := range []string{"alice@acme.com", "48d31887-5fad-4d73-a9f5-3c356e68a038"} {
			if reversible(rotated, value) != reversible(unrotated, value) {
				t.Errorf("%s: a previous key changes new tokens", value)
			}
			for _, made := range []string{reversible(old, value), reversible(older, value), tokenized(older, value), reversible(unrotated, value)} {
				if got, ok := rotated.AppendReveal(nil, []byte(made)); !ok || string(got) != value {
					t.Errorf("domains %d: %s: got %q, %v", handling, made, got, ok)
				}
			}
			refused(t, unrotated, reversible(old, value))
			refused(t, old, reversible(unrotated, value))
			refused(t, codec(t, Config{Salt: "pepper", Domains: handling}), reversible(unrotated, value))
		}
	}
}

// FuzzReveal makes a token of value, which must be revealed, alters it, and offers forged as a token of its own. What is
// revealed must be a value whose token is what was offered, but for the domain.
func FuzzReveal(f *testing.F) {
	for i, value := range revealValues {
		f.Add(value, uint16(i), byte(1), "p~"+strings.Repeat("A", 43+22*i))
	}
	f.Add("alice@acme.com", uint16(0xffff), byte(0x20), "p~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMnKYUk8FJevl3wvFyZY0eF-@acme.com")
	codecs := []*Codec{
		codec(f, Config{PreviousKeys: []string{"old"}}), codec(f, Config{Domains: Redact}),
		codec(f, Config{Domains: Tokenize, Canonicalization: IgnoreDots}), codec(f, Config{Domains: Encrypt}),
	}
	f.Fuzz(func(t *testing.T, value string, at uint16, flip byte, forged string) {
		if len(value) > 4096 {
			return
		}
		for _, c := range codecs {
			for _, made := range [][]byte{c.AppendReversible(nil, []byte(value)), c.AppendTokenized(nil, []byte(value))} {
				if got, ok := c.AppendReveal(nil, made); !ok || string(got) != value {
					t.Fatalf("%s: got %q, %v, want %q", made, got, ok, value)
				}
				altered := bytes.Clone(made)
				altered[int(at)%len(made)] ^= flip
				if flip != 0 {
					genuine(t, c, altered)
				}
			}
			genuine(t, c, []byte(forged))
		}
	})
}

// genuine fails if c reveals offered although it is not a token of what it reveals.
func genuine(t *testing.T, c *Codec, offered []byte) {
	value, ok := c.AppendReveal([]byte("head"), offered)
	value, kept := bytes.CutPrefix(value, []byte("head"))
	if !kept || !ok && len(value) > 0 {
		t.Fatalf("%q: dst became %q", offered, value)
	}
	if !ok {
		return
	}
	one := *c
	for i := range c.keys {
		one.keys = c.keys[i : i+1]
		whole := one.AppendReversible(nil, value)
		body, suffix, _ := bytes.Cut(whole, []byte("@"))
		offeredBody, offeredSuffix, found := bytes.Cut(offered, []byte("@"))
		switch {
		case bytes.Equal(offered, one.AppendTokenized(nil, value)):
			return
		case !bytes.Equal(offeredBody, body):
		case !found, bytes.Equal(offeredSuffix, suffix), c.domains == Preserve && bytes.EqualFold(offeredSuffix, suffix):
			return
		}
	}
	t.Fatalf("%q is revealed as %q", offered, value)
}

// An address that was tokenized as it is comes back, whatever domains are hashed with.
func TestRevealTokenizedAddress(t *testing.T) {
	for _, domains := range []DomainHandling{Preserve, Redact, Tokenize, Encrypt} {
		c := codec(t, Config{Domains: domains, DomainSalt: "another"})
		value := "First.Last@Emea.acme.com"
		if got, ok := c.AppendReveal(nil, c.AppendTokenized(nil, []byte(value))); !ok || string(got) != value {
			t.Errorf("handling %d: revealed %q, %v", domains, got, ok)
		}
	}
}
