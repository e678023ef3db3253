package pseudonym

import (
	"sync"
	"testing"
)

// codec returns a Codec for cfg, with salt `salt` and key `secret` where cfg names none. Deriving keys is slow, so equal
// configurations share one.
func codec(t testing.TB, cfg Config) *Codec {
	t.Helper()
	if cfg.Salt == "" {
		cfg.Salt = "salt"
	}
	if cfg.Key == "" {
		cfg.Key = "secret"
	}
	id := [5]string{cfg.Salt, cfg.Key, cfg.DomainSalt, cfg.DomainKey, string(rune(cfg.Domains)) + string(rune(cfg.Canonicalization))}
	codecs.Lock()
	defer codecs.Unlock()
	if c := codecs.made[id]; c != nil && cfg.PreviousKeys == nil {
		return c
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	if cfg.PreviousKeys == nil {
		codecs.made[id] = c
	}
	return c
}

var codecs = struct {
	sync.Mutex
	made map[[5]string]*Codec
}{made: map[[5]string]*Codec{}}

// The forms that a vector can ask for.
func token(c *Codec, v string) string      { return string(c.AppendToken(nil, []byte(v))) }
func reversible(c *Codec, v string) string { return string(c.AppendReversible(nil, []byte(v))) }
func tokenized(c *Codec, v string) string  { return string(c.AppendTokenized(nil, []byte(v))) }
func hashOnly(c *Codec, v string) string   { return string(c.AppendHash(nil, []byte(v))) }

func jsonForm(f JSONForm) func(*Codec, string) string {
	return func(c *Codec, v string) string { return string(c.AppendJSON(nil, []byte(v), f)) }
}

// Outputs of Psoxy 0.6.9.
func TestVectors(t *testing.T) {
	const (
		guid       = "48d31887-5fad-4d73-a9f5-3c356e68a038"
		chat       = "19:2da4c29f6d7041eca70b638b43d45437@thread.v2"
		alice      = "UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk"
		aliceToken = "t~" + alice + "@acme.com"
		guidRev    = "p~SIoJOpeSgYF7YUPQ28IWZexVuHyN9A80SJXrbfawKpDRcddGnKI4QDKyjQI9KtjJZDb8FZ27UE_toS68FyWz7Y22fnQYLP91SHJGVwQiN3E"
		chatRev    = "p~bWr_bA0wnI4CDi2z8MuXG2vEmijbgJ9-MX1hsrnF20ik1FwGIGIQ_uMj2B_4LQV7U7F8XPs4Nx_URHgdx-pukZu2Hb6QzmB24IBvBInSdwA"
	)
	for _, v := range []struct {
		in   string
		cfg  Config
		form func(*Codec, string) string
		want string
	}{
		{"alice@acme.com", Config{}, token, aliceToken},
		{`"Alice Smith" <alice@acme.com>`, Config{}, token, aliceToken},
		{" alice@acme.com ", Config{}, token, aliceToken},
		{"alice+tag@acme.com", Config{}, token, aliceToken},
		{"Alice@ACME.com", Config{}, token, "t~" + alice + "@ACME.com"},
		{"a.l.ice@acme.com", Config{}, token, "t~Mg1zEay3p4rIgUw1bTxIdesfK5ZBPwFqOg0k6gPq0G8@acme.com"},
		{"a.l.i.ce+z@acme.com", Config{Canonicalization: IgnoreDots}, token, aliceToken},
		{"a.l.i.ce@acme.com", Config{Canonicalization: IgnoreDots}, token, aliceToken},
		{guid, Config{}, token, "t~SIoJOpeSgYF7YUPQ28IWZexVuHyN9A80SJXrbfawKpA"},
		{"alice@localhost", Config{}, token, "t~tUmUYUz8UjssgjdDKdL4eSEX_kBcCpPVNTzVwpZKK8s"},
		{"日本", Config{}, token, "t~wctNLyE1mhq7kNq9McWt71GFMZZPHUwCdAPXcYxNDgY"},
		{"123", Config{}, token, "t~gdQNlP7k-07rGiG7etuTwGqtNbkpwaKwJK4zs6m3niM"},
		{"123.0", Config{}, token, "t~tKpvXFocUGO4GCljg9hJmiAu2mx5YKiOOGzwmpwV8jg"},
		{guid, Config{}, reversible, guidRev},
		{"alice@acme.com", Config{}, reversible, "p~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMnKYUk8FJevl3wvFyZY0eF-@acme.com"},
		{"Alice+x@ACME.com", Config{}, reversible, "p~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMnAjjpQrP5-O3xznAmdRjQl1brJyY0T5rwbPJNkcmLoaQ@ACME.com"},
		{"a", Config{}, reversible, "p~GXgIBGPIlGjISutME1vktlp5YRU4l8-Q3aAl41NvHFbWAJoUkjBoByOb9VV7JISK"},
		{chat, Config{}, reversible, chatRev},
		{chat, Config{}, tokenized, chatRev},
		{guid, Config{}, tokenized, guidRev},
		{"Alice+x@ACME.com", Config{}, tokenized, "p~qmqG4gAbamnzgRJ7VuJVSLGlFULmKTLRXnQ2rAcnIlwjleFdtBDUejeb3HLCoQc2JxeBVJrLAEQAhzkGOKL_rw"},
		{"alice@acme.com", Config{Salt: "pepper", Key: "K3y"}, reversible, "p~B2xWfWSMiCF4_T1hW0xcCGlUyCPz65lyD9C9Vrk6NZH0t_9P0bqArfF8iYG-2lcf@acme.com"},
		{"alice@acme.com", Config{Salt: "sält", Key: "kéy"}, reversible, "p~J74Z7BxJSoiDN94mHBust5Efb4_y6F4fZmQYT_bX2kpXo3XlUsTgDeJuEyU0te6z@acme.com"},
		{guid, Config{Salt: "0123456789abcdef", Key: "correct horse battery staple"}, reversible, "p~ETW20CJ1_2Oah47Kq4OxFzyOZ24yRQQCzoHx0PR2sYcO65g5qMK4mRpILBVlls7Ljw2otqA0Qd_AW_gqw3agOWU0RizOw-_nN2fllK7Lxtw"},
		{"alice@acme.com", Config{}, jsonForm(JSONForm{}), `{"domain":"acme.com","hash":"` + alice + `"}`},
		{"Alice+x@ACME.com", Config{}, jsonForm(JSONForm{Original: true}), `{"domain":"ACME.com","hash":"` + alice + `","original":"Alice+x@ACME.com"}`},
		{guid, Config{}, jsonForm(JSONForm{}), `{"hash":"SIoJOpeSgYF7YUPQ28IWZexVuHyN9A80SJXrbfawKpA"}`},
		{"alice@acme.com", Config{}, jsonForm(JSONForm{Reversible: true}), `{"domain":"acme.com","hash":"` + alice + `","reversible":"p~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMnKYUk8FJevl3wvFyZY0eF-@acme.com"}`},
		{"HRTaskforce@M365x214355.onmicrosoft.com", Config{}, jsonForm(JSONForm{Original: true}), `{"domain":"M365x214355.onmicrosoft.com","hash":"fTO4QfBNOhWw3GVNW6CBnOEGcXqa--EgnerUt-o_xu0","original":"HRTaskforce@M365x214355.onmicrosoft.com"}`},
		{"alice@acme.com", Config{Domains: Tokenize}, token, "t~" + alice + "@h~v46z63x8plttB_GFx_6FSFM5iQQ-1VrRH6l1LVF5xy4"},
		{"Alice+x@ACME.com", Config{Domains: Tokenize}, token, "t~" + alice + "@h~ZGiWQgnWBgMn2q4LoZuh1VfElFgFq4m2WdlV3Fushr4"},
		{"alice@acme.com", Config{Domains: Encrypt}, token, "t~" + alice + "@e~v46z63x8plttB_GFx_6FSFM5iQQ-1VrRH6l1LVF5xy5RinGIJPlKhbKeCPO8O04s"},
		{"alice@acme.com", Config{Domains: Redact}, token, "t~" + alice},
		{"alice@acme.com", Config{}, hashOnly, alice},
		// The captured groups of a replacement keep their surroundings; here is what stands for the group.
		{"Alice@Acme.com", Config{}, token, "t~" + alice + "@Acme.com"},
		{"Alice@Acme.com", Config{}, reversible, "p~UFdK0TvVTvZ23c6QslyCy0o2MSq2DRtDjEXfTPJyyMk5hpBAXaVdHWJGmyyva_pD@Acme.com"},
	} {
		if got := v.form(codec(t, v.cfg), v.in); got != v.want {
			t.Errorf("%q with %+v\n got %s\nwant %s", v.in, v.cfg, got, v.want)
		}
	}
}
