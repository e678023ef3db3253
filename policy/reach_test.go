package policy_test

import (
	"testing"

	"github.com/graphveil/graphveil/policy"
)

// TestDecisionReachesItsModules: decisions are made with a part of the policy's
// modules. Whatever way a denial takes to its condition, that must be among them.
func TestDecisionReachesItsModules(t *testing.T) {
	const help = "data.graphveil.custom.more.help"
	for name, test := range map[string]struct{ condition, help string }{
		"rule":                     {help + `.closed`, `closed if input.request.method == "GET"`},
		"default rule":             {`not ` + help + `.open`, `default open := false`},
		"function":                 {help + `.closed(input.request.method)`, `closed("GET") := true`},
		"function that calls":      {help + `.closed(input.request.method)`, "closed(m) if _get[m]\n\n_get := {\"GET\": true}"},
		"through else":             {help + `.closed`, "closed := false if {\n\tinput.request.method == \"PUT\"\n} else := data.graphveil.shape.keep[\"$op\"] == \"keep\""},
		"through a head":           {help + `.closed == "keep"`, `closed := data.graphveil.shape.keep["$op"]`},
		"part of a set":            {help + `.closed[input.request.method]`, `closed contains "GET"`},
		"part of an object":        {help + `.closed.GET`, `closed["GET"] := true`},
		"member by variable":       {`some m; ` + help + `.closed[m]; m == "GET"`, `closed["GET"] := true`},
		"package by variable":      {`some name; data.graphveil.custom.more[name].closed == true`, `closed if input.request.method == "GET"`},
		"whole package":            {`object.get(` + help + `, "closed", false)`, `closed if input.request.method == "GET"`},
		"inside a comprehension":   {`count([m | some m in ` + help + `.closed]) == 1`, `closed contains "GET"`},
		"with another input":       {help + `.closed with input.request.method as "PUT"`, `closed if input.request.method == "PUT"`},
		"with a value of data":     {help + `.closed with data.graphveil.options.ids as "closed"`, `closed if data.graphveil.options.ids == "closed"`},
		"connector's permission":   {`"User.Read.All" in data.graphveil.connectors.test.permissions`, ``},
		"connector by variable":    {`data.graphveil.connectors[input.endpoint.connector].endpoints.items.path == "/items"`, ``},
		"library that is not used": {`data.graphveil.shape.keep["$op"] == "keep"`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive := connector(`endpoints["items"] := {"methods": {"GET"}, "path": "/items", "response": {}}
`) + "-- custom.rego --\npackage graphveil.custom\n\ndeny contains \"closed\" if {\n\t" + test.condition + "\n}\n"
			if test.help != "" {
				archive += "-- help.rego --\npackage graphveil.custom.more.help\n\n" + test.help + "\n"
			}
			s, err := loadArchive(t, archive)
			if err != nil {
				t.Fatal(err)
			}
			checkDenied(t, name, decide(t, s, "/items", policy.Input{}), "closed")
		})
	}
}

// TestDecisionReachesAnnotations: a denial may ask rego.metadata for what another
// file says about its package, or about one above it, and that file need not have a rule.
func TestDecisionReachesAnnotations(t *testing.T) {
	const closed = `some link in rego.metadata.chain()
	object.get(link, ["annotations", "custom", "closed"], false)
}
`
	for name, denial := range map[string]string{
		"package":     "-- deny.rego --\npackage graphveil.custom\n\ndeny contains \"closed\" if {\n\t" + closed,
		"subpackages": "-- deny.rego --\npackage graphveil.custom\n\ndeny contains \"closed\" if data.graphveil.custom.help.closed\n-- help.rego --\npackage graphveil.custom.help\n\nclosed if {\n\t" + closed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := loadArchive(t, connector(`endpoints["items"] := {"methods": {"GET"}, "path": "/items", "response": {}}
`)+"-- note.rego --\n# METADATA\n# scope: "+name+"\n# custom:\n#   closed: true\npackage graphveil.custom\n"+denial)
			if err != nil {
				t.Fatal(err)
			}
			checkDenied(t, name, decide(t, s, "/items", policy.Input{}), "closed")
		})
	}
}
