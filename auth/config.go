package auth

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Config says who this process is to Entra: one tenant of one cloud, and an Entra application per connector.
type Config struct {
	// Tenant is the directory (tenant) id, or one of the tenant's verified domain names. Required. The names that stand for many
	// tenants ("common", "organizations", "consumers") are refused: an application signs in to one.
	Tenant string `yaml:"tenant"`
	// Cloud is the name of a [Cloud]. Empty: that of Authority and Scope, or the global one.
	Cloud string `yaml:"cloud"`
	// ClientID is the application (client) id of connectors that have none of their own. Empty: each has its own.
	ClientID string `yaml:"client_id"`
	// Credential proves the identity of connectors that have none of their own.
	Credential Credential `yaml:"credential"`
	// Connectors are the applications by connector name. Empty: refused. Connectors may share an application: those with equal
	// client ids share one client and one token, and must have the same credential.
	Connectors map[string]Connector `yaml:"connectors"`
	// Authority is the https URL of the Entra host, without a path. Empty: the cloud's. For private clouds and tests.
	Authority string `yaml:"authority"`
	// Scope is the Graph resource with "/.default" behind it. Empty: the cloud's. For private clouds and tests.
	Scope string `yaml:"scope"`
	// CAFile names a PEM file of certificate authorities that are trusted for Authority instead of the system's. Empty: the system's.
	CAFile string `yaml:"ca_file"`
	// SkipInstanceDiscovery stops MSAL from asking login.microsoftonline.com whether Authority is one of Entra's hosts. False: it asks
	// for every authority that MSAL does not know. True is for private clouds and tests.
	SkipInstanceDiscovery bool `yaml:"skip_instance_discovery"`
}

// Connector is how one connector signs in.
type Connector struct {
	// ClientID is the application (client) id, a GUID; not the object id of the application. Empty: that of the Config.
	ClientID string `yaml:"client_id"`
	// Credential proves that the process is the application. Nil: that of the Config.
	Credential *Credential `yaml:"credential"`
}

var (
	guidPattern   = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	tenantPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)
)

// notTenants are first path segments with a meaning of their own: for Entra the first three, for MSAL the others.
var notTenants = []string{"common", "organizations", "consumers", "adfs", "dstsv2"}

// Complete returns the configuration with all defaults filled in (authority, scope, and client id in lower case and credential of each
// connector, with the defaults of its block), and its cloud. It refuses what cannot work, so that a mistake is found at start and not at
// the first request. It does no I/O.
func (c Config) Complete() (Config, Cloud, error) {
	if !tenantPattern.MatchString(c.Tenant) || slices.Contains(notTenants, strings.ToLower(c.Tenant)) {
		return c, Cloud{}, fmt.Errorf("tenant %q is not a tenant id or a domain name\nhint: it is the Directory (tenant) id that Entra shows on its overview page, or a domain of the tenant", c.Tenant)
	}
	cloud, err := c.ResolveCloud()
	if err != nil {
		return c, cloud, err
	}
	c.Authority, c.Scope = cloud.Authority, "https://"+cloud.Graph+"/.default"
	if len(c.Connectors) == 0 {
		return c, cloud, errors.New("no connectors")
	}
	all := make(map[string]Connector, len(c.Connectors))
	first := make(map[string]Connector, len(c.Connectors)) // by client id
	for _, name := range slices.Sorted(maps.Keys(c.Connectors)) {
		if name == "" {
			return c, cloud, errors.New("a connector has no name")
		}
		connector, err := c.complete(c.Connectors[name], cloud)
		if err != nil {
			return c, cloud, fmt.Errorf("connector %q: %w", name, err)
		}
		if other, shared := first[connector.ClientID]; shared && !reflect.DeepEqual(other.Credential, connector.Credential) {
			return c, cloud, fmt.Errorf("connector %q: shares its client_id with another connector but not the credential", name)
		}
		first[connector.ClientID], all[name] = connector, connector
	}
	c.Connectors = all
	return c, cloud, nil
}

func (c Config) complete(connector Connector, cloud Cloud) (Connector, error) {
	connector.ClientID = strings.ToLower(cmp.Or(connector.ClientID, c.ClientID))
	if !guidPattern.MatchString(connector.ClientID) {
		return connector, errors.New("client_id is not a GUID\nhint: it is the application (client) id that Entra shows, not the object id")
	}
	if connector.Credential == nil {
		connector.Credential = &c.Credential
	}
	block, kind, err := connector.Credential.block()
	if err != nil {
		return connector, err
	}
	if err := block.validate(cloud); err != nil {
		return connector, fmt.Errorf("credential %s: %w", kind, err)
	}
	return connector, nil
}
