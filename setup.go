package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/policy"
)

func newSetup() *cobra.Command {
	var o setupFlags
	c := &cobra.Command{
		Use:   "setup",
		Short: "Say what the administrators of a tenant have to do",
		Long: `Derive from the policy, and from the configuration as far as there is one, what has
to be done in Entra, Teams and Exchange before Graphveil can read a tenant: which
applications to create, which application permissions each needs and for which
requests, which federated credential it trusts, who may do it and when that role
can be given back.

It changes nothing. Without a configuration it takes the shipped policy, and what
the flags say. The issuer, subject and audience of a federated credential must equal
the token's exactly: where Graphveil is to run, --from-credential takes them from a
real one, so that nobody has to guess. 'graphveil setup check' tells afterwards
whether everything works.

  --format checklist   for this terminal (default)
  --format markdown    with commands, reasons and known failures
  --format json        for infrastructure code (deploy/terraform, deploy/azure-cli)

Often several people are needed. --for writes a document that one of them can work
from without the rest: create (Cloud Application Administrator), consent (Privileged
Role Administrator), meetings (Teams Administrator), mailboxes (Exchange
Administrator), operate (whoever runs Graphveil).`,
		Example: `  graphveil setup
  graphveil setup --platform kubernetes --issuer https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE \
      --namespace privacy --service-account graphveil --tenant contoso.onmicrosoft.com
  graphveil setup --config graphveil.yaml --format markdown --for consent > consent.md
  graphveil setup --config graphveil.yaml --from-credential
  graphveil setup --set groups=off --shared --format json > plan.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, err := o.plan(cmd.Context())
			if err != nil {
				return err
			}
			switch o.format {
			case "json":
				return setup.WriteJSON(os.Stdout, plan)
			case "markdown":
				return setup.WriteMarkdown(os.Stdout, plan, o.person)
			}
			return setup.WriteChecklist(os.Stdout, plan, o.person)
		},
	}
	o.register(c)
	c.AddCommand(newSetupCheck())
	return c
}

// setupFlags are the flags of setup. Those that say something replace what the
// configuration says.
type setupFlags struct {
	offline                             offlineFlags
	platform, issuer, subject, audience string
	namespace, account, tenant, cloud   string
	shared, fromCredential              bool
	format, person                      string
}

func (o *setupFlags) register(c *cobra.Command) {
	o.offline.register(c)
	f := c.Flags()
	f.StringVar(&o.platform, "platform", "", "the `kind` of credential:\n"+strings.Join(setup.Platforms(), ", "))
	f.StringVar(&o.issuer, "issuer", "", "the federated credential's issuer `URL`")
	f.StringVar(&o.subject, "subject", "", "the federated credential's `subject`")
	f.StringVar(&o.audience, "audience", "", "the federated credential's `audience` (default: the cloud's)")
	f.StringVar(&o.namespace, "namespace", "", "the Kubernetes `namespace` that Graphveil runs in, instead of --subject")
	f.StringVar(&o.account, "service-account", "", "the Kubernetes service `account` that Graphveil runs as, instead of --subject")
	f.StringVar(&o.tenant, "tenant", "", "the directory (tenant) `id` or a domain name of it")
	f.StringVar(&o.cloud, "cloud", "", "`name` of the cloud: global, us_government, us_dod or china (default: the configuration's, or global)")
	f.BoolVar(&o.shared, "shared", false, "one application for all connectors, instead of one for each")
	f.BoolVar(&o.fromCredential, "from-credential", false, "fetch one token with the configured credential, here and now, and take issuer, subject and\naudience from it; nothing else of it is shown")
	f.StringVar(&o.format, "format", "checklist", "`form` of the output: checklist, markdown or json")
	f.StringVar(&o.person, "for", "", "write what concerns one `person`: "+strings.Join(setup.People, ", "))
}

// plan derives the plan. Its errors are about the command line or the configuration.
func (o *setupFlags) plan(ctx context.Context) (*setup.Plan, error) {
	plan, err := o.derive(ctx)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return plan, nil
}

func (o *setupFlags) derive(ctx context.Context) (*setup.Plan, error) {
	if !slices.Contains([]string{"checklist", "markdown", "json"}, o.format) {
		return nil, fmt.Errorf("--format is %q, must be checklist, markdown or json", o.format)
	}
	if !setup.IsPerson(o.person) {
		return nil, fmt.Errorf("--for is %q, must be one of %s", o.person, strings.Join(setup.People, ", "))
	}
	if o.person != "" && o.format == "json" {
		return nil, errors.New("--for is for people, and JSON is whole\nhint: leave one of --for and --format json out")
	}
	config, err := o.offline.read()
	if err != nil {
		return nil, err
	}
	served := config.policy()
	if len(config.Tokens.Connectors) > 0 {
		served = config.servedPolicy()
	}
	snapshot, err := policy.Load(ctx, served)
	if err != nil {
		return nil, err
	}
	return o.deriveFrom(ctx, config, snapshot)
}

func (o *setupFlags) deriveFrom(ctx context.Context, config *Config, s *policy.Snapshot) (*setup.Plan, error) {
	target, err := o.target(ctx, config)
	if err != nil {
		return nil, err
	}
	return setup.Derive(s, target)
}

// target is what flags and configuration say, in this order.
func (o *setupFlags) target(ctx context.Context, config *Config) (setup.Target, error) {
	var t setup.Target
	cloud, err := config.Tokens.ResolveCloud()
	if o.cloud != "" {
		cloud, err = auth.CloudNamed(o.cloud)
	}
	if err != nil {
		return t, err
	}
	t = setup.Target{Tenant: cmp.Or(o.tenant, config.Tokens.Tenant), Cloud: cloud.Name, Authority: cloud.Authority, GraphHost: cloud.Graph,
		Audience: cloud.Audience, Shared: o.shared, Known: map[string]setup.Known{}}
	if isPlaceholder(t.Tenant) {
		t.Tenant = ""
	}
	if len(config.Tokens.Connectors) == 0 {
		t.Default, err = o.credential(ctx, config, nil, "")
		return t, err
	}
	for _, name := range slices.Sorted(maps.Keys(config.Tokens.Connectors)) {
		connector := config.Tokens.Connectors[name]
		known := setup.Known{ClientID: strings.ToLower(cmp.Or(connector.ClientID, config.Tokens.ClientID))}
		if isPlaceholder(known.ClientID) {
			known.ClientID = ""
		}
		if known.Credential, err = o.credential(ctx, config, connector.Credential, known.ClientID); err != nil {
			return t, fmt.Errorf("connector %q: %w", name, err)
		}
		t.Known[name] = known
	}
	return t, nil
}

// isPlaceholder tells the ids of deploy/graphveil.yaml, which nothing has.
func isPlaceholder(id string) bool { return strings.HasPrefix(id, "00000000-0000-0000-0000-") }

// credential is a credential of the configuration, nil for the one of all
// connectors, as the plan describes it.
func (o *setupFlags) credential(ctx context.Context, config *Config, own *auth.Credential, clientID string) (setup.Credential, error) {
	subject := o.subject
	if o.namespace != "" || o.account != "" {
		if subject != "" || o.namespace == "" || o.account == "" {
			return setup.Credential{}, errors.New("a Kubernetes service account takes both --namespace and --service-account, and no --subject")
		}
		subject = "system:serviceaccount:" + o.namespace + ":" + o.account
	}
	configured := cmp.Or(own, &config.Tokens.Credential)
	kind := cmp.Or(o.platform, configured.Kind())
	if kind == "" && o.namespace != "" {
		kind = "kubernetes"
	}
	identity := configured.Expected()
	if o.platform != "" && o.platform != configured.Kind() {
		identity = auth.Identity{}
	}
	if o.fromCredential {
		if kind != configured.Kind() || o.cloud != "" && o.cloud != cmp.Or(config.Tokens.Cloud, "global") {
			return setup.Credential{}, errors.New("--from-credential asks the configured credential, for the configured cloud\nhint: leave --platform and --cloud out, or change the configuration")
		}
		var err error
		identity, err = config.Tokens.Identify(ctx, own, clientID)
		switch failed := (*auth.Error)(nil); {
		case errors.Is(err, auth.ErrNoAssertion): // nothing to trust
		case errors.As(err, &failed):
			return setup.Credential{}, fmt.Errorf("asking for the platform's token: %s (%s)\nhint: %s", failed.Code, failed.Detail, auth.Hint(failed))
		case err != nil:
			return setup.Credential{}, err
		}
	}
	return setup.Credential{Kind: kind, Federated: &setup.Federated{
		Issuer: cmp.Or(o.issuer, identity.Issuer), Subject: cmp.Or(subject, identity.Subject), Audience: cmp.Or(o.audience, identity.Audience),
	}}, nil
}
