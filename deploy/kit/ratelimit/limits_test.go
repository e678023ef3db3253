package ratelimit

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rlsv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/policy"
)

// ask asks the service about one descriptor, as Envoy does, and returns the limit that it
// keeps for it: nil if there is none.
func (s *service) ask(t *testing.T, entries ...string) *rlsv3.RateLimitResponse_RateLimit {
	t.Helper()
	connection, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	answer, err := rlsv3.NewRateLimitServiceClient(connection).ShouldRateLimit(t.Context(), &rlsv3.RateLimitRequest{
		Domain: "graphveil", Descriptors: []*ratelimitv3.RateLimitDescriptor{descriptor(entries...)},
	}, grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetStatuses()[0].GetCurrentLimit()
}

func descriptor(entries ...string) *ratelimitv3.RateLimitDescriptor {
	d := &ratelimitv3.RateLimitDescriptor{}
	for i := 0; i < len(entries); i += 2 {
		d.Entries = append(d.Entries, &ratelimitv3.RateLimitDescriptor_Entry{Key: entries[i], Value: entries[i+1]})
	}
	return d
}

// TestPrintedIsWhatThePolicySays: the service reads what is printed, and keeps the
// policy's limits and nothing else.
func TestPrintedIsWhatThePolicySays(t *testing.T) {
	t.Parallel()
	service := startService(t, printed(t))
	shipped, err := policy.Load(t.Context(), policy.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if len(shipped.Limits()) < 4 {
		t.Fatalf("the policy has %d limits", len(shipped.Limits()))
	}
	for _, l := range shipped.Limits() {
		kept := service.ask(t, "tenant", "a", "application", "b", "service", l.Service)
		if kept.GetRequestsPerUnit() != uint32(l.Requests) || !strings.EqualFold(kept.GetUnit().String(), l.Per) {
			t.Errorf("%s: the service keeps %v, want %v", l.Service, kept, l)
		}
	}
	for _, entries := range [][]string{
		{"tenant", "a", "application", "b", "service", "another"},
		{"tenant", "a", "application", "b", "connector", "entra_id"},
		{"tenant", "a", "application", "b", "connector", "entra_id", "endpoint", "users"},
		{"tenant", "a", "application", "b"},
	} {
		if kept := service.ask(t, entries...); kept != nil {
			t.Errorf("%v: limited to %v", entries, kept)
		}
	}
}

// TestTenantOfItsOwn is what docs/limits.md says of a tenant that is limited in another
// way: of it only what its own descriptor says is limited.
func TestTenantOfItsOwn(t *testing.T) {
	t.Parallel()
	own := `  - key: tenant
    value: contoso.example
    descriptors:
      - key: application
        descriptors:
          - key: service
            value: directory
            rate_limit:
              unit: second
              requests_per_unit: 266
`
	service := startService(t, printed(t)+own)
	for _, test := range []struct {
		tenant, service string
		want            uint32 // 0: unlimited
	}{
		{"contoso.example", "directory", 266},
		{"contoso.example", "teams", 0},
		{"fabrikam.example", "directory", 116},
		{"fabrikam.example", "teams", 30},
	} {
		if got := service.ask(t, "tenant", test.tenant, "application", "b", "service", test.service).GetRequestsPerUnit(); got != test.want {
			t.Errorf("%s of %s: limited to %d, want %d", test.service, test.tenant, got, test.want)
		}
	}
}

// TestSharedQuota: two sidecars with the shipped policy take from one quota, whatever
// their clients try, and lose it or not with the service, as they are told.
func TestSharedQuota(t *testing.T) {
	t.Parallel()
	lab := newTenant(t)
	const allowed = 40
	service := startService(t, edited(t, allowed, "year"))
	open := startSidecar(t, lab, service.address, "")
	closed := startSidecar(t, lab, service.address, "    when_unavailable: deny")
	whose := "graphveil_tenant_" + lab.ID() + "_application_" + directoryClient + "_service_directory"
	counted := func() int {
		n, _ := strconv.Atoi(service.counters()[whose])
		return n
	}
	want := 0
	expect := func(what string, more int) {
		t.Helper()
		if want += more; counted() != want {
			t.Fatalf("%s: the service counted %d, want %d\n%v", what, counted(), want, service.counters())
		}
	}
	status := func(s *sidecar, want int, target string, headers ...string) answer {
		t.Helper()
		got := s.get(t, target, headers...)
		if got.status != want {
			t.Fatalf("%s %q: %d %.300s, want %d", target, headers, got.status, got.body, want)
		}
		return got
	}

	page := status(open, 200, "/v1.0/users?$top=1")
	user := regexp.MustCompile(`"id":"(p~[^"]+)"`).FindStringSubmatch(page.body)
	if user == nil {
		t.Fatal("no user in the page")
	}
	status(closed, 200, "/v1.0/users?$top=1")
	expect("one request of each sidecar", 2)

	// What a caller writes changes neither the counter nor whether it counts.
	for _, headers := range [][]string{
		{"Host", "elsewhere.example"}, {"X-Forwarded-For", "10.0.0.1"}, {"X-Envoy-Ratelimited", "true"}, {"X-Request-Id", canary},
		{"Tenant", "another"}, {"Graphveil", `{"tenant":"another"}`}, {"X-Envoy-Decorator-Operation", "x"}, {"X-Ratelimit-Hits", "0"},
	} {
		status(open, 200, "/v1.0/users?$top=1", headers...)
		expect(headers[0], 1)
	}
	for _, target := range []string{"/v1.0/%75sers?$top=1", "/v1.0/./users?$top=1", "/v1.0/x/../users?%24top=1", "/V1.0/USERS?$TOP=1"} {
		got := open.get(t, target)
		more := 0
		if got.status == 200 {
			more = 1
		} else if got.status != 400 && got.status != 403 {
			t.Errorf("%s: %d", target, got.status)
		}
		t.Logf("%s: %d", target, got.status)
		expect(target, more)
	}

	// What is denied takes nothing.
	for target, code := range map[string]int{
		"/v1.0/users?$search=" + canary: 403, "/v1.0/" + canary: 403, "/v1.0/users/" + canary: 403, "/v1.0/users?$top=1&$top=2": 400, "/v1.0/users/%2e%2e%2f": 400,
	} {
		status(open, code, target)
		expect(target, 0)
	}

	// A request that Envoy repeats, because Graph said when, counts once.
	lab.Graph.ForgetRequests()
	lab.Graph.Inject(graph.Throttled(1, 1))
	status(open, 200, "/v1.0/users?$top=1")
	if n := len(lab.Graph.Requests()); n != 2 {
		t.Errorf("Graph got %d requests, want the repeated one too", n)
	}
	expect("a repeated request", 1)

	// The rest of it, and no more.
	reached := len(lab.Graph.Requests())
	served := 0
	for i := range 2 * (allowed - want) {
		s := []*sidecar{open, closed}[i%2]
		got := s.get(t, "/v1.0/users?$top=1")
		switch got.status {
		case 200:
			served++
		case 429:
			checkTooMany(t, got)
		default:
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if served != allowed-want || len(lab.Graph.Requests()) != reached+served {
		t.Errorf("%d served, of which %d reached Graph; want %d", served, len(lab.Graph.Requests())-reached, allowed-want)
	}
	// Another application, and what the policy gives no limit, are not held up.
	status(open, 429, "/v1.0/users?$top=1")
	status(open, 200, "/v1.0/users/"+user[1]+"/mailFolders/SentItems/messages?$top=1", "Authorization", "Bearer "+canary)

	t.Run("values", func(t *testing.T) { checkValues(t, service, lab.Graph, lab.ID()) })
	t.Run("slow", func(t *testing.T) {
		service.halt(t)
		defer service.resume(t)
		quickest := time.Hour
		for range 3 {
			quickest = min(quickest, status(open, 200, "/v1.0/users?$top=1").took)
		}
		if quickest < 450*time.Millisecond || quickest > 3*time.Second {
			t.Errorf("without an answer of the service a request took %s", quickest)
		}
		checkUnavailable(t, status(closed, 503, "/v1.0/users?$top=1"))
	})
	t.Run("back", func(t *testing.T) {
		until(t, "the service to count again", func() bool { return open.get(t, "/v1.0/users?$top=1").status == 429 })
	})
	t.Run("printed again", func(t *testing.T) {
		service.write(t, edited(t, 1000, "year"))
		until(t, "the service to read its file again", func() bool { return strings.Contains(service.config(), "requests_per_unit=1000") })
		status(closed, 200, "/v1.0/users?$top=1")
	})
	t.Run("without its store", func(t *testing.T) {
		service.store.SetError("LOADING the store is away")
		defer service.store.SetError("")
		status(open, 200, "/v1.0/users?$top=1")
		checkUnavailable(t, status(closed, 503, "/v1.0/users?$top=1"))
	})
	t.Run("down", func(t *testing.T) {
		service.kill()
		status(open, 200, "/v1.0/users?$top=1")
		checkUnavailable(t, status(closed, 503, "/v1.0/users?$top=1"))
	})
}

// checkTooMany looks at an answer over the limit: of Graph's shape, with the time until the
// unit ends, which are 365 days since 1970.
func checkTooMany(t *testing.T, got answer) {
	t.Helper()
	if !strings.HasPrefix(got.body, `{"error":{"code":"tooManyRequests"`) || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
		t.Errorf("429: %v %s", got.header, got.body)
	}
	wait, err := strconv.Atoi(got.header.Get("Retry-After"))
	const year = 365 * 86400
	left := year - int(time.Now().Unix()%year)
	if err != nil || wait < left-5 || wait > left+5 {
		t.Errorf("Retry-After is %q, %d seconds are left", got.header.Get("Retry-After"), left)
	}
	for name := range got.header {
		if strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "Ratelimit") {
			t.Errorf("429 has %s", name)
		}
	}
}

func checkUnavailable(t *testing.T, got answer) {
	t.Helper()
	if !strings.HasPrefix(got.body, `{"error":{"code":"serviceNotAvailable"`) {
		t.Errorf("503: %s", got.body)
	}
}

// checkValues looks for anything of a request or a person in what the service was told,
// which it logs and stores.
func checkValues(t *testing.T, service *service, g *graph.Server, tenant string) {
	t.Helper()
	heard := service.log.String() + service.store.Dump()
	if !strings.Contains(heard, tenant) || !strings.Contains(heard, "sent_messages") {
		t.Fatal("the service does not say what it is told")
	}
	secrets := []string{canary, "p~", "t~", "$top", "/v1.0", "Bearer", "elsewhere.example"}
	for i := range users {
		secrets = append(secrets, g.Canaries(i)...)
	}
	for _, secret := range secrets {
		if i := strings.Index(strings.ToLower(heard), strings.ToLower(secret)); i >= 0 {
			t.Errorf("the service heard %q: %q", secret, heard[max(0, i-100):min(len(heard), i+100)])
		}
	}
}
