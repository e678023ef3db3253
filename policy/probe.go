package policy

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Probe is a request that only tries an endpoint: a GET of at most one item where
// the endpoint lets a client say how many. Whoever sends it has no use for the body.
type Probe struct {
	// Target is path and query, percent-encoded, as Graph gets it: ids in clear.
	Target string
	// Headers that Graph wants with it.
	Headers map[string]string
}

// probe is what an endpoint says of its probe, and the parameters of its path.
type probe struct {
	names                  []string
	params, query, headers map[string]string
}

// ProbeParams are the parameters of the path that Probe has to be given, in the
// order of the path. For the others the policy has a value.
func (e EndpointInfo) ProbeParams() []string {
	return slices.DeleteFunc(slices.Clone(e.probe.names), func(name string) bool { return e.probe.params[name] != "" })
}

// Probe makes the probe of the endpoint with the given values for ProbeParams. The
// dates in it are those of now, in UTC. An endpoint without GET has none.
func (e EndpointInfo) Probe(params map[string]string, now time.Time) (Probe, error) {
	if !slices.Contains(e.Methods, "GET") {
		return Probe{}, fmt.Errorf("%s.%s has no GET, and nothing else is harmless", e.Connector, e.ID)
	}
	dates := probeDates(now)
	var values []string
	for _, name := range e.probe.names {
		value := dates.Replace(e.probe.params[name])
		if value == "" {
			value = params[name]
		}
		if value == "" {
			return Probe{}, fmt.Errorf("the parameter {%s} of %s.%s has no value", name, e.Connector, e.ID)
		}
		values = append(values, "{"+name+"}", url.PathEscape(value))
	}
	p := Probe{Target: strings.NewReplacer(values...).Replace(e.Path), Headers: map[string]string{}}
	for name, value := range e.probe.headers {
		p.Headers[name] = dates.Replace(value)
	}
	separator := "?"
	for _, name := range slices.Sorted(maps.Keys(e.probe.query)) {
		p.Target += separator + name + "=" + strings.ReplaceAll(url.QueryEscape(dates.Replace(e.probe.query[name])), "+", "%20")
		separator = "&"
	}
	return p, nil
}

// probeWords stand for dates, as 2026-11-23, in the values of probes: what Graph
// keeps for a while only has to be asked for by a recent day.
var probeWords = []string{"{today}", "{yesterday}"}

func probeDates(now time.Time) *strings.Replacer {
	now = now.UTC()
	return strings.NewReplacer(probeWords[0], now.Format(time.DateOnly), probeWords[1], now.AddDate(0, 0, -1).Format(time.DateOnly))
}

// probe reads {"params": …, "query": …, "headers": …}, each name → text, of what
// the endpoint has.
func (k *contract) probe(e *endpoint, term *ast.Term, at position) {
	p := &e.info.probe
	p.names, p.query = e.template.params(), map[string]string{}
	if term != nil {
		if !slices.Contains(e.info.Methods, "GET") {
			k.add(at.error("contract_error", "an endpoint without GET cannot be probed", ""))
		}
		if o, ok := k.object(term.Value, at, "params", "query", "headers"); ok {
			p.params = k.probeValues(o, "params", p.names, at)
			p.query = k.probeValues(o, "query", slices.Sorted(maps.Values(e.options)), at)
			p.headers = k.probeValues(o, "headers", e.info.Headers, at)
		}
	}
	if e.options["top"] != "" && p.query["$top"] == "" {
		p.query["$top"] = "1"
	}
}

// probeValues reads one of the objects of a probe, whose keys are among known.
func (k *contract) probeValues(o ast.Object, key string, known []string, at position) map[string]string {
	values, at := map[string]string{}, at.key(key)
	t := o.Get(ast.StringTerm(key))
	if t == nil {
		return values
	}
	object, ok := k.object(t.Value, at, known...)
	if !ok {
		return values
	}
	object.Foreach(func(name, v *ast.Term) {
		at := at.at(name.Value)
		text, ok := value[ast.String](k.problems, v, at, "a string")
		if !ok {
			return
		}
		if left := strings.NewReplacer(probeWords[0], "", probeWords[1], "").Replace(string(text)); strings.ContainsAny(left, "{}") {
			k.add(at.error("contract_error", "braces stand for dates here", "known are: "+strings.Join(probeWords, ", ")))
		}
		if n, ok := name.Value.(ast.String); ok {
			values[string(n)] = string(text)
		}
	})
	return values
}
