package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/graph"
)

// TestEndlessBody: a page that never ends is cut off when an exchange has taken
// as long as it may, though something always moves; as a cut, never as an end.
func TestEndlessBody(t *testing.T) {
	l := newLab(t, nil)
	l.config.Envoy.Timeouts.Idle = time.Second
	l.config.Envoy.Timeouts.Exchange = 3 * time.Second
	l.config.Envoy.Retry.Count = -1
	r := l.start()
	record := fmt.Sprintf(`{"id":%q,"displayName":%q,"department":%q}`, l.Graph.UserID(0), personalMark, sharedMark)
	l.Graph.Inject(graph.Fault{
		Times: len(protocols), Header: http.Header{"Content-Type": {"application/json"}}, ChunkSize: len(record) + 1, Delay: 50 * time.Millisecond,
		Body: func(w io.Writer) error {
			_, err := io.WriteString(w, `{"value":[`+record)
			for err == nil {
				_, err = io.WriteString(w, ","+record)
			}
			return err
		},
	})
	var wg sync.WaitGroup
	for _, protocol := range protocols {
		wg.Go(func() {
			began := time.Now()
			response := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: "/v1.0/users"})
			if got := response.String(); got != "200, "+endCut {
				t.Errorf("%s: got %s", protocol, got)
			}
			if took := time.Since(began); took < 2*time.Second || took > 10*time.Second {
				t.Errorf("%s: cut after %v", protocol, took)
			}
			if n := bytes.Count(response.body, []byte(sharedMark)); n < 10 {
				t.Errorf("%s: %d records came until then", protocol, n)
			}
			if found := leaks(string(response.seen)+string(response.body), l.canaries()); found != nil {
				t.Errorf("%s: leaked: %v", protocol, found)
			}
		})
	}
	wg.Wait()
	for _, protocol := range protocols {
		if after := call(t, r.address, l.tls(), wireCall{protocol: protocol, target: "/v1.0/users"}); after.String() != "200" {
			t.Errorf("%s, afterwards: %s", protocol, &after)
		}
	}
}
