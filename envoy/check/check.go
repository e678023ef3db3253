// Package check reads an Envoy configuration and says where it would let something
// pass that nobody decided: what the processor cannot see of the Envoy in front of it.
//
// [Read] a bootstrap or the answer of /config_dump, then call [Config.Check]. Each
// [Finding] has a code of [Codes]; [Failed] says whether one of them is an error.
//
// It judges what is written. It does not ask Envoy, does not know the policy, and says
// nothing about who may change the configuration afterwards.
package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// Options say what to look for.
type Options struct {
	// Hosts are the names of the API. Routes and clusters that lead there are judged,
	// all others are not.
	Hosts []string
	// RequestTimeout is how long the processor may take to decide a request, which
	// Envoy has to wait for.
	RequestTimeout time.Duration
}

// Finding is one thing that is wrong.
type Finding struct {
	// Code is a key of [Codes].
	Code string
	// Where names the part of the configuration.
	Where string
	// Detail is the setting with its value, or empty.
	Detail string
}

// Failed says whether one of the findings is an error.
func Failed(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return Codes[f.Code].Error })
}

// String is one line for people.
func (f Finding) String() string {
	c := Codes[f.Code]
	detail := f.Detail
	if detail != "" {
		detail = " (" + detail + ")"
	}
	return fmt.Sprintf("%-7s %s: %s: %s%s\n        hint: %s", c.Severity(), f.Code, f.Where, c.Says, detail, c.Do)
}

// Check returns what is wrong, errors first, or nil.
func (c *Config) Check(o Options) []Finding {
	k := &checker{config: c, options: o, seen: map[Finding]bool{}}
	for i, host := range k.options.Hosts {
		k.options.Hosts[i] = strings.ToLower(host)
	}
	if c.partial {
		k.find("incomplete", "bootstrap", "dynamic_resources")
	}
	for _, listener := range c.listeners {
		k.listener(listener)
	}
	if k.routes == 0 {
		k.find("no_route", "all listeners", strings.Join(k.options.Hosts, ", "))
	}
	for _, name := range sortedKeys(k.upstreams) {
		for _, cluster := range c.clusters[name] {
			k.upstream(cluster)
		}
	}
	k.admin(c.admin)
	slices.SortStableFunc(k.findings, func(a, b Finding) int {
		return cmp.Compare(rank(a), rank(b))
	})
	return k.findings
}

func rank(f Finding) int {
	if Codes[f.Code].Error {
		return 0
	}
	return 1
}

type checker struct {
	config    *Config
	options   Options
	findings  []Finding
	seen      map[Finding]bool
	routes    int             // that lead to the API
	upstreams map[string]bool // clusters that they lead to
}

func (k *checker) find(code, where, detail string) {
	f := Finding{code, printable(where), printable(detail)}
	if _, known := Codes[code]; !known {
		panic("finding " + code + " is not in the table") // a mistake here, not in the input
	}
	if !k.seen[f] {
		k.seen[f] = true
		k.findings = append(k.findings, f)
	}
}

// printable is a text of the configuration without what a terminal would obey.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// admin judges who can reach Envoy's admin interface.
func (k *checker) admin(a *bootstrapv3.Admin) {
	if a.GetAddress() == nil || localAddress(a.GetAddress()) {
		return
	}
	open := len(a.GetAllowPaths()) == 0 || slices.ContainsFunc(a.GetAllowPaths(), func(m *matcherv3.StringMatcher) bool {
		return slices.ContainsFunc(orders, func(path string) bool { return mayMatch(m, path) })
	})
	if open {
		k.find("admin_reachable", "admin", a.GetAddress().GetSocketAddress().GetAddress())
	}
}

// orders are paths of Envoy's admin interface with which tokens get into its log, a copy
// of the traffic or a file.
var orders = []string{"/logging", "/tap", "/runtime_modify", "/heapprofiler", "/cpuprofiler"}

// mayMatch says whether a matcher accepts a path with any query behind it.
func mayMatch(m *matcherv3.StringMatcher, path string) bool {
	fold := strings.Clone
	if m.GetIgnoreCase() {
		fold = strings.ToLower
	}
	switch p := m.GetMatchPattern().(type) {
	case *matcherv3.StringMatcher_Exact:
		exact, _, _ := strings.Cut(p.Exact, "?")
		return fold(exact) == path
	case *matcherv3.StringMatcher_Prefix:
		prefix, _, _ := strings.Cut(p.Prefix, "?")
		return strings.HasPrefix(path, fold(prefix))
	}
	return true // the query may have what it asks for
}

func nameOr(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
