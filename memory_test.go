package main

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/graphveil/graphveil/extproc"
)

// Memory does not grow with the body: a page of 128 MB passes in chunks as Envoy
// sends them, and what the process holds stays where it was.
func TestMemoryIsBounded(t *testing.T) {
	const size, allowed = 128 << 20, 8 << 20
	g := testGateway(t, "outlook_mail", map[string]string{"ids": "clear"})
	x := g.NewExchange()
	defer x.Close()
	head := requestHeadOf("GET", "/v1.0/users/"+alice+"/mailFolders/SentItems/messages")
	if _, refusal := x.Request(t.Context(), head); refusal != nil {
		t.Fatal(refusal)
	}
	_, refusal := x.Response(extproc.ResponseHead{Status: 200, Headers: []extproc.Header{{Name: "content-type", Value: "application/json"}}})
	if refusal != nil {
		t.Fatal(refusal)
	}
	record := func(i int) []byte {
		return fmt.Appendf(nil, `{"id":"m%d","subject":"CANARY","isRead":true,"from":{"emailAddress":{"name":"CANARY","address":"u%d@contoso.example"}},"body":{"content":"%s"}},`, i, i, bytes.Repeat([]byte("<p>CANARY</p>"), 1000))
	}
	out := make([]byte, 0, 1<<20)
	feed := func(chunk []byte) {
		if out, refusal = x.Body(out[:0], chunk); refusal != nil {
			t.Fatal(refusal)
		}
		if bytes.Contains(out, []byte("CANARY")) {
			t.Fatal("a value that must not leave did")
		}
	}
	feed([]byte(`{"value":[`))
	feed(record(0))
	before, peak := heap(), uint64(0)
	for i, n := 1, 0; n < size; i++ {
		chunk := record(i)
		n += len(chunk)
		feed(chunk)
		if i%2000 == 0 {
			peak = max(peak, heap())
		}
	}
	feed([]byte(`{}]}`))
	if _, refusal := x.End(nil); refusal != nil {
		t.Fatal(refusal)
	}
	if peak > before+allowed {
		t.Errorf("the heap grew from %d to %d bytes over a body of %d", before, peak, size)
	}
}

// heap is what is live after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
