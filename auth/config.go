package auth

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// DefaultAuthority and DefaultScope are those of the global cloud. Tokens are not interchangeable between clouds: a configuration
// for a national cloud sets both.
const (
	DefaultAuthority = "https://login.microsoftonline.com"
	DefaultScope     = "https://graph.microsoft.com/.default"
)

// Config says who this process is to Entra: one tenant, and an Entra application per connector.
type Config struct {
	// Tenant is the directory (tenant) id, or one of the tenant's verified domain names. Required. The names that stand for many
	// tenants ("common", "organizations", "consumers") are refused: an application signs in to one.
	Tenant string `yaml:"tenant"`
	// Authority is the https URL of the Entra host, without a path. Empty: DefaultAuthority.
	Authority string `yaml:"authority"`
	// Scope is the Graph resource with "/.default" behind it. Empty: DefaultScope.
	Scope string `yaml:"scope"`
	// CAFile names a PEM file of certificate authorities that are trusted for Authority instead of the system's. Empty: the system's.
	CAFile string `yaml:"ca_file"`
	// SkipInstanceDiscovery stops MSAL from asking login.microsoftonline.com whether Authority is one of Entra's hosts. False: it asks
	// for every authority that MSAL does not know. True is for private clouds and tests.
	SkipInstanceDiscovery bool `yaml:"skip_instance_discovery"`
	// Connectors are the applications by connector name. Empty: refused. Connectors may share an application: those with equal
	// client ids share one client and one token, and must name the same assertion file.
	Connectors map[string]Connector `yaml:"connectors"`
}

// Connector is how one connector signs in.
type Connector struct {
	// ClientID is the application (client) id, a GUID; not the object id of the application. Required.
	ClientID string `yaml:"client_id"`
	// AssertionFile holds a JWT that a federated credential of the application trusts, such as a projected Kubernetes service-account
	// token with the audience api://AzureADTokenExchange. It is read afresh for every token request. Required.
	AssertionFile string `yaml:"assertion_file"`
}

var (
	guidPattern   = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	tenantPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)
)

// notTenants are first path segments with a meaning of their own: for Entra the first three, for MSAL the others.
var notTenants = []string{"common", "organizations", "consumers", "adfs", "dstsv2"}

// validate fills in defaults and refuses what cannot work, so that a mistake is found at start and not at the first request.
func (c Config) validate() (Config, error) {
	if !tenantPattern.MatchString(c.Tenant) || slices.Contains(notTenants, strings.ToLower(c.Tenant)) {
		return c, fmt.Errorf("tenant %q is not a tenant id or a domain name", c.Tenant)
	}
	if c.Authority == "" {
		c.Authority = DefaultAuthority
	}
	authority, err := url.Parse(c.Authority)
	if err != nil || authority.Scheme != "https" || authority.Host == "" || strings.Trim(authority.Path, "/") != "" ||
		authority.RawQuery != "" || authority.Fragment != "" || authority.User != nil {
		return c, errors.New("authority is not an https URL of a host alone")
	}
	c.Authority = "https://" + authority.Host
	if c.Scope == "" {
		c.Scope = DefaultScope
	}
	scope, err := url.Parse(c.Scope)
	if err != nil || scope.Scheme != "https" || scope.Host == "" || scope.Path != "/.default" || scope.RawQuery != "" || scope.Fragment != "" {
		return c, fmt.Errorf("scope %q is not an https URL of a host followed by /.default", c.Scope)
	}
	if len(c.Connectors) == 0 {
		return c, errors.New("no connectors")
	}
	files := make(map[string]string, len(c.Connectors))
	for _, name := range slices.Sorted(maps.Keys(c.Connectors)) {
		connector := c.Connectors[name]
		id := strings.ToLower(connector.ClientID)
		switch {
		case name == "":
			return c, errors.New("a connector has no name")
		case !guidPattern.MatchString(id):
			return c, fmt.Errorf("connector %q: client_id is not a GUID", name)
		case connector.AssertionFile == "":
			return c, fmt.Errorf("connector %q: no assertion_file", name)
		}
		if other, shared := files[id]; shared && other != connector.AssertionFile {
			return c, fmt.Errorf("connector %q: shares its client_id with another connector but not the assertion_file", name)
		}
		files[id] = connector.AssertionFile
	}
	return c, nil
}
