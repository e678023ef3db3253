package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// Config is the configuration file. deploy/graphveil.yaml documents every key.
// Unknown keys are refused. Secrets are paths of files, or environment variables.
type Config struct {
	Policy     PolicyConfig    `yaml:"policy"`
	Pseudonyms PseudonymConfig `yaml:"pseudonyms"`
	Tokens     auth.Config     `yaml:"tokens"`
	Processor  ProcessorConfig `yaml:"processor"`
	Envoy      envoy.Config    `yaml:"envoy"`
	Log        LogConfig       `yaml:"log"`
	Tracing    TracingConfig   `yaml:"tracing"`
}

// PolicyConfig says which policy is in force.
type PolicyConfig struct {
	// Paths are folders (or bundle files) of Rego. They replace the shipped
	// connectors, which the name "builtin" stands for. Empty means builtin.
	Paths []string `yaml:"paths"`
	// OPAConfig is a configuration file of OPA. Its bundles are the policy, together
	// with what Paths names, which is nothing by default.
	OPAConfig string `yaml:"opa_config"`
	// Options set data.graphveil.options.
	Options map[string]string `yaml:"options"`
}

// PseudonymConfig says where salt and keys are and how addresses are treated.
type PseudonymConfig struct {
	// SaltFile holds the salt of all pseudonyms; GRAPHVEIL_SALT comes first.
	SaltFile string `yaml:"salt_file"`
	// KeyFile holds the key of reversible pseudonyms; GRAPHVEIL_KEY comes first.
	KeyFile string `yaml:"key_file"`
	// PreviousKeyFiles hold keys that are no longer used for new tokens, but
	// still reveal old ones.
	PreviousKeyFiles []string `yaml:"previous_key_files"`
	// LinkKeyFiles hold keys of sealed page links, 32 bytes in base64, the newest first.
	// Empty means keys derived from salt and keys.
	LinkKeyFiles []string `yaml:"link_key_files"`
	// Domains: preserve (default), redact, tokenize or encrypt the domain of an
	// address.
	Domains string `yaml:"domains"`
	// Canonicalization: strict (default) or ignore_dots.
	Canonicalization string `yaml:"canonicalization"`
	// DomainSaltFile and DomainKeyFile hold salt and key of domains that are
	// tokenized or encrypted, IPSaltFile and IPKeyFile those of IP addresses. Empty
	// means the ones above. Psoxy can have them apart.
	DomainSaltFile string `yaml:"domain_salt_file"`
	DomainKeyFile  string `yaml:"domain_key_file"`
	IPSaltFile     string `yaml:"ip_salt_file"`
	IPKeyFile      string `yaml:"ip_key_file"`
}

// ProcessorConfig says where the processor listens and how long it waits.
type ProcessorConfig struct {
	// Listen is a Unix socket path, or host:port for TCP. Default
	// /run/graphveil/processor.sock.
	Listen string `yaml:"listen"`
	// Admin is host:port for /healthz, /readyz and /metrics. Default
	// 127.0.0.1:9464.
	Admin string `yaml:"admin"`
	// Origin, as https://graph.example, is written before page links. Default:
	// scheme and authority of each request.
	Origin string `yaml:"origin"`
	// RequestTimeout bounds the decision of a request. Default 4s; must stay
	// below envoy.timeouts.processor.
	RequestTimeout time.Duration `yaml:"request_timeout"`
	// IdleTimeout ends an exchange that makes no progress. Default 2m.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// DrainTimeout bounds how long exchanges may take after SIGTERM. For the
	// first half of it Envoy, if it stays connected, may send new ones.
	// Default 25s.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// LogConfig says what is logged.
type LogConfig struct {
	// Level: debug, info (default), warn or error.
	Level string `yaml:"level"`
}

// readConfigFile is for commands that can do nothing without a file.
func readConfigFile(file string) (*Config, error) {
	if file == "" {
		return nil, errors.New("no configuration\nhint: --config names a file; docs/connect leads to one, deploy/graphveil.yaml documents every key. graphveil demo needs none")
	}
	return readConfig(file)
}

// readConfig reads the file, or returns the defaults for an empty name.
func readConfig(file string) (*Config, error) {
	c := &Config{}
	if file != "" {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the configuration: %w\nhint: deploy/graphveil.yaml of the sources documents every key; into a container mount yours, at /etc/graphveil", err)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the configuration: %w", err)
		}
		if err := decodeConfig(text, c); err != nil {
			return nil, fmt.Errorf("reading the configuration %s: %w", file, err)
		}
	}
	c.setDefaults()
	return c, c.matchCloud()
}

// matchCloud gives Envoy the Graph of the cloud that tokens are for, and refuses
// another: its tokens would go to a host that they are not for.
func (c *Config) matchCloud() error {
	if len(c.Tokens.Connectors) == 0 {
		return nil // an offline command
	}
	cloud, err := c.Tokens.ResolveCloud()
	if err != nil {
		return fmt.Errorf("reading the configuration: tokens: %w", err)
	}
	if c.Envoy.Upstream.Host == "" {
		c.Envoy.Upstream.Host = cloud.Graph
	}
	if !strings.EqualFold(c.upstream(), cloud.Graph) {
		return fmt.Errorf("reading the configuration: envoy.upstream.host is %q, but tokens are for %s\nhint: leave it out, and set tokens.cloud; envoy.upstream.address is where to connect", c.Envoy.Upstream.Host, cloud.Graph)
	}
	return nil
}

func decodeConfig(text []byte, c *Config) (err error) {
	defer func() {
		if recover() != nil { // the decoder does so at some tags, such as !!binary
			err = errors.New("it is YAML of a kind that is not read here\nhint: leave out tags, which begin with !; deploy/graphveil.yaml documents every key")
		}
	}()
	err = yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField()).Decode(c)
	if err == io.EOF {
		return nil
	}
	if err != nil {
		// Without the lines around it, in which somebody may have written a secret.
		return fmt.Errorf("%s\nhint: deploy/graphveil.yaml documents every key", yaml.FormatError(err, false, false))
	}
	if c.Envoy.Processor != "" {
		return errors.New("the key envoy.processor is not for this file\nhint: both sides take processor.listen")
	}
	return nil
}

// upstream is the host that the API writes into its links.
func (c *Config) upstream() string {
	if c.Envoy.Upstream.Host == "" {
		return envoy.DefaultHost
	}
	return strings.TrimSuffix(c.Envoy.Upstream.Host, ":443")
}

func (c *Config) setDefaults() {
	if c.Processor.Listen == "" {
		c.Processor.Listen = "/run/graphveil/processor.sock"
	}
	if c.Processor.Admin == "" {
		c.Processor.Admin = "127.0.0.1:9464"
	}
	if c.Processor.DrainTimeout == 0 {
		c.Processor.DrainTimeout = 25 * time.Second
	}
	if len(c.Policy.Paths) == 0 && c.Policy.OPAConfig == "" {
		c.Policy.Paths = []string{"builtin"}
	}
}

// read reads salt and keys.
func (p *PseudonymConfig) read() (s secrets, err error) {
	c := &s.codec
	if c.Salt, err = secret("GRAPHVEIL_SALT", p.SaltFile, "pseudonyms.salt_file"); err != nil {
		return s, err
	}
	if c.Key, err = secret("GRAPHVEIL_KEY", p.KeyFile, "pseudonyms.key_file"); err != nil {
		return s, err
	}
	for _, file := range p.PreviousKeyFiles {
		key, err := secret("", file, "pseudonyms.previous_key_files")
		if err != nil {
			return s, err
		}
		c.PreviousKeys = append(c.PreviousKeys, key)
	}
	for _, own := range []struct {
		to        *string
		file, key string
	}{
		{&c.DomainSalt, p.DomainSaltFile, "pseudonyms.domain_salt_file"},
		{&c.DomainKey, p.DomainKeyFile, "pseudonyms.domain_key_file"},
		{&c.IPSalt, p.IPSaltFile, "pseudonyms.ip_salt_file"},
		{&c.IPKey, p.IPKeyFile, "pseudonyms.ip_key_file"},
	} {
		if own.file == "" {
			continue
		}
		if *own.to, err = secret("", own.file, own.key); err != nil {
			return s, err
		}
	}
	if err := p.handling(c); err != nil {
		return s, err
	}
	s.links, err = p.linkKeys()
	return s, err
}

func (p *PseudonymConfig) handling(c *pseudonym.Config) error {
	domains := map[string]pseudonym.DomainHandling{
		"": pseudonym.Preserve, "preserve": pseudonym.Preserve, "redact": pseudonym.Redact,
		"tokenize": pseudonym.Tokenize, "encrypt": pseudonym.Encrypt,
	}
	canonical := map[string]pseudonym.Canonicalization{
		"": pseudonym.Strict, "strict": pseudonym.Strict, "ignore_dots": pseudonym.IgnoreDots,
	}
	var ok bool
	if c.Domains, ok = domains[p.Domains]; !ok {
		return fmt.Errorf("reading the configuration: pseudonyms.domains is %q, must be preserve, redact, tokenize or encrypt", p.Domains)
	}
	if c.Canonicalization, ok = canonical[p.Canonicalization]; !ok {
		return fmt.Errorf("reading the configuration: pseudonyms.canonicalization is %q, must be strict or ignore_dots", p.Canonicalization)
	}
	return nil
}

// secret reads a secret from the environment or a file. One trailing newline,
// as editors leave it, does not belong to it.
func secret(env, file, key string) (string, error) {
	if value := os.Getenv(env); env != "" && value != "" {
		return value, nil
	}
	if file == "" {
		return "", fmt.Errorf("reading the configuration: no secret in %s\nhint: set %s to a file, or the environment variable %s", key, key, env)
	}
	text, err := readSecret(file)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", key, err)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("reading %s: the file %s is empty", key, file)
	}
	return value, nil
}

// maxSecret is more than any secret store gives out as one.
const maxSecret = 64 << 10

// readSecret reads a file, and refuses what nobody means: what has no end or makes who
// opens it wait, and a byte order mark, which would make other pseudonyms than the same
// text in the environment.
func readSecret(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxSecret:
		return "", fmt.Errorf("%s has more than %d bytes", file, maxSecret)
	}
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return "", fmt.Errorf("%s begins with a byte order mark\nhint: save it as plain text, in UTF-8 without one", file)
		}
	}
	return string(text), nil
}

// logger writes JSON lines to w.
func (l LogConfig) logger(w io.Writer) (*slog.Logger, error) {
	level := slog.LevelInfo
	if l.Level != "" {
		if err := level.UnmarshalText([]byte(l.Level)); err != nil {
			return nil, fmt.Errorf("reading the configuration: log.level is %q, must be debug, info, warn or error", l.Level)
		}
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})), nil
}
