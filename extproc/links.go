package extproc

import (
	"strings"

	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/policy/odata"
)

// pageOption carries a sealed link to a page, deltaOption one to what has changed
// since. OData reserves the names for the state of server-driven paging and of
// change tracking (OData 4.01 protocol, sections 11.2.6.7 and 11.3), so clients pass
// them back untouched.
const (
	pageOption  = "skiptoken"
	deltaOption = "deltatoken"
)

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
		if (o.Name == pageOption || o.Name == deltaOption) && strings.HasPrefix(o.Value, pseudonym.SealedPrefix) {
			sealed = o.Value
		}
	}
	if sealed == "" {
		return nil, nil
	}
	if len(t.Options) != 1 {
		return nil, &Refusal{Code: "link_not_alone"}
	}
	raw, ok := x.keys.links.AppendOpen(nil, []byte(sealed), x.binding)
	if !ok {
		return nil, &Refusal{Code: "link_not_valid"}
	}
	target, err := odata.ParseSealed(string(raw))
	if err != nil {
		return nil, &Refusal{Code: "link_not_valid"}
	}
	return &openedLink{raw: string(raw), target: target}, nil
}

// AppendLink seals an absolute URL of the upstream, to whichever endpoint of the
// connector it leads. The link that the client gets has the path by which the
// client asks for that endpoint, with tokens for ids; everything the upstream
// wrote, which often embeds ids (graph-facts, paging), is inside the seal, and that
// is bound to endpoint, path and caller.
func (t tokens) AppendLink(dst, url []byte) ([]byte, bool) { return t.appendLink(dst, url) }

func (x *Exchange) appendLink(dst, url []byte) ([]byte, bool) {
	const scheme = "https://"
	s := string(url)
	if len(s) < len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) {
		return dst, false
	}
	host, rest, ok := strings.Cut(s[len(scheme):], "/")
	if !ok || !strings.EqualFold(strings.TrimSuffix(host, ":443"), x.gateway.upstream) {
		return dst, false
	}
	target, err := odata.ParseSealed("/" + rest)
	if err != nil {
		return dst, false
	}
	link, ok := x.snapshot.Link(x.binding.Connector, target)
	if !ok {
		return dst, false
	}
	params := link.Route.Params
	path := link.Route.AppendPath(nil, func(i int) string { return params[i].Value })
	clientPath := link.Route.AppendPath(nil, func(i int) string {
		switch value := []byte(params[i].Value); {
		case params[i].Tokenized:
			return string(x.keys.codec.AppendTokenized(nil, value))
		case params[i].Reversible:
			return string(x.keys.codec.AppendReversible(nil, value))
		}
		return params[i].Value
	})
	if path == nil || clientPath == nil {
		return dst, false
	}
	binding := x.binding
	binding.Endpoint, binding.Path = link.Route.Endpoint, string(path)
	option := pageOption
	if link.Delta {
		option = deltaOption
	}
	n := len(dst)
	dst = append(append(dst, x.origin...), clientPath...)
	dst = append(dst, "?$"+option+"="...)
	if dst, ok = x.keys.links.AppendSeal(dst, []byte("/"+rest), binding); !ok {
		return dst[:n], false
	}
	return dst, true
}
