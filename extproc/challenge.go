package extproc

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxClaims bounds what a challenge may ask for, decoded, in bytes.
const maxClaims = 8 << 10

// claimsOf returns what the upstream wants the next access token to be asked for with: the JSON object in the claims challenge of a 401,
// or "" if there is none that is well-formed. It is for the token source alone, never for a record or a client.
//
// The form is WWW-Authenticate: Bearer …, error="insufficient_claims", claims="BASE64"
// (learn.microsoft.com/entra/identity-platform/claims-challenge).
func claimsOf(headers []Header) string {
	for _, h := range headers {
		if h.Name != "www-authenticate" {
			continue
		}
		for _, c := range parseChallenges(h.Value) {
			if c.scheme != "bearer" || c.params["error"] != "insufficient_claims" {
				continue
			}
			if claims := decodeClaims(c.params["claims"]); claims != "" {
				return claims
			}
		}
	}
	return ""
}

// decodeClaims takes both alphabets of base64 (RFC 4648, sections 4 and 5), with and without padding.
func decodeClaims(text string) string {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	if base64.RawStdEncoding.DecodedLen(len(text)) > maxClaims {
		return ""
	}
	claims, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return ""
	}
	if v := jsontext.Value(claims); !v.IsValid() || v.Kind() != '{' {
		return ""
	}
	return string(claims)
}

// authChallenge is one challenge of a WWW-Authenticate field.
type authChallenge struct {
	scheme string            // in lower case
	params map[string]string // names in lower case, values unquoted
}

// parseChallenges reads a field by the grammar of RFC 9110, section 11.6.1: a list of challenges, each of which has a list of parameters,
// with the same comma between all. A field with anything that does not fit, a parameter that is there twice included, has no challenges.
func parseChallenges(field string) []authChallenge {
	p := fieldParser{field}
	var all []authChallenge
	for p.commas(); p.rest != ""; p.commas() {
		name := strings.ToLower(p.token())
		if name == "" {
			return nil
		}
		blank := p.blanks()
		if p.rest != "" && p.rest[0] == '=' && len(all) > 0 && all[len(all)-1].params != nil {
			// A parameter of the last challenge.
			p.rest = p.rest[1:]
			p.blanks()
			value, ok := p.value()
			params := all[len(all)-1].params
			if _, twice := params[name]; !ok || twice || !p.ends() {
				return nil
			}
			params[name] = value
			continue
		}
		c := authChallenge{scheme: name, params: map[string]string{}}
		if blank && p.token68() {
			c.params = nil // it has no parameters then
		}
		all = append(all, c)
		if blank && c.params != nil && p.rest != "" && p.rest[0] != ',' {
			continue // its first parameter follows without a comma
		}
		if !p.ends() {
			return nil
		}
	}
	return all
}

// fieldParser consumes the elements of a header field (RFC 9110, section 5.6).
type fieldParser struct{ rest string }

// blanks consumes optional white space and says whether there was any.
func (p *fieldParser) blanks() bool {
	n := len(p.rest)
	p.rest = strings.TrimLeft(p.rest, " \t")
	return len(p.rest) < n
}

// commas consumes what stands between the members of a list, empty members included.
func (p *fieldParser) commas() { p.rest = strings.TrimLeft(p.rest, ", \t") }

// ends says whether a member of a list ends here.
func (p *fieldParser) ends() bool {
	p.blanks()
	return p.rest == "" || p.rest[0] == ','
}

// token consumes a token, which may turn out to be empty.
func (p *fieldParser) token() string {
	n := 0
	for n < len(p.rest) && isTokenByte(p.rest[n]) {
		n++
	}
	token := p.rest[:n]
	p.rest = p.rest[n:]
	return token
}

func isTokenByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0
}

// value consumes a token or a quoted string.
func (p *fieldParser) value() (string, bool) {
	if p.rest == "" || p.rest[0] != '"' {
		token := p.token()
		return token, token != ""
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", false // it does not end
}

// token68 consumes the other form of credentials, if it is all that is left of the member: a run of characters with "=" at its end alone.
func (p *fieldParser) token68() bool {
	n := 0
	for n < len(p.rest) && (isTokenByte(p.rest[n]) || p.rest[n] == '/') {
		n++
	}
	first := n
	for n < len(p.rest) && p.rest[n] == '=' {
		n++
	}
	if first == 0 {
		return false
	}
	after := fieldParser{p.rest[n:]}
	if !after.ends() {
		return false
	}
	p.rest = after.rest
	return true
}
