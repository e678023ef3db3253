package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// target serves h over TLS and counts connections. The Config asks it.
func target(t *testing.T, http2 bool, h http.HandlerFunc) (Config, *atomic.Int64) {
	t.Helper()
	opened := &atomic.Int64{}
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return Config{URLs: []string{s.URL + "/"}, HTTP2: http2, Roots: roots, Duration: 200 * time.Millisecond}, opened
}

func do(t *testing.T, how func(context.Context, Config) (*Report, error), c Config) *Report {
	t.Helper()
	r, err := how(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestProtocolsAndConnections(t *testing.T) {
	for name, test := range map[string]struct {
		http2                bool
		protocol             string
		connections, expects int
	}{
		"h1":                     {false, "HTTP/1.1", 0, 8},
		"h2, one connection":     {true, "HTTP/2.0", 0, 1},
		"h2, three connections":  {true, "HTTP/2.0", 3, 3},
		"h2, as many as workers": {true, "HTTP/2.0", 8, 8},
	} {
		t.Run(name, func(t *testing.T) {
			var inFlight, most atomic.Int64
			c, opened := target(t, test.http2, func(w http.ResponseWriter, r *http.Request) {
				n := inFlight.Add(1)
				defer inFlight.Add(-1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				for end := time.Now().Add(10 * time.Second); most.Load() < 8 && time.Now().Before(end); {
					time.Sleep(time.Millisecond) // all come, however busy the machine is
				}
				if r.Proto != test.protocol || r.Header.Get("X-Test") != "yes" || r.Header.Get("X-Vegeta-Seq") != "" || r.Header.Get("Accept-Encoding") != "" {
					w.WriteHeader(http.StatusTeapot)
				}
				time.Sleep(5 * time.Millisecond)
				io.WriteString(w, "hello")
			})
			c.Workers, c.Connections, c.Header = 8, test.connections, http.Header{"X-Test": {"yes"}}
			r := do(t, Max, c)
			if r.Failed() != 0 || r.Requests() < 8 || r.FirstFailure != "" {
				t.Errorf("%d of %d failed: %s", r.Failed(), r.Requests(), r.FirstFailure)
			}
			if r.Bytes != 5*r.Requests() || uint64(r.Latency.TotalCount()) != r.Requests() {
				t.Errorf("%d requests, %d bytes, %d latencies", r.Requests(), r.Bytes, r.Latency.TotalCount())
			}
			if opened.Load() != int64(test.expects) {
				t.Errorf("%d connections, want %d", opened.Load(), test.expects)
			}
			if most.Load() != 8 {
				t.Errorf("at most %d requests in flight, want 8", most.Load())
			}
		})
	}
}

// Where the server allows too few streams on a connection (net/http: 250) there are more.
func TestMoreWorkersThanStreams(t *testing.T) {
	const many = 300
	var came atomic.Int64
	all := make(chan struct{})
	c, opened := target(t, true, func(http.ResponseWriter, *http.Request) {
		if came.Add(1) == many {
			close(all)
		}
		select {
		case <-all:
		case <-time.After(10 * time.Second): // fewer than many are let through
		}
	})
	c.Workers, c.Duration = 600, time.Second
	r := do(t, Max, c)
	if r.Failed() != 0 || r.Requests() < many || opened.Load() < 2 || opened.Load() > 20 {
		t.Errorf("%d of %d failed on %d connections: %s", r.Failed(), r.Requests(), opened.Load(), r.FirstFailure)
	}
}

// A server that stands still for half a second once is half a second late for
// whoever would have asked meanwhile: at 200 a second about 100 of 600 requests.
// That is so too where one request is in flight at most, for then the others are
// sent late.
func TestStallIsCountedFromTheSchedule(t *testing.T) {
	for name, workers := range map[string]int{"open": 0, "one worker": 1} {
		t.Run(name, func(t *testing.T) {
			median := stall(t, workers)
			for again := 0; median > 100*time.Millisecond && again < 2; again++ { // the machine may have been busy
				median = stall(t, workers)
			}
			if median > 100*time.Millisecond {
				t.Errorf("p50 %v: most requests came before or after it", median)
			}
		})
	}
}

// stall is the median latency with a server that stands still once.
func stall(t *testing.T, workers int) time.Duration {
	t.Helper()
	var mu sync.Mutex
	var n atomic.Int64
	c, _ := target(t, true, func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n.Add(1) == 200 {
			time.Sleep(500 * time.Millisecond)
		}
	})
	c.Rate, c.Duration, c.Workers = 200, 3*time.Second, workers
	r := do(t, Fixed, c)
	if r.Failed() != 0 || r.Requests() != 600 {
		t.Fatalf("%d requests, %d failed, want 600 and none", r.Requests(), r.Failed())
	}
	at := func(percentile float64) time.Duration { return time.Duration(r.Latency.ValueAtPercentile(percentile)) }
	if at(99) < 400*time.Millisecond || at(90) < 150*time.Millisecond {
		t.Errorf("p90 %v and p99 %v do not show the stall", at(90), at(99))
	}
	return at(50)
}

// Requests that are due before the end are sent, though the server is slower.
func TestEveryRequestThatIsDueIsSent(t *testing.T) {
	c, _ := target(t, false, func(http.ResponseWriter, *http.Request) { time.Sleep(20 * time.Millisecond) })
	c.Rate, c.Workers = 200, 1
	r := do(t, Fixed, c)
	if r.Requests() != 40 {
		t.Errorf("%d requests, want 40", r.Requests())
	}
	if last := time.Duration(r.Latency.Max()); last < 500*time.Millisecond {
		t.Errorf("the last of them took %v, want about 600ms", last)
	}
}

// When nearly all of a body has been sent and read, none of it is in memory. Both ends are in this process.
func TestLargeBodiesAreReadAndNotKept(t *testing.T) {
	const size = 64 << 20
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	piece := make([]byte, 1<<20)
	var most atomic.Int64
	c, _ := target(t, true, func(w http.ResponseWriter, _ *http.Request) {
		for range size / len(piece) {
			w.Write(piece)
		}
		most.Store(max(most.Load(), live()))
	})
	c.Workers, c.Duration = 1, time.Millisecond
	before := live()
	r := do(t, Max, c)
	if r.Failed() != 0 || r.Bytes != size*r.Requests() {
		t.Errorf("%d bytes of %d requests, %s", r.Bytes, r.Requests(), r.FirstFailure)
	}
	if grown := most.Load() - before; most.Load() == 0 || grown > size/4 {
		t.Errorf("%d bytes more in use during a body of %d", grown, size)
	}
}

func TestFailuresAreCountedAndDescribed(t *testing.T) {
	for name, test := range map[string]struct {
		http2  bool
		serve  http.HandlerFunc
		adjust func(*Config)
		status int
		text   string
	}{
		"status": {true, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "SECRET", http.StatusTooManyRequests) }, nil,
			http.StatusTooManyRequests, "status 429"},
		"redirect": {false, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/SECRET", http.StatusFound) }, nil,
			http.StatusFound, "status 302"},
		"cut, h1": {false, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "SECRET")
		}, nil, 0, "no whole body: cut short"},
		"reset, h2": {true, func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "SECRET")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, nil, 0, "no whole body: stream reset: INTERNAL_ERROR"},
		"length": {true, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "SECRET") },
			func(c *Config) { c.Accept = func(_ string, n int64) bool { return n != 6 } }, 0, "a body of 6 bytes, which is not the length expected"},
		"slow": {true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			func(c *Config) { c.Timeout = 50 * time.Millisecond }, 0, "no answer: timed out"},
		"no h2": {true, nil, func(c *Config) {
			s := httptest.NewUnstartedServer(nil)
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			t.Cleanup(s.Close)
			c.URLs, c.Roots = []string{s.URL}, x509.NewCertPool()
			c.Roots.AddCert(s.Certificate())
		}, 0, "no answer: tls: no application protocol"},
		"untrusted":    {true, nil, func(c *Config) { c.Roots = x509.NewCertPool() }, 0, "no answer: the certificate is not trusted"},
		"nobody there": {true, nil, func(c *Config) { c.URLs = []string{"https://127.0.0.1:1/SECRET"} }, 0, "no answer: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := target(t, test.http2, test.serve)
			c.Workers = 2
			if test.adjust != nil {
				test.adjust(&c)
			}
			var last Progress
			c.Progress = func(p Progress) { last = p }
			r := do(t, Max, c)
			if r.Failed() == 0 || r.Failed() != r.Requests() || r.Statuses[test.status] != r.Requests() || r.Throughput() != 0 {
				t.Errorf("%d of %d failed, %v", r.Failed(), r.Requests(), r.Statuses)
			}
			if r.FirstFailure != test.text {
				t.Errorf("described as %q, want %q", r.FirstFailure, test.text)
			}
			if last.Failed == 0 {
				t.Error("progress does not tell")
			}
		})
	}
}

func TestWarmUpDoesNotCount(t *testing.T) {
	var n atomic.Int64
	c, _ := target(t, true, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 1 {
			time.Sleep(time.Second)
		}
	})
	var before int64
	c.Workers, c.WarmUp, c.Began = 1, 100*time.Millisecond, func() { before = n.Load() }
	r := do(t, Max, c)
	if before == 0 || int64(r.Requests()) != n.Load()-before {
		t.Errorf("%d requests counted; %d were sent, of which %d to warm up", r.Requests(), n.Load(), before)
	}
	if slowest := time.Duration(r.Latency.Max()); slowest > 900*time.Millisecond {
		t.Errorf("the slowest took %v", slowest)
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := target(t, true, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	c.Duration = time.Minute
	began := time.Now()
	if _, err := Max(ctx, c); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
}

// The text of an error may quote what the peer wrote; none of it is described.
func TestDescriptionsHaveNoValues(t *testing.T) {
	for _, err := range []error{
		&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{}, Err: &net.DNSError{Err: "no such host", Name: "SECRET"}},
		&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "SECRET"}},
		&http.MaxBytesError{Limit: 1},
		io.ErrShortBuffer,
	} {
		if text := describe(t.Context(), err); strings.Contains(text, "SECRET") || text == "" {
			t.Errorf("described as %q", text)
		}
	}
}
