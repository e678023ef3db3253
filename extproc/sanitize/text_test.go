package sanitize

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The expected texts are those of Java's Double.toString, JDK 19 and later.
func TestNumberText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"0", "0"},
		{"-0", "0"},
		{"1", "1"},
		{"-17", "-17"},
		{"123456789012", "123456789012"},
		{"9223372036854775808", "9223372036854775808"},
		{"-123456789012345678901234567890", "-123456789012345678901234567890"},
		{"0.0", "0.0"},
		{"-0.0", "-0.0"},
		{"0e5", "0.0"},
		{"-0E-5", "-0.0"},
		{"1.10", "1.1"},
		{"1.0", "1.0"},
		{"1e0", "1.0"},
		{"1e1", "10.0"},
		{"12e0", "12.0"},
		{"1e2", "100.0"},
		{"1E+2", "100.0"},
		{"1.5e2", "150.0"},
		{"123.0", "123.0"},
		{"123.456", "123.456"},
		{"4.35", "4.35"},
		{"0.1", "0.1"},
		{"0.01", "0.01"},
		{"0.012", "0.012"},
		{"0.001", "0.001"},
		{"2E-3", "0.002"},
		{"0.0010000000000000002", "0.0010000000000000002"},
		{"0.00099999", "9.9999E-4"},
		{"0.0001", "1.0E-4"},
		{"-0.00012", "-1.2E-4"},
		{"9999999.0", "9999999.0"},
		{"9999999.999", "9999999.999"},
		{"1234567.8", "1234567.8"},
		{"10000000.0", "1.0E7"},
		{"1e7", "1.0E7"},
		{"12345678.9", "1.23456789E7"},
		{"1e21", "1.0E21"},
		{"2e23", "2.0E23"},
		{"1e23", "1.0E23"},
		{"8.41E21", "8.41E21"},
		{"2.0E-3", "0.002"},
		{"9007199254740993.0", "9.007199254740992E15"},
		{"2.2250738585072014E-308", "2.2250738585072014E-308"},
		{"1.7976931348623157e308", "1.7976931348623157E308"},
		{"5e-324", "4.9E-324"},
		{"4.9e-324", "4.9E-324"},
		{"1e-323", "9.9E-324"},
		{"2e-323", "2.0E-323"},
		{"1e-400", "0.0"},
		{"-1e-400", "-0.0"},
		{"1e400", "Infinity"},
		{"-1e400", "-Infinity"},
		{"1.0e309", "Infinity"},
	} {
		if got := string(appendNumberText([]byte("#"), []byte(tt.in))); got != "#"+tt.want {
			t.Errorf("text of %s = %s, want #%s", tt.in, got, tt.want)
		}
	}
}

// Whatever the digits are, they must read back as the same double.
func TestNumberTextReadsBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		x := math.Float64frombits(rng.Uint64())
		if rng.IntN(2) == 0 {
			x = float64(rng.IntN(1<<30)) / float64(int(1)<<rng.IntN(40))
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		in := strconv.FormatFloat(x, 'e', -1, 64)
		got := string(appendNumberText(nil, []byte(in)))
		back, err := strconv.ParseFloat(got, 64)
		if err != nil || back != x {
			t.Fatalf("text of %s = %s, reads back as %v", in, got, back)
		}
		mantissa, exponent, scientific := strings.Cut(got, "E")
		if abs := math.Abs(x); scientific == (abs >= 1e-3 && abs < 1e7 || x == 0) {
			t.Fatalf("text of %s = %s, wrong notation", in, got)
		}
		if whole, fraction, ok := strings.Cut(mantissa, "."); !ok || fraction == "" || whole == "" ||
			scientific && len(strings.TrimPrefix(whole, "-")) != 1 || strings.HasPrefix(exponent, "+") {
			t.Fatalf("text of %s = %s, malformed", in, got)
		}
		if len(mantissa[strings.IndexByte(mantissa, '.')+1:]) > 1 && strings.HasSuffix(mantissa, "0") {
			t.Fatalf("text of %s = %s, zero at the end", in, got)
		}
	}
}

func TestBlank(t *testing.T) {
	// Java's Character.isWhitespace, from its documentation and Unicode's Zs, Zl
	// and Zp.
	white := "\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680" +
		"\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a\u2028\u2029\u205f\u3000"
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		if got, want := blank([]byte(string(r))), strings.ContainsRune(white, r); got != want {
			t.Errorf("blank(%U) = %v, want %v", r, got, want)
		}
	}
	for in, want := range map[string]bool{
		"": true, white: true, white + white: true, "  x": false, "x  ": false, white + "\u00a0": false,
		"\ufffd": false,
	} {
		if got := blank([]byte(in)); got != want {
			t.Errorf("blank(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestAppendEscaped(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"plain text that is longer than eight bytes", "plain text that is longer than eight bytes"},
		{"\"\\/\b\f\n\r\t", `\"\\/\b\f\n\r\t`},
		{"\x00\x01\x1f\x7f", `\u0000\u0001\u001F` + "\x7f"},
		{"é日😀\u2028<>&", "é日😀\u2028<>&"},
		{"12345678\n12345678\"é", `12345678\n12345678\"é`},
		{"a\xffb\xe2\x82", "a\ufffdb\ufffd\ufffd"},
		{"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
	} {
		if got := string(appendEscaped([]byte("#"), []byte(tt.in))); got != "#"+tt.want {
			t.Errorf("appendEscaped(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	for c := range 0x100 {
		in := "some text " + string(rune(c)) + " more"
		var back string
		if err := json.Unmarshal(append(appendEscaped([]byte{'"'}, []byte(in)), '"'), &back); err != nil || back != in {
			t.Errorf("appendEscaped(%q) reads back as %q, %v", in, back, err)
		}
	}
}

func TestPlainPrefix(t *testing.T) {
	// Every byte at every place of the words, after every byte that could borrow
	// from it.
	for before := range 0x100 {
		for c := range 0x100 {
			for at := range 17 {
				b := []byte("aaaaaaaaaaaaaaaaaaaaaaaaaaa")
				b[at], b[at+1] = byte(c), byte(before)
				want := 0
				for want < len(b) && b[want] >= 0x20 && b[want] < 0x80 && b[want] != '"' && b[want] != '\\' {
					want++
				}
				if got := plainPrefix(b); got != want {
					t.Fatalf("plainPrefix(%q) = %d, want %d", b, got, want)
				}
			}
		}
	}
}

// A phrase is passed over only if it is not in the text.
func TestPhrasesPassedOver(t *testing.T) {
	rng := newRand(3)
	letters := []rune("aAbB1_ :-.é\t")
	random := func(n int) string {
		var b strings.Builder
		for range rng.IntN(n) {
			b.WriteRune(letters[rng.IntN(len(letters))])
		}
		return b.String()
	}
	for range 100_000 {
		text, phrase := random(12), random(4)
		want := "x"
		if at := findPhrase([]byte(text), phrase); at >= 0 {
			want += text[at : at+len(phrase)]
		}
		if got := string(appendPhrases([]byte("x"), []byte(text), []string{phrase})); got != want {
			t.Fatalf("%q in %q: %q, want %q", phrase, text, got, want)
		}
		if got, want := string(appendPhrases(nil, []byte(text), []string{phrase, phrase})), want[1:]+","+want[1:]; findPhrase([]byte(text), phrase) >= 0 && got != want {
			t.Fatalf("%q twice in %q: %q, want %q", phrase, text, got, want)
		}
	}
}
