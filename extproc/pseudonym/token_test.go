package pseudonym

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	for _, v := range []struct {
		name string
		cfg  Config
		want error // nil where there is no sentinel
		text string
	}{
		{"nothing", Config{}, ErrNoSalt, "deriving key: salt is empty"},
		{"no salt", Config{Key: "secret", DomainSalt: "x"}, ErrNoSalt, "deriving key: salt is empty"},
		{"no key", Config{Salt: "salt", PreviousKeys: []string{"secret"}}, ErrNoKey, "deriving key: key is empty"},
		{"empty previous key", Config{Salt: "salt", Key: "secret", PreviousKeys: []string{"old", ""}}, ErrNoKey, "deriving previous key 2: key is empty"},
		{"domains", Config{Salt: "salt", Key: "secret", Domains: 4}, nil, "choosing domain handling: unknown value 4"},
		{"canonicalization", Config{Salt: "salt", Key: "secret", Canonicalization: 2}, nil, "choosing canonicalization: unknown value 2"},
	} {
		c, err := New(v.cfg)
		if c != nil || err == nil || err.Error() != v.text {
			t.Errorf("%s: got %v, %v, want %q", v.name, c, err, v.text)
		}
		if v.want != nil && !errors.Is(err, v.want) {
			t.Errorf("%s: %v is not %v", v.name, err, v.want)
		}
	}
}

// A Codec that nobody gave a salt must not make guessable hashes.
func TestZeroCodec(t *testing.T) {
	var c Codec
	if got, ok := c.AppendReveal(nil, []byte(reversible(codec(t, Config{}), "a"))); ok {
		t.Errorf("revealed %q", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("made a token")
		}
	}()
	c.AppendToken(nil, []byte("a"))
}

// Domain salt and key touch the domain part alone; a part that is not given is taken from salt and key.
func TestDomainKeyMaterial(t *testing.T) {
	const mail = "alice@acme.com"
	for _, handling := range []DomainHandling{Tokenize, Encrypt} {
		seen := map[string]Config{}
		for _, cfg := range []Config{
			{Domains: handling},
			{Domains: handling, DomainSalt: "other"},
			{Domains: handling, DomainKey: "other"},
			{Domains: handling, DomainSalt: "other", DomainKey: "other"},
		} {
			hash, domain, _ := strings.Cut(token(codec(t, cfg), mail), "@")
			if hash != "t~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk" {
				t.Errorf("%+v: hash %s", cfg, hash)
			}
			if other, ok := seen[domain]; ok && (handling == Encrypt || cfg.DomainSalt != other.DomainSalt) {
				t.Errorf("%+v and %+v: same domain part %s", other, cfg, domain)
			}
			seen[domain] = cfg
		}
		for _, v := range []struct{ short, full Config }{
			{Config{Domains: handling}, Config{Domains: handling, DomainSalt: "salt", DomainKey: "secret"}},
			{Config{Domains: handling, DomainSalt: "other"}, Config{Domains: handling, DomainSalt: "other", DomainKey: "secret"}},
			{Config{Domains: handling, DomainKey: "other"}, Config{Domains: handling, DomainSalt: "salt", DomainKey: "other"}},
		} {
			if got, want := token(codec(t, v.short), mail), token(codec(t, v.full), mail); got != want {
				t.Errorf("%+v gives %s, %+v gives %s", v.short, got, v.full, want)
			}
		}
	}
}

func TestJSONEscapes(t *testing.T) {
	const value = "\"\\\b\f\n\r\t\x00\x1f/<>&\x7f\u2028é😀"
	got := jsonForm(JSONForm{Original: true})(codec(t, Config{}), value)
	if want := `","original":"\"\\\b\f\n\r\t\u0000\u001F/<>&` + "\x7f\u2028é😀" + `"}`; !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want …%s", got, want)
	}
	var back struct{ Original string }
	if err := json.Unmarshal([]byte(got), &back); err != nil || back.Original != value {
		t.Errorf("read back %q, %v", back.Original, err)
	}
}

// Every form leaves what dst holds in place, whether or not it has room.
func TestAppendKeepsDst(t *testing.T) {
	c := codec(t, Config{Domains: Encrypt})
	for name, appendForm := range forms(c) {
		whole := appendForm(nil, []byte("Alice@acme.com"))
		for _, room := range []int{0, 1, len(whole), 2 * len(whole), 4096} {
			dst := append(make([]byte, 0, 4+room), "head"...)
			if got := string(appendForm(dst, []byte("Alice@acme.com"))); got != "head"+string(whole) {
				t.Errorf("%s with room for %d: got %s", name, room, got)
			}
		}
	}
}

// The plain text must not stay behind the token in a buffer that goes on to other hands.
func TestSpareCapacityHoldsNoValue(t *testing.T) {
	const value = "alice.canary.smith+tag@canary.example"
	for _, handling := range []DomainHandling{Preserve, Redact, Tokenize, Encrypt} {
		c := codec(t, Config{Domains: handling, Salt: "canary"})
		for name, appendForm := range forms(c) {
			dst := make([]byte, 0, 4096)
			got := appendForm(dst, []byte(value))
			if strings.Contains(string(got[len(got):cap(got)]), "canary") {
				t.Errorf("%s with domains %d leaves the value or the salt behind", name, handling)
			}
		}
		dst := make([]byte, 0, 4096)
		got, ok := c.AppendReveal(dst, []byte(reversible(c, value)))
		if !ok || strings.Contains(string(got[len(got):cap(got)]), "canary") {
			t.Errorf("revealing with domains %d: %v, or value left behind", handling, ok)
		}
		forged := []byte(tokenized(c, value))
		forged[2] ^= 1
		if got, ok := c.AppendReveal(dst, forged); ok || len(got) != 0 || strings.Contains(string(dst[:cap(dst)]), "canary") {
			t.Errorf("refusing with domains %d: %v, or value left behind", handling, ok)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := codec(t, Config{Domains: Encrypt})
	want := map[string]string{}
	for name, appendForm := range forms(c) {
		want[name] = string(appendForm(nil, []byte("alice@acme.com")))
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				for name, appendForm := range forms(c) {
					if got := string(appendForm(nil, []byte("alice@acme.com"))); got != want[name] {
						t.Errorf("%s: got %s, want %s", name, got, want[name])
					}
				}
				if got, ok := c.AppendReveal(nil, []byte(want["reversible"])); !ok || string(got) != "alice@acme.com" {
					t.Errorf("revealed %q, %v", got, ok)
				}
			}
		})
	}
	group.Wait()
}

// forms are all the ways to append a pseudonym, by name.
func forms(c *Codec) map[string]func(dst, value []byte) []byte {
	return map[string]func(dst, value []byte) []byte{
		"token":      c.AppendToken,
		"reversible": c.AppendReversible,
		"tokenized":  c.AppendTokenized,
		"hash":       c.AppendHash,
		"json": func(dst, value []byte) []byte {
			return c.AppendJSON(dst, value, JSONForm{Reversible: true})
		},
	}
}

func TestNoAllocations(t *testing.T) {
	values := map[string][]byte{
		"mail":   []byte("\"Alice Smith\" <Alice.Smith+news@emea.acme.com>"),
		"id":     []byte("48d31887-5fad-4d73-a9f5-3c356e68a038"),
		"number": []byte("12345"),
		"long":   []byte(strings.Repeat("CN=somebody,", 1000)),
	}
	for _, handling := range []DomainHandling{Preserve, Redact, Tokenize, Encrypt} {
		c := codec(t, Config{Domains: handling})
		dst := make([]byte, 0, 64<<10)
		for kind, value := range values {
			for name, appendForm := range forms(c) {
				if n := testing.AllocsPerRun(20, func() { appendForm(dst, value) }); n != 0 {
					t.Errorf("%s of %s with domains %d: %v allocations", name, kind, handling, n)
				}
			}
			if handling != Preserve && handling != Redact {
				continue
			}
			made := c.AppendReversible(nil, value)
			if n := testing.AllocsPerRun(20, func() { c.AppendReveal(dst, made) }); n != 0 {
				t.Errorf("revealing %s with domains %d: %v allocations", kind, handling, n)
			}
		}
	}
	if n := testing.AllocsPerRun(20, func() { Blank(values["mail"]) }); n != 0 {
		t.Errorf("Blank: %v allocations", n)
	}
}

func BenchmarkToken(b *testing.B) {
	c := codec(b, Config{})
	for name, appendForm := range forms(c) {
		for kind, value := range map[string][]byte{"mail": []byte("alice.smith@acme.com"), "id": []byte("48d31887-5fad-4d73-a9f5-3c356e68a038")} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				dst := make([]byte, 0, 1024)
				b.ReportAllocs()
				for b.Loop() {
					appendForm(dst, value)
				}
			})
		}
	}
}

func BenchmarkReveal(b *testing.B) {
	c := codec(b, Config{})
	made := c.AppendReversible(nil, []byte("48d31887-5fad-4d73-a9f5-3c356e68a038"))
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.AppendReveal(dst, made); !ok {
			b.Fatal("not revealed")
		}
	}
}
