package main

import (
	"context"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/envoy"
)

// limiter is a rate limit service that reads the file of envoyproxy/ratelimit as that
// does: an entry finds its own value or else a descriptor without one, the last entry
// has the limit, and each combination of values has a counter. Its only unit of time
// never ends.
type limiter struct {
	rlsv3.UnimplementedRateLimitServiceServer
	file rateLimits

	mu    sync.Mutex
	taken map[string]int // by descriptor, with those that have no limit
}

// ShouldRateLimit implements the service.
func (l *limiter) ShouldRateLimit(_ context.Context, r *rlsv3.RateLimitRequest) (*rlsv3.RateLimitResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	answer := &rlsv3.RateLimitResponse{OverallCode: rlsv3.RateLimitResponse_OK}
	for _, d := range r.GetDescriptors() {
		level, name := l.file.Descriptors, r.GetDomain()
		var limit *rateLimit
		for _, e := range d.GetEntries() {
			name += " " + e.GetKey() + "=" + e.GetValue()
			i := slices.IndexFunc(level, func(d rateDescriptor) bool { return d.Key == e.GetKey() && d.Value == e.GetValue() })
			if i < 0 {
				i = slices.IndexFunc(level, func(d rateDescriptor) bool { return d.Key == e.GetKey() && d.Value == "" })
			}
			if i < 0 {
				level, limit = nil, nil
				continue
			}
			level, limit = level[i].Descriptors, level[i].RateLimit
		}
		l.taken[name]++
		status := &rlsv3.RateLimitResponse_DescriptorStatus{Code: rlsv3.RateLimitResponse_OK}
		if limit != nil && r.GetDomain() == l.file.Domain && l.taken[name] > limit.RequestsPerUnit {
			answer.OverallCode, status.Code = rlsv3.RateLimitResponse_OVER_LIMIT, rlsv3.RateLimitResponse_OVER_LIMIT
			status.DurationUntilReset = durationpb.New(time.Second)
		}
		answer.Statuses = append(answer.Statuses, status)
	}
	return answer, nil
}

// asked are the descriptors of all questions so far, counted.
func (l *limiter) asked() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.taken)
}

// startLimiter reads what `graphveil envoy ratelimits` prints and returns the address.
func startLimiter(t *testing.T) (*limiter, string) {
	t.Helper()
	text, stderr, exit := command(t, "", "envoy", "ratelimits")
	if exit != 0 {
		t.Fatalf("exit %d: %s", exit, stderr)
	}
	l := &limiter{taken: map[string]int{}}
	if err := yaml.UnmarshalWithOptions([]byte(text), &l.file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	rlsv3.RegisterRateLimitServiceServer(server, l)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return l, listener.Addr().String()
}

// TestSharedLimitsOfThePolicy: two sidecars share what the policy says of Graph, and
// nothing of a request gets to the service that counts.
func TestSharedLimitsOfThePolicy(t *testing.T) {
	service, address := startLimiter(t)
	const allowed, each = 116, 65 // of the directory
	got := map[int]int{}
	var l *lab
	var last *running
	for range 2 {
		l = newLab(t, nil)
		l.config.Envoy.RateLimit = envoy.RateLimit{Service: address, Timeout: 10 * time.Second} // no request passes because the machine is busy
		last = l.start()
		for range each {
			response := call(t, last.address, l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=1"})
			got[response.status]++
			if response.status == http.StatusTooManyRequests {
				body, wait := string(response.body), response.header.Get("Retry-After")
				if !strings.HasPrefix(body, `{"error":{"code":"tooManyRequests"`) || wait != "1" {
					t.Errorf("429 with Retry-After %q and %s", wait, body)
				}
			}
		}
	}
	if got[200] != allowed || got[429] != 2*each-allowed {
		t.Errorf("got %v, want %d with 200 and %d with 429", got, allowed, 2*each-allowed)
	}
	// Mail is counted by mailbox, which the service must not know: no limit.
	if response := call(t, last.address, l.tls(), wireCall{protocol: "h2", target: l.sentPath(1)}); response.status != 200 {
		t.Errorf("mail: got %s", &response)
	}
	whose := func(client string) string {
		return "graphveil tenant=" + strings.ToLower(l.ID()) + " application=" + client + " "
	}
	want := map[string]int{
		whose(directoryClient) + "service=directory":                        2 * each,
		whose(directoryClient) + "connector=entra_id":                       2 * each,
		whose(directoryClient) + "connector=entra_id endpoint=users":        2 * each,
		whose(mailClient) + "connector=outlook_mail":                        1,
		whose(mailClient) + "connector=outlook_mail endpoint=sent_messages": 1,
	}
	if taken := service.asked(); !maps.Equal(taken, want) {
		t.Errorf("the service counted\n%v\nwant\n%v", taken, want)
	}
	for _, found := range leaks(last.logs.String()+last.access.String(), l.canaries()) {
		t.Errorf("logs have %s", found)
	}
}

// Who takes the quota is known from the configuration, and only where it is asked for.
func TestQuotas(t *testing.T) {
	c := &Config{Tokens: auth.Config{
		Tenant: "Contoso.Example", ClientID: strings.ToUpper(mailClient), Credential: auth.Credential{File: &auth.File{Path: "token"}},
		Connectors: map[string]auth.Connector{"entra_id": {ClientID: directoryClient}, "outlook_mail": {}},
	}}
	if quotas, err := c.quotas(); err != nil || quotas != nil {
		t.Errorf("without a service: %v, %v", quotas, err)
	}
	c.Envoy.RateLimit.Service = "ratelimit:8081"
	quotas, err := c.quotas()
	if err != nil || len(quotas) != 2 {
		t.Fatalf("%v, %v", quotas, err)
	}
	for connector, client := range map[string]string{"entra_id": directoryClient, "outlook_mail": mailClient} {
		if q := quotas[connector]; q.Tenant != "contoso.example" || q.Application != client {
			t.Errorf("%s: %+v", connector, q)
		}
	}
}

func TestRateLimitsCommand(t *testing.T) {
	folder := t.TempDir()
	rego := "# METADATA\n# title: One\n# description: Without a limit.\npackage graphveil.connectors.one\n\nimport data.graphveil.shape\n\n" +
		"permissions := {\"User.Read.All\"}\n\nendpoints[\"a\"] := {\"methods\": {\"GET\"}, \"path\": \"/a\", \"response\": {\"id\": shape.keep}}\n"
	if err := os.WriteFile(filepath.Join(folder, "one.rego"), []byte(rego), 0o644); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, exit := command(t, "", "envoy", "ratelimits", "--policy", folder); exit == 0 || stdout != "" || !strings.Contains(stderr, "hint: give endpoints the key limit") {
		t.Errorf("exit %d\n%s%s", exit, stdout, stderr)
	}
	file := filepath.Join(folder, "graphveil.yaml")
	if err := os.WriteFile(file, []byte("envoy: {rate_limit: {service: \"ratelimit:8081\", domain: another}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, exit := command(t, "", "envoy", "ratelimits", "--config", file); exit != 0 || !strings.Contains(stdout, "\ndomain: another\n") {
		t.Errorf("exit %d\n%s%s", exit, stdout, stderr)
	}
	if stdout, _, _ := command(t, "", "policy", "list"); !strings.Contains(stdout, "limit 20 requests a second, with all of teams_messages") {
		t.Error("policy list shows no limit")
	}
	if stdout, _, _ := command(t, "", "policy", "list", "--json"); !strings.Contains(stdout, `"service": "teams_messages"`) {
		t.Error("policy list --json shows no limit")
	}
}
