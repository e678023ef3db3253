package main

import (
	"bufio"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/plan"
)

// TestNoCanaryLeaves sanitizes, for every endpoint of the shipped policy, made-up
// documents that hold everything that is documented of its types, and more:
// derived types, expanded relations, annotations, unknown members, wrong types,
// any order. Every value of a personal class is a canary; the only ones that may
// come out are those of policy/connectors/in-clear.md.
//
// GRAPHVEIL_SEED repeats a run.
func TestNoCanaryLeaves(t *testing.T) {
	schema := readGraphSchema(t)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("GRAPHVEIL_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("GRAPHVEIL_SEED=%d", seed)
	clear := readInClear(t)
	for _, options := range []map[string]string{{}, {"ids": "clear"}, {"encoding": "json", "endpoints": "all"}, {"level": "strict"}} {
		l := leakTest{T: t, schema: schema, clear: clear, options: options, random: rand.New(rand.NewPCG(seed, 0))}
		l.run()
	}
}

type leakTest struct {
	*testing.T
	schema  *graphSchema
	clear   map[string]inClear
	options map[string]string
	random  *rand.Rand
	// persons counts ids of persons that came out.
	persons int
}

func (l *leakTest) run() {
	s, err := policy.Load(l.Context(), policy.Config{Settings: l.options})
	if err != nil {
		l.Fatal(err)
	}
	g := gatewayOf(l.T, s)
	bodies, kept, hidden := 0, 0, 0
	for _, e := range s.Endpoints() {
		if e.Plan.Root.Op != plan.Object { // a number as text has no documented type
			continue
		}
		if e.ServedBy != "" { // another connector answers, with the same
			continue
		}
		types, page := l.schema.responses(l.T, e)
		method, path, _ := strings.Cut(goldenRequest(e), " ")
		for round := range 4 {
			if len(l.options) > 0 && round != 3 { // the defaults get them all
				continue
			}
			for _, name := range types {
				d := documents{canaries: &canaries{}, schema: l.schema, random: l.random, wrong: round == 1 || round == 2, expand: round != 2, expanded: expansions(e),
					link: "https://graph.microsoft.com" + strings.Replace(path, aliceToken, alice, 1)}
				items := []string{name, name}
				if round == 3 { // one for each kind of what may stand in it
					items = slices.Repeat(items[:1], l.schema.mostKinds(name))
				}
				body := d.page(items)
				if !page {
					body = d.item(name)
				}
				out, result := sanitizeOne(l.Context(), g, offlineExchange{Method: method, URL: path, Status: 200, body: body})
				if result.outcome != extproc.OutcomeSanitized {
					l.Fatalf("%s.%s, %s: %s: %v", e.Connector, e.ID, name, result.outcome, result.reasons)
				}
				bodies++
				found := d.find(string(out))
				kept += len(found)
				hidden += len(d.origin) - len(found)
				l.judge(e, found)
			}
		}
	}
	l.Logf("%v: %d bodies, %d canaries held back, %d in clear as listed", l.options, bodies, hidden, kept)
	if bodies == 0 || kept == 0 || hidden < 100*bodies || l.option("ids: clear") && l.persons == 0 {
		l.Error("the documents do not hold enough")
	}
}

// expansions are the paths that $expand may name.
func expansions(e policy.EndpointInfo) map[string]bool {
	paths := map[string]bool{}
	for _, q := range e.Query {
		if q.Name == "$expand" {
			for _, path := range q.Properties {
				paths[path] = true
			}
		}
	}
	return paths
}

// judge reports what came out and is not listed.
func (l *leakTest) judge(e policy.EndpointInfo, found map[string]canaryOrigin) {
	for _, o := range found {
		listed, ok := l.clear[o.Property]
		switch {
		case o.person && l.option("ids: clear"):
			l.persons++
		case o.person:
			l.Errorf("%v %s.%s: %s of a person leaves in clear", l.options, e.Connector, e.ID, o.Property)
		case !ok:
			l.Errorf("%v %s.%s: %s (%s) leaves in clear", l.options, e.Connector, e.ID, o.Property, o.Class)
		case listed.option != "" && !l.option(listed.option):
			l.Errorf("%v %s.%s: %s (%s) leaves in clear without %s", l.options, e.Connector, e.ID, o.Property, o.Class, listed.option)
		}
	}
}

// defaults are the options' values where nothing is set.
var defaults = map[string]string{"ids": "reversible", "groups": "on", "encoding": "token", "level": "standard", "endpoints": "psoxy"}

// option tells whether "name: value" is in force.
func (l *leakTest) option(want string) bool {
	name, value, _ := strings.Cut(want, ": ")
	return cmp.Or(l.options[name], defaults[name]) == value
}

// inClear is a line of policy/connectors/in-clear.md.
type inClear struct {
	// option must be in force, if it is not empty.
	option string
}

var inClearLine = regexp.MustCompile("^\\| `([A-Za-z0-9_.@]+)` \\| ([a-z]+) \\| (always|`[a-z]+: [a-z]+`) \\| (.+) \\|$")

// readInClear reads what may leave in clear although it is of a personal class.
func readInClear(t *testing.T) map[string]inClear {
	t.Helper()
	file, err := os.Open("policy/connectors/in-clear.md")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	clear := map[string]inClear{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if m := inClearLine.FindStringSubmatch(lines.Text()); m != nil {
			option := strings.Trim(m[3], "`")
			if option == "always" {
				option = ""
			}
			clear[m[1]] = inClear{option}
		}
	}
	if len(clear) == 0 {
		t.Fatal("in-clear.md lists nothing")
	}
	if names := slices.Collect(maps.Keys(clear)); len(names) > 400 {
		t.Errorf("in-clear.md lists %d properties: that is not a closed shape any more", len(names))
	}
	return clear
}
