package extproc

import (
	"strings"

	"github.com/graphveil/graphveil/extproc/wire"
	"github.com/graphveil/graphveil/policy"
)

// requestHead takes the pseudo-headers out of the message.
func requestHead(m *wire.Request) RequestHead {
	head := RequestHead{HasBody: !m.End, Caller: callerOf(m)}
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
	return head
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

// callerOf reads who calls from the attributes that Envoy was asked to send.
func callerOf(m *wire.Request) policy.Caller {
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
	return caller
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
