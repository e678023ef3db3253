package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Limit is how many requests a service of Graph takes from one application in one
// tenant. All endpoints that name the service, of whichever connector, share it.
type Limit struct {
	// Service is a name of the policy's own; Graph's limits have none that could be read.
	Service string
	// Requests is how many, Per the time: second, minute, hour or day.
	Requests int
	Per      string
}

// String is as "116 requests a second".
func (l Limit) String() string { return fmt.Sprintf("%d requests a %s", l.Requests, l.Per) }

// limitUnits are those of Envoy's rate limit service, the shortest first.
var limitUnits = []string{"second", "minute", "hour", "day"}

// maxLimit keeps a limit within what a rate limit service reads.
const maxLimit = 1<<32 - 1

// limit reads {"service": id, "requests": n, "per": unit}. What is wrong is reported,
// and none is returned.
func (k *contract) limit(v ast.Value, at position) Limit {
	o, ok := k.object(v, at, "service", "requests", "per")
	if !ok {
		return Limit{}
	}
	for _, key := range []string{"service", "requests", "per"} {
		if o.Get(ast.StringTerm(key)) == nil {
			k.add(at.error("contract_error", fmt.Sprintf("the key %q is missing", key), `as in {"service": "directory", "requests": 100, "per": "second"}`))
			return Limit{}
		}
	}
	service, named := value[ast.String](k.problems, o.Get(ast.StringTerm("service")), at.key("service"), "a string")
	if named && !idPattern.MatchString(string(service)) {
		k.add(at.key("service").error("contract_error", "a service is lower case letters, digits and _", ""))
		return Limit{}
	}
	number, counted := value[ast.Number](k.problems, o.Get(ast.StringTerm("requests")), at.key("requests"), "a number")
	requests, err := json.Number(number).Int64()
	if counted && (err != nil || requests < 1 || requests > maxLimit) {
		k.add(at.key("requests").error("contract_error", fmt.Sprintf("expected a whole number from 1 to %d", maxLimit), "round down: what is over the limit of Graph is lost"))
		return Limit{}
	}
	per, timed := value[ast.String](k.problems, o.Get(ast.StringTerm("per")), at.key("per"), "a string")
	if timed && !slices.Contains(limitUnits, string(per)) {
		k.add(at.key("per").error("contract_error", fmt.Sprintf("there is no unit %q", string(per)), cmpHint(didYouMean(string(per), limitUnits), "known are: "+strings.Join(limitUnits, ", "))))
		return Limit{}
	}
	if !named || !counted || !timed {
		return Limit{}
	}
	return Limit{Service: string(service), Requests: int(requests), Per: string(per)}
}

// checkLimits refuses two limits of one service: its requests are counted together.
func (a *activation) checkLimits() {
	first := map[string]*endpoint{}
	for _, e := range a.endpoints {
		limit := e.info.Limit
		if limit == (Limit{}) {
			continue
		}
		other := first[limit.Service]
		if other == nil {
			first[limit.Service] = e
			continue
		}
		if limit != other.info.Limit {
			a.add(&Error{
				Code: "contract_error", File: e.info.File, Line: e.info.Line,
				Message: fmt.Sprintf("%s.%s says that the service %s takes %s, %s.%s says %s", e.info.Connector, e.info.ID, limit.Service, limit, other.info.Connector, other.info.ID, other.info.Limit),
				Hint:    "a service has one limit, for all that name it: give both the same, or give one of them another service",
			})
		}
	}
}

// Limits are the limits that the endpoints name, one for each service, sorted by service.
func (s *Snapshot) Limits() []Limit {
	var limits []Limit
	for _, e := range s.endpoints {
		if e.info.Limit != (Limit{}) {
			limits = append(limits, e.info.Limit)
		}
	}
	slices.SortFunc(limits, func(a, b Limit) int { return strings.Compare(a.Service, b.Service) })
	return slices.Compact(limits)
}
