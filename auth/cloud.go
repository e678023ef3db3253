package auth

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Cloud is one of Microsoft's separate clouds. Tokens of one are worth nothing in another, so the hosts of Entra and of Graph, and the
// audience of assertions, always come from the same one
// (learn.microsoft.com/graph/deployments, learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust).
type Cloud struct {
	// Name is what the configuration calls it; empty for a private cloud.
	Name string
	// Authority is the origin of Entra, such as "https://login.microsoftonline.com".
	Authority string
	// Graph is the host of Graph, such as "graph.microsoft.com".
	Graph string
	// Audience is the one that Entra recommends for the assertions of federated credentials.
	Audience string
}

// The clouds. Government community cloud (GCC) is part of the global one.
var clouds = []Cloud{
	{"global", "https://login.microsoftonline.com", "graph.microsoft.com", "api://AzureADTokenExchange"},
	{"us_government", "https://login.microsoftonline.us", "graph.microsoft.us", "api://AzureADTokenExchangeUSGov"},
	{"us_dod", "https://login.microsoftonline.us", "dod-graph.microsoft.us", "api://AzureADTokenExchangeUSGov"},
	{"china", "https://login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn", "api://AzureADTokenExchangeChina"},
}

// aliases are other names of an authority that Entra answers to.
var aliases = map[string]string{
	"https://login.windows.net":       "https://login.microsoftonline.com",
	"https://login.microsoft.com":     "https://login.microsoftonline.com",
	"https://login.chinacloudapi.cn":  "https://login.partner.microsoftonline.cn",
	"https://login.usgovcloudapi.net": "https://login.microsoftonline.us",
}

// Clouds returns the clouds that have a name: global, us_government (L4, GCC High), us_dod (L5) and china (21Vianet).
func Clouds() []Cloud { return slices.Clone(clouds) }

// CloudNamed finds a cloud by its name; the empty name is the global one.
func CloudNamed(name string) (Cloud, error) {
	if name == "" {
		return clouds[0], nil
	}
	names := make([]string, 0, len(clouds))
	for _, c := range clouds {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Cloud{}, fmt.Errorf("cloud is %q, must be %s", name, strings.Join(names, ", "))
}

// ResolveCloud brings cloud, authority and scope together. Without authority and scope it is the named cloud. With them they must be that
// cloud's, or, without a name, those of any one cloud or of none: a private one, whose assertions have the global cloud's audience.
func (c Config) ResolveCloud() (Cloud, error) {
	named, err := CloudNamed(c.Cloud)
	if err != nil {
		return named, err
	}
	authority, graph := named.Authority, named.Graph
	if c.Authority != "" {
		if authority, err = originOf(c.Authority); err != nil {
			return named, fmt.Errorf("authority %w", err)
		}
	}
	if c.Scope != "" {
		resource, found := strings.CutSuffix(c.Scope, "/.default")
		origin, err := originOf(resource)
		if !found || err != nil || origin != resource {
			return named, fmt.Errorf("scope %q is not an https URL of a host followed by /.default", c.Scope)
		}
		graph = strings.TrimPrefix(origin, "https://")
	}
	if c.Cloud != "" {
		if !named.has(authority) || graph != named.Graph {
			return named, fmt.Errorf("cloud %s has the authority %s and the scope https://%s/.default, but others are configured\nhint: leave authority and scope out", named.Name, named.Authority, named.Graph)
		}
		return Cloud{named.Name, authority, graph, named.Audience}, nil
	}
	var ofAuthority, ofGraph []string
	for _, c := range clouds {
		if c.has(authority) {
			ofAuthority = append(ofAuthority, c.Name)
		}
		if c.Graph == graph {
			ofGraph = append(ofGraph, c.Name)
			named = c
		}
	}
	switch {
	case len(ofGraph) == 0 && len(ofAuthority) == 0:
		return Cloud{"", authority, graph, clouds[0].Audience}, nil
	case len(ofGraph) == 1 && slices.Contains(ofAuthority, ofGraph[0]):
		return Cloud{named.Name, authority, graph, named.Audience}, nil
	case len(ofGraph) == 1 && len(ofAuthority) == 0 && c.SkipInstanceDiscovery:
		return Cloud{named.Name, authority, graph, named.Audience}, nil // a stand-in for Entra, in tests and demos
	}
	return Cloud{}, fmt.Errorf("authority %s and scope https://%s/.default are not of one cloud\nhint: set cloud, and leave both out", authority, graph)
}

func (c Cloud) has(authority string) bool {
	return authority == c.Authority || aliases[authority] == c.Authority
}

// answersAt says whether a URL is of the authority, or of another name of the same Entra.
func (c Cloud) answersAt(u *url.URL) bool {
	canonical := func(origin string) string { return cmp.Or(aliases[origin], origin) }
	return canonical("https://"+strings.TrimSuffix(strings.ToLower(u.Host), ":443")) == canonical(strings.TrimSuffix(c.Authority, ":443"))
}

// originOf reads an https URL of a host alone; a slash at its end does not count.
func originOf(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("is not an https URL of a host alone")
	}
	return "https://" + strings.ToLower(u.Host), nil
}
