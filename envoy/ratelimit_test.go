package envoy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/graphveil/graphveil/envoy"
)

// quota is a rate limit service with one number for each descriptor.
type quota struct {
	rlsv3.UnimplementedRateLimitServiceServer

	mu    sync.Mutex
	left  map[string]int // by descriptor; what is not here is not limited
	asked []string       // the descriptors of each question
}

// ShouldRateLimit implements the service.
func (q *quota) ShouldRateLimit(_ context.Context, r *rlsv3.RateLimitRequest) (*rlsv3.RateLimitResponse, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	answer := &rlsv3.RateLimitResponse{OverallCode: rlsv3.RateLimitResponse_OK}
	var names []string
	for _, d := range r.GetDescriptors() {
		var entries []string
		for _, e := range d.GetEntries() {
			entries = append(entries, e.GetKey()+"="+e.GetValue())
		}
		name := strings.Join(entries, ",")
		names = append(names, name)
		status := &rlsv3.RateLimitResponse_DescriptorStatus{Code: rlsv3.RateLimitResponse_OK}
		if left, limited := q.left[name]; limited {
			q.left[name]--
			if left <= 0 {
				status.Code, answer.OverallCode = rlsv3.RateLimitResponse_OVER_LIMIT, rlsv3.RateLimitResponse_OVER_LIMIT
				status.DurationUntilReset = durationpb.New(7 * time.Second)
			}
		}
		answer.Statuses = append(answer.Statuses, status)
	}
	q.asked = append(q.asked, r.GetDomain()+": "+strings.Join(names, "; "))
	return answer, nil
}

// serve returns the address of the service.
func (q *quota) serve(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	rlsv3.RegisterRateLimitServiceServer(server, q)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// asking waits for what the service says however busy the machine is.
func asking(service string) envoy.RateLimit {
	return envoy.RateLimit{Service: service, Timeout: 10 * time.Second}
}

// whose begins every descriptor.
const whose = "tenant=a_tenant,application=an_application,"

// TestSharedQuota lets two sidecars take from one quota.
func TestSharedQuota(t *testing.T) {
	t.Parallel()
	const allowed, each = 13, 10
	q := &quota{left: map[string]int{whose + "service=a_service": allowed}}
	service := q.serve(t)
	served, refused, upstream := 0, 0, 0
	for range 2 {
		r := newRig(t, &stub{verbatim: true}, hello, func(c *envoy.Config) { c.RateLimit = asking(service) })
		client := r.Client(t, true)
		for range each {
			switch got := send(t, client, "GET", r.URL+"/a"); got.status {
			case 200:
				served++
			case 429:
				refused++
				wantError(t, got, 429, "tooManyRequests")
				if wait, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || wait != 7 {
					t.Errorf("Retry-After is %q, want 7", got.header.Get("Retry-After"))
				}
				for name := range got.header {
					if strings.HasPrefix(name, "X-") {
						t.Errorf("the answer has %s", name)
					}
				}
			default:
				t.Fatalf("got %d %q", got.status, got.body)
			}
		}
		upstream += len(r.upstream.seen())
		for _, line := range r.AccessLog(t) {
			if line["status"] == float64(429) && line["details"] != "request_rate_limited" {
				t.Errorf("the access log says %v", line["details"])
			}
		}
	}
	if served != allowed || refused != 2*each-allowed || upstream != allowed {
		t.Errorf("%d served, %d refused, %d reached Graph; want %d, %d, %d", served, refused, upstream, allowed, 2*each-allowed, allowed)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	want := "graphveil: " + whose + "service=a_service; " + whose + "connector=a_connector; " + whose + "connector=a_connector,endpoint=an_endpoint"
	if len(q.asked) != 2*each || slices.ContainsFunc(q.asked, func(asked string) bool { return asked != want }) {
		t.Errorf("the service was asked %d times, about %q, want only %q", len(q.asked), slices.Compact(q.asked), want)
	}
}

// A request that the processor denies costs nothing.
func TestDeniedRequestsTakeNoQuota(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]*extprocv3.ProcessingResponse{
		"denied":    immediate(403, envoy.DetailsPrefix+"x", `{"error":{"code":"x"}}`, "content-type", "application/json"),
		"undecided": pass(nil),
	} {
		q := &quota{}
		service := q.serve(t)
		s := &stub{verbatim: true, request: func(map[string]string) *extprocv3.ProcessingResponse { return answer }}
		r := newRig(t, s, hello, func(c *envoy.Config) { c.RateLimit = asking(service) })
		if got := send(t, r.Client(t, true), "GET", r.URL+"/a"); got.status != 403 {
			t.Errorf("%s: got %d", name, got.status)
		}
		q.mu.Lock()
		if len(q.asked) != 0 || len(r.upstream.seen()) != 0 {
			t.Errorf("%s: %d questions, %d requests to Graph", name, len(q.asked), len(r.upstream.seen()))
		}
		q.mu.Unlock()
	}
}

// Without the service requests pass, or do not, as configured.
func TestQuotaUnavailable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // accepts nothing and answers nothing
	for when, status := range map[string]int{"": 200, "allow": 200, "deny": 503} {
		r := newRig(t, &stub{verbatim: true}, hello, func(c *envoy.Config) {
			c.RateLimit = envoy.RateLimit{Service: listener.Addr().String(), WhenUnavailable: when}
		})
		got := send(t, r.Client(t, true), "GET", r.URL+"/a")
		if got.status != status {
			t.Errorf("%q: got %d, want %d", when, got.status, status)
		}
		if status == 503 {
			wantError(t, got, 503, "serviceNotAvailable")
		}
	}
}

// TestLocalRateLimit: one Envoy that asks nobody lets a burst through and answers the
// rest 429, as Graph would; what is denied and what is over it takes nothing from a
// quota that is shared.
func TestLocalRateLimit(t *testing.T) {
	t.Parallel()
	const burst, sent = 4, 10
	q := &quota{}
	service := q.serve(t)
	dir, err := os.MkdirTemp("", "gv-") // short, for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	admin := filepath.Join(dir, "admin")
	s := &stub{verbatim: true, request: func(headers map[string]string) *extprocv3.ProcessingResponse {
		if headers[":path"] == "/denied" {
			return immediate(403, envoy.DetailsPrefix+"x", `{"error":{"code":"x"}}`, "content-type", "application/json")
		}
		return allow(mutate("authorization", "Bearer token"))
	}}
	r := newRig(t, s, hello, func(c *envoy.Config) {
		c.LocalRateLimit = envoy.LocalRateLimit{RequestsPerSecond: 1, Burst: burst}
		c.Admin = admin
		c.RateLimit = asking(service)
	})
	client := r.Client(t, true)
	for range sent {
		if got := send(t, client, "GET", r.URL+"/denied"); got.status != 403 {
			t.Fatalf("denied: got %d", got.status)
		}
	}
	started := time.Now()
	statuses := map[int]int{}
	for range sent {
		got := send(t, client, "GET", r.URL+"/a")
		statuses[got.status]++
		if got.status == 429 {
			wantError(t, got, 429, "tooManyRequests")
			if wait := got.header.Get("Retry-After"); wait != "1" {
				t.Errorf("Retry-After is %q, want the second until there is more", wait)
			}
			for name := range got.header {
				if strings.HasPrefix(name, "X-") {
					t.Errorf("the answer has %s", name)
				}
			}
		}
	}
	refilled := int(time.Since(started)/time.Second) + 1
	if n := statuses[200]; n < burst || n > burst+refilled || statuses[429] != sent-n {
		t.Errorf("got %v, want %d with 200 and the others with 429", statuses, burst)
	}
	reached := len(r.upstream.seen())
	q.mu.Lock()
	if reached != statuses[200] || len(q.asked) != statuses[200] {
		t.Errorf("%d reached Graph, %d were asked about; want %d", reached, len(q.asked), statuses[200])
	}
	q.mu.Unlock()
	if counted := statistics(t, admin)["graph.http_local_rate_limit.rate_limited"]; counted != strconv.Itoa(statuses[429]) {
		t.Errorf("Envoy counted %q, want %d", counted, statuses[429])
	}
	eventually(t, "a request to pass, a second later", func() bool {
		got := send(t, client, "GET", r.URL+"/a")
		statuses[got.status]++
		return got.status == 200
	})
	limited := 0
	for _, line := range r.AccessLog(t) {
		if line["details"] == "local_rate_limited" && line["status"] == float64(429) && line["connector"] == "a_connector" {
			limited++
		}
	}
	if limited != statuses[429] {
		t.Errorf("the access log has %d, want %d", limited, statuses[429])
	}
}

// An endpoint whose service the policy does not name, and a processor that tells of no
// quota, are not counted where they do not belong.
func TestQuotaOfNobody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		metadata []string
		want     string
	}{
		{[]string{envoy.MetadataTenant, "a_tenant", envoy.MetadataApplication, "an_application", envoy.MetadataService, ""}, "graphveil: " + whose + "connector=a_connector; " + whose + "connector=a_connector,endpoint=an_endpoint"},
		{nil, ""},
	} {
		q := &quota{}
		service := q.serve(t)
		s := &stub{verbatim: true, request: func(map[string]string) *extprocv3.ProcessingResponse {
			answer := pass(nil)
			answer.DynamicMetadata = metadata(append([]string{
				envoy.MetadataDecision, envoy.DecisionAllow, envoy.MetadataConnector, "a_connector", envoy.MetadataEndpoint, "an_endpoint",
			}, test.metadata...)...)
			return answer
		}}
		r := newRig(t, s, hello, func(c *envoy.Config) { c.RateLimit = asking(service) })
		if got := send(t, r.Client(t, true), "GET", r.URL+"/a"); got.status != 200 {
			t.Errorf("got %d", got.status)
		}
		q.mu.Lock()
		if asked := strings.Join(q.asked, "\n"); asked != test.want {
			t.Errorf("the service was asked %q, want %q", asked, test.want)
		}
		q.mu.Unlock()
	}
}

// statistics are those of the Envoy whose admin interface is the socket.
func statistics(t *testing.T, socket string) map[string]string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	response, err := client.Get("http://envoy/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		values[name] = value
	}
	return values
}
