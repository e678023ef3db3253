package check

import (
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	setstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/set_filter_state/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/graphveil/graphveil/envoy"
)

const typeRateLimit = filters + "ratelimit.v3.RateLimit"

// limits are what the filters behind the processor have done so far about rate limit
// services, which may add to the path and headers of the requests that they are asked about.
type limits struct {
	kept bool // the size of what was decided is kept
	// asked says where a service was asked and nobody has looked yet at what it added.
	asked string
	again bool // the size was kept again after that
}

// pass takes the next filter, by its type and its settings, those of routes among them.
func (l *limits) pass(where, kind string, settings []*anypb.Any) {
	if kind == typeRateLimit {
		l.asked, l.again = where, false
		return
	}
	before, after, unchanged := envoy.RateLimitGuard()
	one := len(settings) == 1 // no route has settings of its own
	switch config := open[setstatev3.Config](settings[0]); {
	case config != nil && proto.Equal(config, before):
		l.kept = one && l.asked == ""
	case config != nil && proto.Equal(config, after):
		l.again = one
	case one && l.kept && l.again && proto.Equal(open[rbacv3.RBAC](settings[0]), unchanged):
		l.asked = ""
	}
}
