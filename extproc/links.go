package extproc

import (
	"strings"

	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/policy/odata"
)

// linkOption carries a sealed link. OData reserves the name for the state of
// server-driven paging (OData 4.01 protocol, section 11.2.6.7), so clients pass it
// back untouched.
const linkOption = "skiptoken"

// openedLink is a page link of the upstream that came back sealed.
type openedLink struct {
	raw    string // path and query, as the upstream wrote them
	target odata.Target
}

// openLink returns the sealed link that a request carries, or nil. A link that
// was sealed for another connector, endpoint, caller or path, or by another key,
// is refused like one that was made up.
func (x *Exchange) openLink(t odata.Target) (*openedLink, *Refusal) {
	sealed := ""
	for _, o := range t.Options {
		if o.Name == linkOption && strings.HasPrefix(o.Value, pseudonym.SealedPrefix) {
			sealed = o.Value
		}
	}
	if sealed == "" {
		return nil, nil
	}
	if len(t.Options) != 1 {
		return nil, &Refusal{Code: "link_not_alone"}
	}
	raw, ok := x.gateway.links.AppendOpen(nil, []byte(sealed), x.binding)
	if !ok {
		return nil, &Refusal{Code: "link_not_valid"}
	}
	target, err := odata.ParseSealed(string(raw))
	if err != nil {
		return nil, &Refusal{Code: "link_not_valid"}
	}
	return &openedLink{raw: string(raw), target: target}, nil
}

// AppendLink seals an absolute URL of the upstream. The link that the client
// gets has the path that it asked for; everything the upstream wrote, which
// often embeds ids (graph-facts, paging), is inside the seal.
func (t tokens) AppendLink(dst, url []byte) ([]byte, bool) {
	const scheme = "https://"
	s := string(url)
	if len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return dst, false
	}
	host, rest, ok := strings.Cut(s[len(scheme):], "/")
	if !ok || !strings.EqualFold(strings.TrimSuffix(host, ":443"), t.gateway.upstream) {
		return dst, false
	}
	target, err := odata.ParseSealed("/" + rest)
	if err != nil || !t.snapshot.SameEndpoint(t.binding.Connector, t.binding.Endpoint, target) {
		return dst, false
	}
	n := len(dst)
	dst = append(dst, t.origin...)
	dst = append(dst, t.path...)
	dst = append(dst, "?$"+linkOption+"="...)
	dst, ok = t.gateway.links.AppendSeal(dst, []byte("/"+rest), t.binding)
	if !ok {
		return dst[:n], false
	}
	return dst, true
}
