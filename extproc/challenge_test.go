package extproc

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	sampleClaims = `{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}`
	// The example of learn.microsoft.com/entra/identity-platform/claims-challenge.
	docClaims = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ=="
)

func TestClaimsOf(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(sampleClaims))
	odd := `{"a":"ÿÿ>>??þþ"}` // + and / in the one alphabet, - and _ in the other, and padding
	for name, test := range map[string]struct {
		want   string
		fields []string
	}{
		"none":                    {"", nil},
		"documentation":           {`{"access_token":{"acrs":{"essential":true,"value":"cp1"}}}`, []string{`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", error="insufficient_claims", claims="` + docClaims + `"`}},
		"as Graph does":           {sampleClaims, []string{`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims", claims="` + encoded + `"`}},
		"error last":              {sampleClaims, []string{`Bearer claims="` + encoded + `", error="insufficient_claims"`}},
		"in any case":             {sampleClaims, []string{`BEARER Error="insufficient_claims",CLAIMS="` + encoded + `"`}},
		"blanks":                  {sampleClaims, []string{"Bearer  error = \"insufficient_claims\" ,\t claims= \"" + encoded + `" `}},
		"error unquoted":          {sampleClaims, []string{`Bearer error=insufficient_claims, claims="` + encoded + `"`}},
		"empty members":           {sampleClaims, []string{`,, Bearer error="insufficient_claims",, claims="` + encoded + `",`}},
		"escaped":                 {sampleClaims, []string{`Bearer error="insufficient\_claims", realm="a\"b, c=\\", claims="\` + encoded + `"`}},
		"std":                     {odd, []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(odd)) + `"`}},
		"raw std":                 {odd, []string{`Bearer error="insufficient_claims", claims="` + base64.RawStdEncoding.EncodeToString([]byte(odd)) + `"`}},
		"url":                     {odd, []string{`Bearer error="insufficient_claims", claims="` + base64.URLEncoding.EncodeToString([]byte(odd)) + `"`}},
		"raw url":                 {odd, []string{`Bearer error="insufficient_claims", claims="` + base64.RawURLEncoding.EncodeToString([]byte(odd)) + `"`}},
		"after another scheme":    {sampleClaims, []string{`Basic realm="x", Bearer error="insufficient_claims", claims="` + encoded + `"`}},
		"after a bare scheme":     {sampleClaims, []string{`Negotiate, Bearer error="insufficient_claims", claims="` + encoded + `"`}},
		"after credentials":       {sampleClaims, []string{`Negotiate a+/b==, Bearer error="insufficient_claims", claims="` + encoded + `"`}},
		"before another scheme":   {sampleClaims, []string{`Bearer error="insufficient_claims", claims="` + encoded + `", Basic realm="x"`}},
		"in the second field":     {sampleClaims, []string{`Bearer realm="`, `Bearer error="insufficient_claims", claims="` + encoded + `"`}},
		"in the second challenge": {sampleClaims, []string{`Bearer error="invalid_token", Bearer error="insufficient_claims", claims="` + encoded + `"`}},

		"another error":         {"", []string{`Bearer error="invalid_token", claims="` + encoded + `"`}},
		"no error":              {"", []string{`Bearer realm="", claims="` + encoded + `"`}},
		"error of another":      {"", []string{`Bearer error="insufficient_claims", Basic claims="` + encoded + `"`}},
		"another scheme":        {"", []string{`PoP error="insufficient_claims", claims="` + encoded + `"`}},
		"no claims":             {"", []string{`Bearer error="insufficient_claims"`}},
		"empty claims":          {"", []string{`Bearer error="insufficient_claims", claims=""`}},
		"claims twice":          {"", []string{`Bearer error="insufficient_claims", claims="` + encoded + `", claims="` + docClaims + `"`}},
		"unquoted with padding": {"", []string{`Bearer error="insufficient_claims", claims=` + docClaims}},
		"not base64":            {"", []string{`Bearer error="insufficient_claims", claims="{}"`}},
		"blanks in base64":      {"", []string{`Bearer error="insufficient_claims", claims="` + encoded[:8] + " " + encoded[8:] + `"`}},
		"line break in base64":  {"", []string{`Bearer error="insufficient_claims", claims="` + encoded[:8] + "\n" + encoded[8:] + `"`}},
		"cut base64":            {"", []string{`Bearer error="insufficient_claims", claims="` + encoded[:9] + `"`}},
		"not JSON":              {"", []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(sampleClaims[1:])) + `"`}},
		"an array":              {"", []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(`[]`)) + `"`}},
		"null":                  {"", []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(`null`)) + `"`}},
		"a name twice":          {"", []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(`{"a":1,"a":2}`)) + `"`}},
		"not UTF-8":             {"", []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte("{\"a\":\"\xff\"}")) + `"`}},
		"too large":             {"", []string{`Bearer error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(`{"a":"`+strings.Repeat("x", maxClaims)+`"}`)) + `"`}},
		"open quote":            {"", []string{`Bearer error="insufficient_claims", claims="` + encoded}},
		"open escape":           {"", []string{`Bearer error="insufficient_claims", claims="` + encoded + `\`}},
		"no comma":              {"", []string{`Bearer error="insufficient_claims" claims="` + encoded + `"`}},
		"no value":              {"", []string{`Bearer error="insufficient_claims", claims=`}},
		"control character":     {"", []string{"Bearer realm=\"\x01\", error=\"insufficient_claims\", claims=\"" + encoded + `"`}},
		"no scheme":             {"", []string{`error="insufficient_claims", claims="` + encoded + `"`}},
		"a parameter of none":   {"", []string{`Negotiate ab==, error="insufficient_claims", claims="` + encoded + `"`}},
		"something behind":      {"", []string{`Bearer error="insufficient_claims", claims="` + encoded + `" ?`}},
	} {
		var headers []Header
		for _, f := range test.fields {
			headers = append(headers, Header{Name: "x-other", Value: f}, Header{Name: "www-authenticate", Value: f})
		}
		if got := claimsOf(headers); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	just := `{"a":"` + strings.Repeat("x", maxClaims-8) + `"}`
	if got := decodeClaims(base64.StdEncoding.EncodeToString([]byte(just))); got != just {
		t.Errorf("%d bytes of claims are refused", len(just))
	}
}

// FuzzClaims: whatever comes, what goes on to Entra is one bounded JSON object.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`Bearer realm="", error="insufficient_claims", claims="` + docClaims + `"`, `Negotiate ab==, Bearer error=x`, `Bearer a="\"", b = c`, `,,`, `=`, `a =b`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		claims := claimsOf([]Header{{Name: "www-authenticate", Value: field}})
		if claims == "" {
			return
		}
		if v := jsontext.Value(claims); len(claims) > maxClaims || !v.IsValid() || v.Kind() != '{' {
			t.Errorf("claims %q", claims)
		}
	})
}
