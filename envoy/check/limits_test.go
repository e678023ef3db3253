package check_test

import (
	"testing"

	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ratelimit/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
)

// What a rate limit service adds to a decided request is found out, or that nobody does.
func TestRateLimitsAreGuarded(t *testing.T) {
	before, after, unchanged := envoy.RateLimitGuard()
	service := &ratelimitv3.RateLimit{Domain: "graphveil"}
	type filters []proto.Message
	for _, test := range []struct {
		name  string
		chain filters
		clean bool
	}{
		{"as ours", filters{before, service, after, unchanged}, true},
		{"two", filters{before, service, after, unchanged, service, after, unchanged}, true},
		{"two at once", filters{before, service, service, after, unchanged}, true},
		{"alone", filters{service}, false},
		{"not denied", filters{before, service, after}, false},
		{"kept late", filters{service, before, after, unchanged}, false},
		{"kept anew", filters{before, service, before, after, unchanged}, false},
		{"kept early", filters{before, after, service, unchanged}, false},
		{"denied early", filters{before, after, unchanged, service}, false},
		{"one behind", filters{before, service, after, unchanged, service}, false},
		{"denies nothing", filters{before, service, after, &rbacv3.RBAC{}}, false},
	} {
		p := newParts(t)
		for i, m := range test.chain {
			p.insert("exit", p.httpFilter("limits-"+string(rune('a'+i)), m))
		}
		limitsFound(t, p, test.name, test.clean)
	}

	// A route has settings of its own for one of them.
	for name, own := range map[string]proto.Message{
		"limits-a": before, "limits-c": after, "limits-d": &rbacv3.RBACPerRoute{},
	} {
		p := newParts(t)
		for i, m := range (filters{before, service, after, unchanged}) {
			p.insert("exit", p.httpFilter("limits-"+string(rune('a'+i)), m))
		}
		p.route.TypedPerFilterConfig = map[string]*anypb.Any{name: p.pack(own)}
		limitsFound(t, p, "a route's own "+name, false)
	}

	// Before the processor it may add what it likes.
	p := newParts(t)
	p.insert("entrance", p.httpFilter("limits", service))
	limitsFound(t, p, "before the processor", true)
}

func limitsFound(t *testing.T, p *parts, name string, clean bool) {
	t.Helper()
	var codes []string
	for _, f := range found(t, p.json()) {
		codes = append(codes, f.Code)
	}
	if clean && len(codes) > 0 || !clean && (len(codes) != 1 || codes[0] != "rate_limit_adds") {
		t.Errorf("%s: found %v", name, codes)
	}
}
