package extproc_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/graphveil/graphveil/extproc/extproctest"
)

// guardedPool is a pool of buffers that notices who does not keep the rules: a
// buffer that is given back twice, and one that is written after it was given back.
// Whoever reads one then reads poison, and is seen by the race detector.
type guardedPool struct {
	mu     sync.Mutex
	out    map[*[]byte]int // the sizes of the buffers that are given out
	bytes  int             // of them all
	got    int             // how often one was
	free   [][]byte
	faults []string
}

const poison = 0xa5

// resting is how many buffers wait, poisoned, before one is given out again.
const resting = 64

func newGuardedPool() *guardedPool { return &guardedPool{out: map[*[]byte]int{}} }

func (p *guardedPool) Get(length int) *[]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b []byte
	if len(p.free) > resting {
		b = p.free[0]
		p.free = p.free[1:]
		p.check(b)
	}
	if cap(b) < length {
		b = make([]byte, max(length, 2<<10))
	}
	b = b[:length]
	p.out[&b] = cap(b)
	p.bytes += cap(b)
	p.got++
	return &b
}

func (p *guardedPool) Put(b *[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, ok := p.out[b]
	if !ok {
		p.faults = append(p.faults, "a buffer was given back that was not given out")
		return
	}
	delete(p.out, b)
	p.bytes -= size
	whole := (*b)[:cap(*b)]
	for i := range whole {
		whole[i] = poison
	}
	p.free = append(p.free, whole)
}

func (p *guardedPool) check(b []byte) {
	if bytes.Count(b[:cap(b)], []byte{poison}) != cap(b) {
		p.faults = append(p.faults, "a buffer was written after it was given back")
	}
}

// report fails the test for every fault, and says how many bytes are out.
func (p *guardedPool) report(t *testing.T) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.free {
		p.check(b)
	}
	for _, fault := range p.faults {
		t.Error(fault)
	}
	if p.got < 100 {
		t.Errorf("only %d buffers were used", p.got)
	}
	return p.bytes
}

// guardedWorld is a world with a guarded pool, whose upstream answers with as many
// things as $top says, times perTop.
func guardedWorld(t *testing.T, end func(http.ResponseWriter)) (*world, *guardedPool) {
	w := newWorld(t)
	pool := newGuardedPool()
	w.server.SetBuffers(pool)
	w.Envoy = extproctest.New(t, w.server, http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		response.Header().Set("Content-Type", "application/json")
		n := 0
		fmt.Sscan(r.URL.Query().Get("$top"), &n)
		for chunk := thingsOf(perTop * n); chunk != ""; {
			m := min(len(chunk), frame)
			io.WriteString(response, chunk[:m])
			response.(http.Flusher).Flush()
			chunk = chunk[m:]
		}
		end(response)
	}))
	return w, pool
}

// perTop makes the largest page some chunks long.
const perTop = 40

func thingsOf(n int) string {
	var body strings.Builder
	body.WriteString(`{"value":[`)
	for i := range n {
		fmt.Fprintf(&body, `%.*s{"id":"id%d","owner":"owner%d@acme.example","size":%d,"secret":%q}`, min(i, 1), ",", i, i, i, strings.Repeat("CANARY", i%60))
	}
	body.WriteString(`]}`)
	return body.String()
}

// together asks for things many times at once and gives what came to check.
func together(w *world, check func(top int, r *extproctest.Response, err error)) {
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 5 {
				top := 1 + (worker+i)%10
				r, err := w.Do(context.Background(), extproctest.Request{Method: "GET", Target: fmt.Sprintf("/v1.0/things?$top=%d", top)})
				check(top, r, err)
			}
		})
	}
	wg.Wait()
}

// TestBuffersComeBack: each buffer is given back once, by whom it belongs to, and not
// touched afterwards; none is kept by an exchange that has ended, however it did.
func TestBuffersComeBack(t *testing.T) {
	plain := newWorld(t)
	want := map[int]string{}
	for top := 1; top <= 10; top++ {
		plain.upstream.body = thingsOf(perTop * top)
		want[top] = string(plain.get(t, fmt.Sprintf("/v1.0/things?$top=%d", top)).Body)
	}
	for name, test := range map[string]struct {
		end   func(http.ResponseWriter)
		check func(t *testing.T, top int, r *extproctest.Response, err error)
	}{
		"complete": {func(http.ResponseWriter) {}, func(t *testing.T, top int, r *extproctest.Response, err error) {
			if err != nil || r.Status != 200 || string(r.Body) != want[top] {
				t.Errorf("$top=%d: %v, or another body", top, err)
			}
		}},
		"with trailers": {func(w http.ResponseWriter) { w.Header().Set(http.TrailerPrefix+"X-Trailer", "CANARY") }, func(t *testing.T, top int, r *extproctest.Response, err error) {
			if err != nil || string(r.Body) != want[top] || len(r.Trailer) > 0 {
				t.Errorf("$top=%d: %v, or another body", top, err)
			}
		}},
		"malformed at the end": {func(w http.ResponseWriter) { io.WriteString(w, "CANARY") }, func(t *testing.T, top int, r *extproctest.Response, err error) {
			if err != nil || !r.Cut && r.Status != 502 {
				t.Errorf("$top=%d: %v, status %d, not cut", top, err, r.Status)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, pool := guardedWorld(t, test.end)
			together(w, func(top int, r *extproctest.Response, err error) { test.check(t, top, r, err) })
			w.GracefulStop()
			if left := pool.report(t); left > 0 {
				t.Errorf("%d bytes of buffers did not come back", left)
			}
		})
	}
}

// TestBuffersOfBrokenExchanges: when the stream breaks off somewhere, what gRPC holds
// then may go to the garbage collector, but nothing is given back twice or touched late.
func TestBuffersOfBrokenExchanges(t *testing.T) {
	w, pool := guardedWorld(t, func(http.ResponseWriter) {})
	chunk := extproctest.ResponseBody([]byte(`{"value":[`+strings.Repeat(`{"id":"a","size":1},`, 300)), false)
	next := extproctest.ResponseBody([]byte(strings.Repeat(`{"id":"a","size":1},`, 300)), false)
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			stream, err := w.Open(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			for m := range i {
				message := next
				switch m {
				case 0:
					message = getThings()
				case 1:
					message = ok()
				case 2:
					message = chunk
				}
				if err := stream.Send(message); err != nil {
					t.Error(err)
					return
				}
				if m == 1 {
					continue // the reply waits for the first chunk
				}
				r, err := stream.Recv()
				if err != nil {
					t.Error(err)
					return
				}
				if bytes.Contains(r.GetResponseBody().GetResponse().GetBodyMutation().GetStreamedResponse().GetBody(), []byte{poison}) {
					t.Error("poison in a reply")
				}
			}
		})
	}
	wg.Wait()
	w.Stop()
	pool.report(t)
}

// TestLongOutput: what a piece of the body becomes may be longer than Envoy takes at
// once. It is cut, nothing is lost, and the end is said once.
func TestLongOutput(t *testing.T) {
	w := newWorld(t)
	w.upstream.body = `{"value":[` + strings.Repeat(`{"id":"a"},`, 20_000) + `{}]}`
	whole := w.get(t, "/v1.0/things")
	w.upstream.chunk = 1000
	pieces := w.get(t, "/v1.0/things")
	if whole.Status != 200 || whole.Cut || len(whole.Body) < 4*len(w.upstream.body) || !bytes.Equal(whole.Body, pieces.Body) {
		t.Errorf("status %d, cut %v, %d bytes in one go, %d in pieces", whole.Status, whole.Cut, len(whole.Body), len(pieces.Body))
	}
}

// TestBackpressure: what waits for a client that does not read is bounded: Send
// blocks, so the body is not received, so Envoy stops reading the upstream.
func TestBackpressure(t *testing.T) {
	// gRPC's quota for what is written and not sent is 64 KiB for each stream, and the
	// message that exceeds it goes too; received is at most the window of 256 KiB, and
	// the message that is handled. Buffers are at least a quarter full.
	const bound = 4 * (64 + 64 + 256 + 64) << 10
	for name, piece := range map[string]string{
		"all is kept":    strings.Repeat(`{"size":1234567},`, 900),
		"little is kept": `{"size":1,"secret":"` + strings.Repeat("CANARY", 300) + `"},`,
	} {
		t.Run(name, func(t *testing.T) {
			w, pool := guardedWorld(t, nil)
			stream, err := w.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []message{getThings(), ok(), extproctest.ResponseBody([]byte(`{"value":[`), false)} {
				if err := stream.Send(m); err != nil {
					t.Fatal(err)
				}
			}
			before := heap()
			sent := make(chan int, 100_000)
			go func() {
				for i := 0; i < cap(sent) && stream.Send(extproctest.ResponseBody([]byte(piece), false)) == nil; i++ {
					sent <- len(piece)
				}
			}()
			for n := -1; n != len(sent) && len(sent) < 20_000; time.Sleep(300 * time.Millisecond) {
				n = len(sent)
			}
			if len(sent) < 20 {
				t.Errorf("only %d pieces were sent: nothing to bound", len(sent))
			}
			pool.mu.Lock()
			waiting := pool.bytes
			pool.mu.Unlock()
			grown := int64(heap()) - int64(before)
			t.Logf("%d KiB sent, %d KiB of buffers wait, the heap has grown by %d KiB", len(sent)*len(piece)>>10, waiting>>10, grown>>10)
			if waiting > bound || grown > 8<<20 {
				t.Errorf("more than %d KiB, or than 8 MiB", bound>>10)
			}
		})
	}
}

// heap is what is live after a collection, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
