package micro

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/graphveil/graphveil/bench/peers"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// chunkings are how a body arrives; 16 KB is an HTTP/2 frame.
var chunkings = []struct {
	name string
	size int
}{{"whole", 1 << 30}, {"16KB", 16 << 10}, {"1KB", 1 << 10}, {"100B", 100}}

// sanitizer measures the bodies of exchanges beside what reads the same bytes.
// Only jsonparser does the same work, and none is as strict.
func sanitizer(ctx context.Context, r *rig) ([]subject, error) {
	pages, err := r.pages(ctx)
	if err != nil {
		return nil, err
	}
	var all []subject
	for _, p := range pages {
		for _, chunks := range chunkings {
			all = append(all, subject{situation: p.name + "/" + chunks.name, name: "graphveil", bytes: len(p.body),
				run: func(b *testing.B) error { return r.sanitize(ctx, b, p.target, p.body, chunks.size) }})
			if chunks.name != "whole" {
				continue
			}
			beside := func(name string, read func() error) {
				all = append(all, subject{situation: p.name + "/whole", name: name, bytes: len(p.body),
					run: func(b *testing.B) error { return reads(b, p, read) }})
			}
			var out []byte
			beside("jsonparser", func() error {
				var err error
				out, err = peers.Rewrite(out[:0], p.body, p.plan, plainTokens{r})
				return err
			})
			beside("jsontext", func() error { return valid(jsontext.Value(p.body).IsValid()) })
			beside("jsonparser-walk", func() error {
				_, err := peers.Walk(p.body)
				return err
			})
			beside("encoding/json", func() error { return valid(json.Valid(p.body)) })
		}
	}
	return all, nil
}

func valid(ok bool) error {
	if !ok {
		return errors.New("the body was refused")
	}
	return nil
}

// batch is how many exchanges are open at a time: few, so that they stay in the
// caches as those of a busy sidecar do.
const batch = 4

// sanitize measures what becomes of a body in an exchange, from its first byte to
// its last. Request and head come before, with the timer stopped; each body gets
// an exchange of its own, so that nothing is remembered from one to the next. What
// pools lend to exchanges is made by those of a first batch, which do not count: it
// stays, as in a sidecar that serves.
func (r *rig) sanitize(ctx context.Context, b *testing.B, target string, text []byte, size int) error {
	defer noCollector()()
	b.SetBytes(int64(len(text)))
	open := make([]*extproc.Exchange, 0, batch)
	var out []byte
	for done := -batch; done < b.N; done += len(open) {
		b.StopTimer()
		if done == 0 {
			b.ResetTimer()
		}
		open = open[:0]
		for range min(batch, b.N-done) {
			x, err := r.open(ctx, target)
			if err != nil {
				return err
			}
			open = append(open, x)
		}
		b.StartTimer()
		for _, x := range open {
			var err error
			if out, err = body(out[:0], x, text, size); err != nil {
				return err
			}
		}
		b.StopTimer()
		for _, x := range open {
			x.Close()
		}
	}
	return nil
}

// body appends what leaves of a body that arrives in chunks.
func body(dst []byte, x *extproc.Exchange, body []byte, size int) ([]byte, error) {
	var refusal *extproc.Refusal
	for len(body) > 0 && refusal == nil {
		n := min(size, len(body))
		dst, refusal = x.Body(dst, body[:n])
		body = body[n:]
	}
	if refusal == nil {
		dst, refusal = x.End(dst)
	}
	if refusal != nil {
		return nil, fmt.Errorf("sanitizing: %s %s", refusal.Code, x.BodyError())
	}
	return dst, nil
}

// reads measures what reads a body whole; the first time does not count, either.
func reads(b *testing.B, p page, read func() error) error {
	defer noCollector()()
	b.SetBytes(int64(len(p.body)))
	for i := range b.N + 1 {
		if i == 1 {
			b.ResetTimer()
		}
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// noCollector stops the garbage collector, which would run for what is prepared
// with the timer stopped; Go's benchmarks collect before each run. What is left
// is bounded by the time of a benchmark, and by a limit.
func noCollector() (restore func()) {
	limit := debug.SetMemoryLimit(1 << 30)
	percent := debug.SetGCPercent(-1)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// plainTokens makes the tokens of the plain implementation: straight calls.
type plainTokens struct{ *rig }

func (t plainTokens) AppendPseudonym(dst, value []byte) []byte {
	return t.codec.AppendToken(dst, value)
}

func (t plainTokens) AppendReversible(dst, value []byte) []byte {
	return t.codec.AppendReversible(dst, value)
}

func (t plainTokens) AppendTokenized(dst, value []byte) []byte {
	return t.codec.AppendTokenized(dst, value)
}

// AppendLink seals a link without looking where it leads.
func (t plainTokens) AppendLink(dst, url []byte) ([]byte, bool) {
	dst = append(dst, "https://graphveil.example/?$skiptoken="...)
	return t.links.AppendSeal(dst, url, pseudonym.Binding{Connector: "c", Endpoint: "e", Caller: "c", Path: "/p"})
}
