package extproc

import (
	"cmp"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/graphveil/graphveil/extproc/wire"
	"github.com/graphveil/graphveil/policy"
)

// claimsKey is where the bootstrap tells Envoy to put the claims of a verified token.
const claimsKey = "payload"

// requestHead takes the pseudo-headers out of the message.
func requestHead(m *wire.Request) (RequestHead, error) {
	caller, err := callerOf(m)
	if err != nil {
		return RequestHead{}, err
	}
	head := RequestHead{HasBody: !m.End, Caller: caller}
	head.Headers = m.Headers[:0]
	for _, h := range m.Headers {
		switch h.Name {
		case ":method":
			head.Method = h.Value
		case ":path":
			head.Target = h.Value
		case ":scheme":
			head.Scheme = h.Value
		case ":authority":
			head.Authority = h.Value
		default:
			if !strings.HasPrefix(h.Name, ":") {
				head.Headers = append(head.Headers, h)
			}
		}
	}
	return head, nil
}

func responseHead(m *wire.Request) ResponseHead {
	head := ResponseHead{End: m.End, Headers: m.Headers}
	for _, h := range m.Headers {
		if h.Name == ":status" {
			head.Status = parseStatus(h.Value)
		}
	}
	return head
}

// callerOf reads who calls from the attributes that Envoy was asked to send, and from
// the token that it verified.
func callerOf(m *wire.Request) (policy.Caller, error) {
	var caller policy.Caller
	for _, a := range m.Attributes {
		switch a.Name {
		case "source.address":
			caller.Address = a.Value
		case "connection.subject_peer_certificate":
			caller.Subject = a.Value
		case "connection.uri_san_peer_certificate":
			if strings.HasPrefix(a.Value, "spiffe://") {
				caller.SPIFFEID = a.Value
			}
		}
	}
	if m.Claims == "" {
		return caller, nil
	}
	var verified structpb.Struct
	if err := proto.Unmarshal([]byte(m.Claims), &verified); err != nil {
		return policy.Caller{}, errors.New("reading the caller's claims: malformed")
	}
	if claims := verified.GetFields()[claimsKey].GetStructValue(); claims != nil {
		caller.JWT = claims.AsMap()
	}
	return caller, nil
}

// identityOf is what tells callers apart: of their certificate and their token what
// there is. Tokens are of one issuer.
func identityOf(c policy.Caller) string {
	id := cmp.Or(c.SPIFFEID, c.Subject)
	if subject, _ := c.JWT["sub"].(string); subject != "" {
		id += "\x00" + subject // which no certificate has
	}
	return id
}

// unforwarded lists what the client sent and the policy does not forward.
func unforwarded(sent, set []Header) []string {
	var remove []string
next:
	for _, h := range sent {
		for _, f := range set {
			if f.Name == h.Name {
				continue next
			}
		}
		if envoysOwn[h.Name] {
			continue
		}
		remove = append(remove, h.Name)
	}
	return remove
}
