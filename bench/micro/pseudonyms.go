package micro

import (
	"context"
	"errors"
	"testing"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// pseudonyms measures each way to make a token, and to turn one back.
func pseudonyms(ctx context.Context, r *rig) ([]subject, error) {
	address, id := []byte("Alex.Wilber@contoso.example"), []byte("48d31887-5fad-4d73-a9f5-3c356e68a038")
	list, ip := []byte("Alex Wilber <alex.wilber@contoso.example>, megan@contoso.example"), []byte("198.51.100.7")
	url := []byte("/v1.0/users/48d31887-5fad-4d73-a9f5-3c356e68a038/messages?%24top=100&%24skip=100")
	binding := pseudonym.Binding{Connector: "outlook_mail", Endpoint: "sent_messages", Caller: "spiffe://example.org/reader", Path: "/v1.0/users/x/messages"}
	token := r.codec.AppendReversible(nil, id)
	sealed, ok := r.links.AppendSeal(nil, url, binding)
	if !ok {
		return nil, errors.New("sealing a link")
	}
	var all []subject
	add := func(what string, work func(dst []byte) ([]byte, bool)) {
		all = append(all, subject{situation: what, name: "graphveil", unit: "ns/op", run: func(b *testing.B) error {
			dst := make([]byte, 0, 1<<10)
			for range b.N {
				if made, ok := work(dst); !ok || len(made) == 0 {
					return errors.New("no token came of it")
				}
			}
			return nil
		}})
	}
	always := func(work func(dst, value []byte) []byte, value []byte) func([]byte) ([]byte, bool) {
		return func(dst []byte) ([]byte, bool) { return work(dst, value), true }
	}
	add("one-way, address", always(r.codec.AppendToken, address))
	add("one-way, id", always(r.codec.AppendToken, id))
	add("reversible, address", always(r.codec.AppendReversible, address))
	add("reversible, id", always(r.codec.AppendReversible, id))
	add("tokenized, id", always(r.codec.AppendTokenized, id))
	add("hash, id", always(r.codec.AppendHash, id))
	add("json, address", func(dst []byte) ([]byte, bool) {
		return r.codec.AppendJSON(dst, address, pseudonym.JSONForm{Reversible: true}), true
	})
	add("email header", func(dst []byte) ([]byte, bool) { return r.codec.AppendEmailHeader(dst, list, false) })
	add("ip address, hash", func(dst []byte) ([]byte, bool) { return r.codec.AppendIP(dst, ip, false) })
	add("ip address, encrypted", func(dst []byte) ([]byte, bool) { return r.codec.AppendIP(dst, ip, true) })
	add("reveal, id", func(dst []byte) ([]byte, bool) { return r.codec.AppendReveal(dst, token) })
	add("seal, link", func(dst []byte) ([]byte, bool) { return r.links.AppendSeal(dst, url, binding) })
	add("open, link", func(dst []byte) ([]byte, bool) { return r.links.AppendOpen(dst, sealed, binding) })
	return append(all, pageLink(ctx, r)), nil
}

// pageLink measures what a page costs more that has a next one: its link is read,
// led to an endpoint, and sealed. It does so on a page that has nothing else.
func pageLink(ctx context.Context, r *rig) subject {
	text := []byte(`{"value":[],"@odata.nextLink":"https://` + upstreamHost + `/v1.0/users/` + r.graph.UserID(0) +
		`/mailFolders/SentItems/messages?%24top=100&%24skip=100"}`)
	return subject{situation: "page link", name: "graphveil", unit: "ns/op", run: func(b *testing.B) error {
		return r.sanitize(ctx, b, r.mail(100), text, len(text))
	}}
}
