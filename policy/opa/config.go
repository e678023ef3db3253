package opa

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/config"
	"github.com/open-policy-agent/opa/v1/util"
)

// Config is an OPA configuration that was read and found to be safe.
type Config struct {
	file string
	raw  []byte
	boot map[string]any
	// delivers: the policy comes by bundles, named here or by discovery.
	delivers bool
	// discovers: the rest of the configuration comes by discovery.
	discovers bool
	// records: there are decision logs, or discovery may bring them.
	records bool
}

// environment finds what OPA replaces by environment variables.
var environment = regexp.MustCompile(`\$\{[^}]+\}`)

// Read reads an OPA configuration file, in YAML or JSON, as OPA does: ${NAME} is
// replaced by the environment variable where there is one.
func Read(file string) (*Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading policy.opa_config: %w", err)
	}
	text = environment.ReplaceAllFunc(text, func(name []byte) []byte {
		if value, ok := os.LookupEnv(string(name[2 : len(name)-1])); ok {
			return []byte(value)
		}
		return name
	})
	c := &Config{file: file, raw: text}
	if err := util.Unmarshal(text, &c.boot); err != nil {
		return nil, fmt.Errorf("reading policy.opa_config %s: it is neither YAML nor JSON", file)
	}
	parsed, err := config.ParseConfig(text, "")
	if err != nil {
		return nil, fmt.Errorf("reading policy.opa_config %s: %w", file, err)
	}
	if err := check(parsed); err != nil {
		return nil, fmt.Errorf("reading policy.opa_config %s: %w", file, err)
	}
	c.discovers = given(parsed.Discovery)
	c.delivers = given(parsed.Bundles) || c.discovers
	c.records = given(parsed.DecisionLogs) || c.discovers
	return c, nil
}

// Delivers tells whether the policy comes by bundles.
func (c *Config) Delivers() bool { return c.delivers }

// Discovers tells whether discovery brings more of the configuration. OPA replaces
// ${NAME} in that too, so whoever signs it can read the environment of the process.
func (c *Config) Discovers() bool { return c.discovers }

func given(section json.RawMessage) bool { return len(section) > 0 && string(section) != "null" }

// check refuses what would put a policy in force that nobody has signed. OPA itself
// accepts an unsigned bundle unless its configuration has the block signing.
func check(c *config.Config) error {
	if given(c.Bundle) { //nolint:staticcheck // refused because it is deprecated
		return errors.New("the key bundle is OPA's old form, which cannot ask for signatures\nhint: use bundles")
	}
	type source struct {
		Signing *bundle.VerificationConfig `json:"signing"`
	}
	sources := map[string]*source{}
	if given(c.Bundles) {
		if err := util.Unmarshal(c.Bundles, &sources); err != nil {
			return errors.New("bundles is no object of bundles")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if sources[name] == nil {
			continue // OPA's way to leave one out
		}
		if err := checkSigning(sources[name].Signing); err != nil {
			return fmt.Errorf("bundles.%s: %w", name, err)
		}
	}
	if given(c.Discovery) {
		var d source
		if err := util.Unmarshal(c.Discovery, &d); err != nil {
			return errors.New("discovery is no object")
		}
		if err := checkSigning(d.Signing); err != nil {
			return fmt.Errorf("discovery: %w", err)
		}
	}
	return nil
}

func checkSigning(s *bundle.VerificationConfig) error {
	switch {
	case s == nil:
		return errors.New("the bundle need not be signed: whoever can write to the server could allow anything\nhint: add keys, and to each bundle signing: {keyid: NAME}; sign with opa sign, as policy/README.md shows")
	case s.AllowUnsignedDeltaBundles:
		return errors.New("signing.allow_unsigned_delta_bundles lets changes in that nobody has signed\nhint: leave it out; serve whole bundles")
	case len(s.Exclude) > 0:
		return errors.New("signing.exclude_files lets files in that nobody has signed\nhint: leave it out, and those files out of the bundle")
	}
	return nil
}

// guard adapts what OPA parsed, at the start and when discovery brings another
// configuration. It is a hook of OPA.
type guard struct{}

// OnConfig implements hooks.ConfigHook.
func (guard) OnConfig(_ context.Context, c *config.Config) (*config.Config, error) {
	return adapt(c)
}

// OnConfigDiscovery implements hooks.ConfigDiscoveryHook.
func (guard) OnConfigDiscovery(_ context.Context, c *config.Config) (*config.Config, error) {
	return adapt(c)
}

// adapt checks, and bounds the memory of decision logs: by default OPA keeps any
// number of bytes until they can be uploaded.
func adapt(c *config.Config) (*config.Config, error) {
	if err := check(c); err != nil {
		return nil, err
	}
	if !given(c.DecisionLogs) {
		return c, nil
	}
	var logs map[string]any
	if err := util.Unmarshal(c.DecisionLogs, &logs); err != nil {
		return nil, errors.New("decision_logs is no object")
	}
	reporting, _ := logs["reporting"].(map[string]any)
	if reporting == nil {
		reporting = map[string]any{}
	}
	if reporting["buffer_type"] == nil && reporting["buffer_size_limit_bytes"] == nil {
		reporting["buffer_type"] = "event"
		logs["reporting"] = reporting
	}
	text, err := json.Marshal(logs)
	if err != nil {
		return nil, fmt.Errorf("encoding decision_logs: %w", err)
	}
	c.DecisionLogs = text
	return c, nil
}
