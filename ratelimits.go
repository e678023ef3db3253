package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
)

// quotas are whose quota of Graph each connector takes, for Envoy's rate limit
// service; nil without one. The tenant is as configured but for case: Graph's
// counters know one tenant, and so must those of the service.
func (c *Config) quotas() (map[string]extproc.Quota, error) {
	if c.Envoy.RateLimit.Service == "" {
		return nil, nil
	}
	complete, _, err := c.Tokens.Complete()
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: tokens: %w", err)
	}
	quotas := map[string]extproc.Quota{}
	for name, connector := range complete.Connectors {
		quotas[name] = extproc.Quota{Tenant: strings.ToLower(complete.Tenant), Application: connector.ClientID}
	}
	return quotas, nil
}

func newEnvoyRateLimits() *cobra.Command {
	var o offlineFlags
	c := &cobra.Command{
		Use:   "ratelimits",
		Short: "Print the configuration of Envoy's rate limit service",
		Long: `Print the configuration of the reference rate limit service
(github.com/envoyproxy/ratelimit) for envoy.rate_limit.service: one limit for each
service of Graph that the policy names, counted for each tenant and application
apart. 'graphveil policy list' shows which endpoints count. docs/limits.md says what
cannot be counted, and what to change for a larger tenant.`,
		Example: `  graphveil envoy ratelimits --config graphveil.yaml > graphveil.ratelimit.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := o.read()
			if err != nil {
				return &exitError{exitUsage, err}
			}
			s, err := policy.Load(cmd.Context(), config.policy())
			if err != nil {
				return err
			}
			return writeRateLimits(os.Stdout, config.Envoy.RateLimit, s.Limits())
		},
	}
	o.register(c)
	return c
}

// rateLimits is a file of envoyproxy/ratelimit.
type rateLimits struct {
	Domain      string           `yaml:"domain"`
	Descriptors []rateDescriptor `yaml:"descriptors"`
}

// rateDescriptor matches one entry of a descriptor. Without a value it matches all,
// each with counters of its own.
type rateDescriptor struct {
	Key         string           `yaml:"key"`
	Value       string           `yaml:"value,omitempty"`
	RateLimit   *rateLimit       `yaml:"rate_limit,omitempty"`
	Descriptors []rateDescriptor `yaml:"descriptors,omitempty"`
}

type rateLimit struct {
	Unit            string `yaml:"unit"`
	RequestsPerUnit int    `yaml:"requests_per_unit"`
}

func writeRateLimits(w io.Writer, config envoy.RateLimit, limits []policy.Limit) error {
	if len(limits) == 0 {
		return fmt.Errorf("no endpoint of the policy says a limit\nhint: give endpoints the key limit, see policy/README.md")
	}
	var services []rateDescriptor
	for _, l := range limits {
		services = append(services, rateDescriptor{Key: envoy.MetadataService, Value: l.Service, RateLimit: &rateLimit{l.Per, l.Requests}})
	}
	application := rateDescriptor{Key: envoy.MetadataApplication, Descriptors: services}
	file := rateLimits{config.DomainOrDefault(), []rateDescriptor{{Key: envoy.MetadataTenant, Descriptors: []rateDescriptor{application}}}}
	text := bytes.NewBufferString("# Of envoyproxy/ratelimit, made by `graphveil envoy ratelimits`. No value: counted for each apart.\n")
	if err := yaml.NewEncoder(text, yaml.IndentSequence(true)).Encode(file); err != nil {
		return err
	}
	_, err := w.Write(text.Bytes())
	return err
}
