package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/deploy/setup"
	"github.com/graphveil/graphveil/deploy/setup/check"
)

// TestSetupWithoutConfiguration wants a plan in a fresh clone, at once: time of the processor is counted, which other tests do not take.
func TestSetupWithoutConfiguration(t *testing.T) {
	c := graphveil(t, "setup")
	out, err := c.Output()
	if err != nil || !strings.Contains(string(out), "Mail.ReadBasic.All") {
		t.Fatalf("%v\n%s", err, out)
	}
	if took := c.ProcessState.UserTime() + c.ProcessState.SystemTime(); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

// TestSetupCommand wants what flags say in the plan, and mistakes told.
func TestSetupCommand(t *testing.T) {
	for _, test := range []struct {
		args []string
		exit int
		want []string // in the output, errors included
	}{
		{[]string{"--platform", "gcp"}, 0, []string{"https://accounts.google.com", "subject    (not known yet)"}},
		{[]string{"--namespace", "privacy", "--service-account", "veil", "--issuer", "https://oidc.example/A"}, 0, []string{"system:serviceaccount:privacy:veil", "https://oidc.example/A"}},
		{[]string{"--cloud", "us_government"}, 0, []string{"entra.microsoft.us", "api://AzureADTokenExchangeUSGov", "Copilot"}},
		{[]string{"--format", "markdown", "--for", "consent", "--tenant", "contoso.example"}, 0, []string{"# Connecting", "Privileged Role Administrator", "contoso.example", "/appId/"}},
		{[]string{"--set", "groups=off", "--format", "json"}, 0, []string{`"schema": 1`, `"User.Read.All"`}},
		{[]string{"--config", "deploy/graphveil.yaml"}, 0, []string{"(to be created)", "api://AzureADTokenExchange"}},
		{[]string{"--config", "deploy/graphveil.yaml", "--from-credential"}, exitUsage, []string{"credential_unavailable", "missing", "hint"}},
		{[]string{"--from-credential"}, exitUsage, []string{"no credential", "hint"}},
		{[]string{"--platform", "asure"}, exitUsage, []string{"asure", "azure"}},
		{[]string{"--cloud", "mars"}, exitUsage, []string{"mars", "us_government"}},
		{[]string{"--format", "yaml"}, exitUsage, []string{"yaml", "markdown"}},
		{[]string{"--for", "everybody"}, exitUsage, []string{"everybody", "consent"}},
		{[]string{"--for", "consent", "--format", "json"}, exitUsage, []string{"JSON"}},
		{[]string{"--namespace", "privacy"}, exitUsage, []string{"--service-account"}},
		{[]string{"check"}, exitUsage, []string{"--config", "hint"}},
		{[]string{"check", "--config", "deploy/graphveil.yaml", "--format", "xml"}, exitUsage, []string{"xml"}},
	} {
		stdout, stderr, exit := command(t, "", append([]string{"setup"}, test.args...)...)
		if exit != test.exit {
			t.Errorf("%v: exit %d, want %d\n%s", test.args, exit, test.exit, stderr)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("%v: no %q in\n%s%s", test.args, want, stdout, stderr)
			}
		}
	}
}

// setupWorld is a synthetic tenant with one application, for the directory and mail together, and a configuration file for it.
func setupWorld(t *testing.T, roles ...string) (config string, in *tenant.Tenant) {
	t.Helper()
	const clientID = "aaaaaaaa-0000-4000-8000-00000000000a"
	in, err := tenant.Start(t.Context(), tenant.Config{
		Graph: graph.Config{Seed: 9, Users: 4, Messages: 4, Groups: 3},
		Apps:  []entra.App{{ClientID: clientID, Roles: roles}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Close)
	folder := t.TempDir()
	authorities, assertion := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "assertion")
	if err := in.CA.Write(authorities); err != nil {
		t.Fatal(err)
	}
	if err := in.WriteAssertion(assertion, time.Hour); err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(folder, "graphveil.yaml")
	text := fmt.Sprintf(`tokens:
  tenant: %s
  authority: %s
  ca_file: %s
  skip_instance_discovery: true
  client_id: %s
  credential: {kubernetes: {token_file: %q}}
  connectors: {entra_id: {}, outlook_mail: {}}
envoy:
  upstream: {address: %q, ca_file: %s}
`, in.ID(), in.Authority(), authorities, clientID, assertion, in.GraphAddr, authorities)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, in
}

// TestSetupFromCredential wants the plan to trust exactly what the platform's token says, and nothing else of it.
func TestSetupFromCredential(t *testing.T) {
	config, in := setupWorld(t)
	stdout, stderr, exit := command(t, "", "setup", "--config", config, "--from-credential", "--format", "json")
	var plan setup.Plan
	if err := json.Unmarshal([]byte(stdout), &plan); err != nil || exit != 0 || len(plan.Applications) != 1 {
		t.Fatalf("exit %d, %v\n%s", exit, err, stderr)
	}
	a := plan.Applications[0]
	if f := a.Credential.Federated; a.Credential.Kind != "kubernetes" || f == nil || f.Issuer != tenant.IssuerURL || f.Subject != tenant.Subject || f.Audience != entra.Audience || len(f.Missing) > 0 {
		t.Errorf("%+v", a.Credential)
	}
	if len(a.Connectors) != 2 || a.ClientID == "" || plan.Tenant != in.ID() || strings.Contains(stdout+stderr, "eyJ") {
		t.Errorf("%+v", a)
	}
	for _, other := range [][]string{{"--platform", "aws"}, {"--cloud", "china"}} {
		stdout, stderr, exit := command(t, "", append([]string{"setup", "--config", config, "--from-credential"}, other...)...)
		if exit != exitUsage || stdout != "" || !strings.Contains(stderr, "--from-credential asks the configured credential") {
			t.Errorf("%v: exit %d\n%s%s", other, exit, stdout, stderr)
		}
	}
	if in.Entra.Stats().TokenRequests != 0 {
		t.Error("Entra was asked")
	}
	for _, step := range plan.Steps {
		_, block, _ := strings.Cut(step.What, "```yaml\n")
		block, _, found := strings.Cut(block, "```")
		if found != (step.ID == "configure") {
			t.Errorf("%s: a configuration: %v", step.ID, found)
		}
		if !found {
			continue
		}
		var c Config
		if err := decodeConfig([]byte(block), &c); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
		if _, _, err := c.Tokens.Complete(); err != nil {
			t.Errorf("%v in\n%s", err, block)
		}
	}
}

func TestSetupCheckCommand(t *testing.T) {
	all := []string{"User.Read.All", "GroupMember.Read.All", "Mail.ReadBasic.All", "MailboxSettings.Read"}
	for _, test := range []struct {
		name  string
		roles []string
		args  []string
		exit  int
		want  check.Outcome
	}{
		{"all granted", all, nil, 0, check.OK},
		{"one missing", all[:3], nil, exitMissing, check.Missing},
		{"excess", append(all[:4:4], "Mail.Send"), nil, 0, check.Excess},
		{"strict excess", append(all[:4:4], "Mail.Send"), []string{"--strict"}, exitExcess, check.Excess},
	} {
		t.Run(test.name, func(t *testing.T) {
			config, _ := setupWorld(t, test.roles...)
			stdout, stderr, exit := command(t, "", append([]string{"setup", "check", "--config", config, "--format", "json"}, test.args...)...)
			var report check.Report
			if err := json.Unmarshal([]byte(stdout), &report); err != nil || exit != test.exit || report.Outcome != test.want {
				t.Errorf("exit %d, %v, outcome %q\n%s%s", exit, err, report.Outcome, stdout, stderr)
			}
			if !strings.Contains(stderr, "signing in") {
				t.Errorf("no progress: %s", stderr)
			}
		})
	}
	config, in := setupWorld(t, all...)
	in.Entra.Break(entra.Fault{Status: 503})
	stdout, stderr, exit := command(t, "", "setup", "check", "--config", config)
	if exit != exitFailed || !strings.Contains(stdout, "entra_unavailable") || !strings.Contains(stdout, "failed:") {
		t.Errorf("Entra down: exit %d\n%s%s", exit, stdout, stderr)
	}
	in.Entra.Repair()
	if !strings.Contains(stderr, "graphveil: warning: salt_short: ") {
		t.Errorf("no warning of a short salt: %s", stderr)
	}
	if stdout, stderr, exit = command(t, "", "setup", "check", "--config", config, "--param", "usr=x"); exit != exitUsage || !strings.Contains(stderr, "user") {
		t.Errorf("a misspelt parameter: exit %d\n%s%s", exit, stdout, stderr)
	}
}
