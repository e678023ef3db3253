package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/auth"
	"github.com/graphveil/graphveil/envoy"
)

// guides are the pages of docs/connect and the credentials that each shows how to
// configure.
var guides = map[string][]string{
	"README.md":      {"kubernetes"},
	"kubernetes.md":  {"kubernetes"},
	"aws.md":         {"aws", "aws_cognito"},
	"gcp.md":         {"gcp"},
	"azure.md":       {"azure"},
	"spiffe.md":      {"spiffe"},
	"certificate.md": {"certificate", "file", "command", "client_secret"},
}

// TestConnectGuides loads every configuration of docs/connect as `serve` would,
// holds each manifest against the configuration beside it, and wants each guide to
// go all the way.
func TestConnectGuides(t *testing.T) {
	pages, err := filepath.Glob("docs/connect/*.md")
	if err != nil || len(pages) != len(guides) {
		t.Fatalf("%d pages, %d guides, %v", len(pages), len(guides), err)
	}
	var shown []string
	for _, page := range pages {
		text := readText(t, page)
		var kinds []string
		var configuration *Config
		for _, block := range fenced(text) {
			switch {
			case block.language == "json" && !json.Valid([]byte(block.text)):
				t.Errorf("%s: not JSON:\n%s", page, block.text)
			case block.language == "yaml" && strings.HasPrefix(block.text, "apiVersion:"):
				checkManifests(t, page, block.text, configuration)
			case block.language == "yaml":
				if configuration = checkConfiguration(t, page, block.text); configuration == nil {
					continue
				}
				for _, connector := range configuration.Tokens.Connectors {
					kinds = append(kinds, connector.Credential.Kind())
				}
			}
		}
		slices.Sort(kinds)
		kinds = slices.Compact(kinds)
		if want := slices.Sorted(slices.Values(guides[filepath.Base(page)])); !slices.Equal(kinds, want) {
			t.Errorf("%s configures %v, want %v", page, kinds, want)
		}
		shown = append(shown, kinds...)
		for _, step := range []string{"graphveil setup --platform ", "graphveil setup check --config ", "curl --cacert tls.crt 'https://localhost:8443/v1.0/", "troubleshooting"} {
			if !strings.Contains(text, step) {
				t.Errorf("%s lacks a step: %s", page, step)
			}
		}
	}
	for f := range reflect.TypeFor[auth.Credential]().Fields() {
		if kind := f.Tag.Get("yaml"); !slices.Contains(shown, kind) {
			t.Errorf("no guide shows how to configure the credential %s", kind)
		}
	}
}

// checkConfiguration loads a configuration with all defaults filled in. What it
// names as files need not exist.
func checkConfiguration(t *testing.T, page, text string) *Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "graphveil.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := readConfig(file)
	if err == nil {
		config.Tokens, _, err = config.Tokens.Complete()
	}
	if err == nil {
		_, err = envoy.Render(config.envoy())
	}
	if err != nil {
		t.Errorf("%s: %v\n%s", page, err, text)
		return nil
	}
	if config.Pseudonyms.SaltFile == "" || config.Pseudonyms.KeyFile == "" {
		t.Errorf("%s: a configuration without salt and key:\n%s", page, text)
	}
	return config
}

// TestConnectGuideFailures wants what a guide says of a failure to be about
// failures that there are.
func TestConnectGuideFailures(t *testing.T) {
	numbers := 0
	general := auth.Hint(&auth.Error{Code: auth.CodeRejected})
	for page := range guides {
		text := readText(t, "docs/connect/"+page)
		for _, match := range regexp.MustCompile(`AADSTS([0-9]+)`).FindAllStringSubmatch(text, -1) {
			number, _ := strconv.Atoi(match[1])
			if auth.Hint(&auth.Error{Code: auth.CodeRejected, AADSTS: number}) == general {
				t.Errorf("%s: %s has no hint", page, match[0])
			}
			numbers++
		}
		_, table, found := strings.Cut(text, "## What goes wrong here\n")
		if !found {
			if page != "README.md" {
				t.Errorf("%s does not say what goes wrong", page)
			}
			continue
		}
		for _, match := range regexp.MustCompile("(?m)^\\| `([a-z_]+)`").FindAllStringSubmatch(table, -1) {
			known := slices.ContainsFunc([]auth.Code{auth.CodeCredential, auth.CodeRejected}, func(code auth.Code) bool {
				return auth.Hint(&auth.Error{Code: code, Detail: match[1]}) != auth.Hint(&auth.Error{Code: code})
			})
			if !known {
				t.Errorf("%s: the detail %s has no hint", page, match[1])
			}
		}
	}
	if numbers < 20 {
		t.Errorf("only %d numbers in the guides", numbers)
	}
}

// TestTroubleshootingNames wants the codes and metrics of the page to exist.
func TestTroubleshootingNames(t *testing.T) {
	text := unfenced(readText(t, "docs/troubleshooting.md"))
	codes := readText(t, "docs/error-codes.md")
	for _, match := range regexp.MustCompile("`((?:token|upstream)_[a-z_]+)`").FindAllStringSubmatch(text, -1) {
		ours := slices.Contains([]auth.Code{auth.CodeTokenRejected, auth.CodePending}, auth.Code(match[1]))
		if !ours && !strings.Contains(codes, "| `"+match[1]+"` |") {
			t.Errorf("no code %s", match[1])
		}
	}
	described := make(chan *prometheus.Desc, 16)
	newTokenCollector(nil).Describe(described)
	close(described)
	var metrics []string
	for desc := range described {
		metrics = append(metrics, regexp.MustCompile(`fqName: "([a-z_]+)"`).FindStringSubmatch(desc.String())[1])
	}
	named := regexp.MustCompile(`graphveil_[a-z_]+`).FindAllString(text, -1)
	for _, name := range named {
		if !slices.Contains(metrics, name) {
			t.Errorf("no metric %s", name)
		}
	}
	if len(named) < 4 {
		t.Errorf("only %d metrics on the page", len(named))
	}
}

type codeFence struct{ language, text string }

// anyFence is a block of code, in a list item perhaps.
var anyFence = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")

func fenced(text string) []codeFence {
	var blocks []codeFence
	for _, match := range anyFence.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, codeFence{match[1], match[2]})
	}
	return blocks
}

func unfenced(text string) string { return anyFence.ReplaceAllString(text, "") }

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
