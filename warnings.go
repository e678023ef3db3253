package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/policy/opa"
)

// warn logs what works and yet is most often a mistake, each with a stable code
// (docs/runbook.md, "Warnings").
func warn(log *slog.Logger, warnings []envoy.Warning) {
	for _, w := range warnings {
		log.Warn("the configuration is risky", "code", w.Code, "hint", w.Hint)
	}
}

// printWarnings is warn for people.
func printWarnings(to io.Writer, warnings []envoy.Warning) {
	for _, w := range warnings {
		fmt.Fprintf(to, "graphveil: warning: %s: %s\n", w.Code, w.Hint)
	}
}

// envoyWarnings are about the Envoy side.
func (c *Config) envoyWarnings() []envoy.Warning { return c.envoy().Warnings(time.Now()) }

// processorWarnings are about the processor's side.
func (c *Config) processorWarnings(s secrets) []envoy.Warning {
	var all []envoy.Warning
	if !strings.Contains(c.Processor.Listen, "/") {
		all = append(all, envoy.Warning{Code: "processor_on_tcp", Hint: "processor.listen is a port, and whoever shares the loopback device, as all containers of a pod do, can get access tokens from it: use a Unix socket"})
	}
	if os.Getenv("GRAPHVEIL_SALT") != "" && c.Pseudonyms.SaltFile != "" || os.Getenv("GRAPHVEIL_KEY") != "" && c.Pseudonyms.KeyFile != "" {
		all = append(all, envoy.Warning{Code: "secret_file_ignored", Hint: "salt or key are in the environment, which comes before pseudonyms.salt_file and key_file: a change of the file will change nothing; leave one of the two out"})
	}
	return append(all, s.warnings()...)
}

// opaWarnings are about policy.opa_config.
func opaWarnings(c *opa.Config) []envoy.Warning {
	var all []envoy.Warning
	for _, name := range c.Plain() {
		all = append(all, envoy.Warning{Code: "opa_service_plain", Hint: fmt.Sprintf("the service %q of policy.opa_config gets credentials over http, or whatever its certificate is (allow_insecure_tls), and whoever is on the way reads them: use https, with tls.ca_cert for an authority of your own", name)})
	}
	return all
}

// minSecret is the length in bytes below which salt and keys can be found by trying:
// 16 of those that openssl rand -hex prints have 64 bits.
const minSecret = 16

// warnings are about secrets that are as Psoxy allows them, and no good.
func (s secrets) warnings() []envoy.Warning {
	var all []envoy.Warning
	c := s.codec
	for _, of := range []struct{ name, code, text string }{
		{"the salt", "salt", c.Salt}, {"the key", "key", c.Key},
		{"the salt of domains", "domain_salt", c.DomainSalt}, {"the key of domains", "domain_key", c.DomainKey},
		{"the salt of IP addresses", "ip_salt", c.IPSalt}, {"the key of IP addresses", "ip_key", c.IPKey},
	} {
		if of.text == "" {
			continue // that of the others
		}
		if len(of.text) < minSecret {
			all = append(all, envoy.Warning{Code: of.code + "_short", Hint: fmt.Sprintf("%s has fewer than %d bytes and can be found by trying, and with it every pseudonym's value: openssl rand -hex 32 makes a good one, for a new installation", of.name, minSecret)})
		}
		if strings.TrimSpace(of.text) != of.text {
			all = append(all, envoy.Warning{Code: of.code + "_spaces", Hint: of.name + " begins or ends with spaces or empty lines, which belong to it: if they got there by mistake, pseudonyms are not those of the same text without them"})
		}
	}
	return all
}
