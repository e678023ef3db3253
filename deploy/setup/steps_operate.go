package setup

import (
	"fmt"
	"strings"
)

func configure(p *Plan) Step {
	var b strings.Builder
	fmt.Fprintf(&b, "tokens:\n  tenant: %s\n", orWord(p.Tenant, "TENANT_ID"))
	if p.Cloud != "" && p.Cloud != "global" {
		fmt.Fprintf(&b, "  cloud: %s\n", p.Cloud)
	}
	for _, a := range p.Applications[:min(1, len(p.Applications))] { // a configuration has one for all, unless it says otherwise
		if platforms[a.Credential.Kind].bare {
			fmt.Fprintf(&b, "  credential:\n    %s: {}\n", a.Credential.Kind)
		}
	}
	b.WriteString("  connectors:\n")
	for _, a := range p.Applications {
		for _, name := range a.Connectors {
			fmt.Fprintf(&b, "    %s: {client_id: %s}\n", name, a.idWord())
		}
	}
	return Step{
		ID: "configure", For: Operate, Title: "Configure Graphveil", Who: operator,
		What: "What the administrators hand back are the tenant's id and the application (client) ids; neither is a secret. They belong in the configuration, with the `credential` of the platform " +
			"(deploy/graphveil.yaml documents every key):\n\n```yaml\n" + b.String() + "```",
	}
}

func check() Step {
	return Step{
		ID: "check", For: Operate, Title: "Check it", Who: operator, Shell: "sh",
		What: "Run this where Graphveil runs, with its configuration. It signs in as each application, compares what is granted with what is needed, and asks each endpoint for one record, of which it keeps an id at most and prints nothing.",
		Commands: []string{
			"graphveil setup check --config graphveil.yaml",
		},
	}
}
