package opa

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

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
	// plain are the services that get credentials without TLS, or without a look at the certificate.
	plain []string
	// unknown are complaints about options that OPA does not know.
	unknown []string
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
		return nil, c.wrong(errors.New("it is neither YAML nor JSON"))
	}
	parsed, err := config.ParseConfig(text, "")
	if err != nil {
		return nil, c.wrong(err)
	}
	if err := check(parsed); err != nil {
		return nil, c.wrong(err)
	}
	c.unknown = parsed.Warnings
	services, err := readServices(parsed.Services)
	if err != nil {
		return nil, c.wrong(err)
	}
	for name, service := range services {
		at, err := url.Parse(fmt.Sprint(service["url"]))
		if err == nil && (at.Scheme == "http" || service["allow_insecure_tls"] == true) && service["credentials"] != nil && !isLoopback(at.Hostname()) {
			c.plain = append(c.plain, name)
		}
	}
	slices.Sort(c.plain)
	for _, name := range slices.Sorted(maps.Keys(parsed.Extra)) {
		return nil, c.wrong(fmt.Errorf("there is no option %q\nhint: with a typo in bundles their denials would be missing", name))
	}
	if !given(parsed.Bundles) && !given(parsed.Discovery) && !given(parsed.DecisionLogs) && !given(parsed.Status) {
		return nil, c.wrong(errors.New("it configures nothing: no bundles, discovery, decision_logs or status\nhint: leave policy.opa_config out if that is meant"))
	}
	c.discovers = given(parsed.Discovery)
	c.delivers = given(parsed.Bundles) || c.discovers
	c.records = given(parsed.DecisionLogs) || c.discovers
	return c, nil
}

// Delivers tells whether the policy comes by bundles.
func (c *Config) Delivers() bool { return c.delivers }

// Plain are the names of the services that get credentials without TLS, or whoever they
// are (allow_insecure_tls), sorted.
func (c *Config) Plain() []string { return c.plain }

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
	if err := checkKeys(c.Keys); err != nil {
		return err
	}
	if err := checkStatus(c.Status); err != nil {
		return err
	}
	type source struct {
		Signing json.RawMessage `json:"signing"`
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

func checkSigning(raw json.RawMessage) error {
	if !given(raw) {
		return errors.New("the bundle need not be signed: whoever can write to the server could allow anything\nhint: add keys, and to each bundle signing: {keyid: NAME}; sign with opa sign, as policy/README.md shows")
	}
	// OPA passes over what it does not know here, and a scope with a typo is none.
	var s bundle.VerificationConfig
	var options map[string]any
	if util.Unmarshal(raw, &s) != nil || util.Unmarshal(raw, &options) != nil {
		return errors.New("signing is no object of keyid and scope")
	}
	for name := range options {
		if !slices.Contains([]string{"keyid", "scope", "exclude_files", "allow_unsigned_delta_bundles"}, name) {
			return fmt.Errorf("signing has no option %q\nhint: they are keyid and scope", name)
		}
	}
	switch {
	case s.AllowUnsignedDeltaBundles:
		return errors.New("signing.allow_unsigned_delta_bundles lets changes in that nobody has signed\nhint: leave it out; serve whole bundles")
	case len(s.Exclude) > 0:
		return errors.New("signing.exclude_files lets files in that nobody has signed\nhint: leave it out, and those files out of the bundle")
	}
	return nil
}

// checkStatus refuses buckets of OPA's histogram with which it would end the process, once
// the first bundle is there.
func checkStatus(raw json.RawMessage) error {
	var s struct {
		Prometheus struct {
			Collectors struct {
				Duration struct {
					Buckets []float64 `json:"buckets"`
				} `json:"bundle_loading_duration_ns"`
			} `json:"collectors"`
		} `json:"prometheus_config"`
	}
	if given(raw) && util.Unmarshal(raw, &s) != nil {
		return errors.New("status is not as OPA takes it")
	}
	buckets := s.Prometheus.Collectors.Duration.Buckets
	for i := 1; i < len(buckets); i++ {
		if buckets[i] <= buckets[i-1] {
			return errors.New("status.prometheus_config: the buckets of bundle_loading_duration_ns must increase\nhint: leave them out for OPA's own")
		}
	}
	return nil
}

// checkKeys refuses keys that prove nothing: a secret that others know or can guess,
// as the name of a variable or of a file, and what is no key.
func checkKeys(raw json.RawMessage) error {
	var keys map[string]struct{ Key, Algorithm string }
	if given(raw) && util.Unmarshal(raw, &keys) != nil {
		return errors.New("keys is no object of keys")
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if err := checkKey(keys[name].Key, keys[name].Algorithm); err != nil {
			return fmt.Errorf("keys.%s.key: %w", name, err)
		}
	}
	return nil
}

// minSecret is how long a shared secret is at least, in bytes.
const minSecret = 32

func checkKey(key, algorithm string) error {
	if key == "" {
		return nil // one to sign with, or OPA refuses it
	}
	if name := environment.FindString(key); name != "" {
		return fmt.Errorf("there is no environment variable for %s", name)
	}
	block, _ := pem.Decode([]byte(key))
	_, isFile := os.Stat(key)
	switch {
	case isFile == nil:
		return errors.New("it is the name of a file, and OPA takes the text of the key\nhint: put the public key here, or into an environment variable and ${NAME} here")
	case strings.HasPrefix(algorithm, "HS") && len(key) < minSecret:
		return fmt.Errorf("a shared secret of less than %d bytes can be guessed\nhint: sign with RS256 or ES256 and give the public key", minSecret)
	case strings.HasPrefix(algorithm, "HS") && block != nil:
		return errors.New("it is a key in PEM form, and as a shared secret whoever has the public key could sign\nhint: name the algorithm of the key, RS256 or ES256, or leave it out for RS256")
	case strings.HasPrefix(algorithm, "HS"):
		return nil
	case block == nil:
		return errors.New("it is no key in PEM form\nhint: give the text of the public key, -----BEGIN PUBLIC KEY-----, as a block (key: |), for quotes join its lines")
	case strings.Contains(block.Type, "PRIVATE"):
		return errors.New("it is the private key, which signs and belongs where bundles are made\nhint: give the public key")
	}
	return nil
}

// checkDiscovered refuses what would let whoever signs the discovery bundle read the
// files of the process, or use its identity: credentials are sent to where a service
// says, and name files of tokens and keys.
func checkDiscovered(c *config.Config) error {
	services, err := readServices(c.Services)
	if err != nil {
		return err
	}
	const hint = "hint: give the service in policy.opa_config, and only refer to it"
	for _, service := range services {
		for option := range service {
			switch {
			case strings.EqualFold(option, "credentials"), strings.EqualFold(option, "tls"):
				return fmt.Errorf("services: discovery may not bring %s, which can name any file of the process\n"+hint, strings.ToLower(option))
			case strings.EqualFold(option, "allow_insecure_tls"): // for one that has credentials, too
				return errors.New("services: discovery may not bring allow_insecure_tls, which shows credentials to who is on the way\n" + hint)
			}
		}
	}
	return nil
}

// readServices are the options of services by name. OPA takes an array of them, too.
func readServices(raw json.RawMessage) (map[string]map[string]any, error) {
	services := map[string]map[string]any{}
	var list []map[string]any
	switch {
	case !given(raw) || util.Unmarshal(raw, &services) == nil:
		return services, nil
	case util.Unmarshal(raw, &list) != nil:
		return nil, errors.New("services is no object of services")
	}
	services = map[string]map[string]any{}
	for i, service := range list {
		services[fmt.Sprintf("%v (%d)", service["name"], i)] = service
	}
	return services, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// guard adapts what OPA parsed, at the start and when discovery brings another
// configuration. It is a hook of OPA.
type guard struct {
	// boot is the configuration of the start, which OPA puts over a discovered one.
	boot map[string]any
	// bounds are for the bundles that are fetched.
	bounds bounds
}

// OnConfig implements hooks.ConfigHook.
func (g *guard) OnConfig(_ context.Context, c *config.Config) (*config.Config, error) {
	if err := check(c); err != nil {
		return nil, err
	}
	g.bounds.observe(c)
	return c, bound(c, nil)
}

// OnConfigDiscovery implements hooks.ConfigDiscoveryHook.
func (g *guard) OnConfigDiscovery(_ context.Context, c *config.Config) (*config.Config, error) {
	if err := check(c); err != nil {
		return nil, err
	}
	if err := checkDiscovered(c); err != nil {
		return nil, err
	}
	g.bounds.observe(c)
	return c, bound(c, g.boot)
}

// bound bounds the memory of decision logs, if nothing else does: by default OPA keeps
// any number of bytes until they can be uploaded. What is in over will be put over it.
func bound(c *config.Config, over map[string]any) error {
	later, _ := over["decision_logs"].(map[string]any)
	if !given(c.DecisionLogs) && later == nil {
		return nil
	}
	logs := map[string]any{}
	if given(c.DecisionLogs) {
		if err := util.Unmarshal(c.DecisionLogs, &logs); err != nil {
			return errors.New("decision_logs is no object")
		}
	}
	reporting, _ := logs["reporting"].(map[string]any)
	laterReporting, _ := later["reporting"].(map[string]any)
	for _, r := range []map[string]any{reporting, laterReporting} {
		if r["buffer_type"] != nil || r["buffer_size_limit_bytes"] != nil {
			return nil
		}
	}
	if reporting == nil {
		reporting = map[string]any{}
	}
	reporting["buffer_type"] = "event"
	logs["reporting"] = reporting
	text, err := json.Marshal(logs)
	if err != nil {
		return fmt.Errorf("encoding decision_logs: %w", err)
	}
	c.DecisionLogs = text
	return nil
}
