// Package setup derives what the administrators of a tenant have to do before Graphveil can read it: which Entra applications to create,
// with which application permissions and why, which federated credential each trusts, who may do it, and what Teams and Exchange want
// besides.
//
// Call [Derive] with a policy and what is known of the tenant, then [WriteJSON], [WriteMarkdown] or [WriteChecklist]. All of it is
// derived from its input: the package asks nobody, signs in nowhere and reads no file. What a tenant really grants is for
// `graphveil setup check` to find out.
package setup

// GraphAppID is the application id of Microsoft Graph, the same in every tenant and cloud
// (learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in).
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// Plan is what has to be done. Its JSON is an interface: the infrastructure code in deploy/terraform and the scripts in deploy/azure-cli
// read it. Fields may be added; anything else is a new Schema.
type Plan struct {
	// Schema is 1.
	Schema int `json:"schema"`
	// Revision is that of the policy that the plan is for.
	Revision string `json:"revision"`
	// Tenant is the directory id or a domain name; empty if it was not said.
	Tenant string `json:"tenant"`
	// Cloud is global, us_government, us_dod or china; empty for a private one.
	Cloud string `json:"cloud"`
	Graph Graph  `json:"graph"`
	// Applications are sorted by Key.
	Applications []Application `json:"applications"`
	// Steps are in the order in which they are done.
	Steps []Step `json:"steps"`
}

// Graph is the API that permissions are for.
type Graph struct {
	AppID string `json:"app_id"`
	Host  string `json:"host"`
}

// Application is an Entra application to create, or one that exists.
type Application struct {
	// Key is the connector, or "graphveil" where several share the application.
	Key         string `json:"key"`
	DisplayName string `json:"display_name"`
	// ClientID is the application (client) id; empty: it is to be created.
	ClientID string `json:"client_id"`
	// Connectors that sign in as it, sorted.
	Connectors []string `json:"connectors"`
	// Permissions that it needs, sorted by name.
	Permissions []Permission `json:"permissions"`
	Credential  Credential   `json:"credential"`
	// TeamsPolicy says that a Teams application access policy must name it, for online meetings.
	TeamsPolicy bool `json:"teams_application_access_policy"`
	// ExchangeRoles are the roles of Exchange's RBAC for Applications that can take the place of its permissions on mailboxes, sorted.
	ExchangeRoles []string `json:"exchange_roles"`
	// Setup are the words of the policy for what it needs besides permissions (policy.SetupWords), sorted.
	Setup []string `json:"setup"`
	// Notes are sentences about this application alone.
	Notes []string `json:"notes,omitempty"`
}

// Permission is an application permission of Microsoft Graph.
type Permission struct {
	// Name is what the policy, and Graph's documentation, call it.
	Name string `json:"name"`
	// Role is what Entra calls it, where that differs.
	Role string `json:"role,omitempty"`
	// RoleID is the id of the application role; empty: it has to be looked up, and a step says how.
	RoleID string `json:"role_id"`
	// Why are the endpoints that need it.
	Why []Reason `json:"why"`
}

// Value is the name in a token's roles and in the portal.
func (p Permission) Value() string {
	if p.Role != "" {
		return p.Role
	}
	return p.Name
}

// Reason is an endpoint that needs a permission.
type Reason struct {
	Connector string `json:"connector"`
	Endpoint  string `json:"endpoint"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	// Description is the policy's; may be empty.
	Description string `json:"description,omitempty"`
}

// Credential is how an application is signed in to.
type Credential struct {
	// Kind is the name of the block in the configuration; empty: not said.
	Kind string `json:"kind"`
	// Federated is the federated credential to add; nil for a certificate or a secret.
	Federated *Federated `json:"federated"`
}

// Federated is a federated identity credential. Entra compares the three byte for byte with the assertion's iss, sub and aud.
type Federated struct {
	Name     string `json:"name"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	Audience string `json:"audience"`
	// Missing are those of issuer, subject and audience that nothing said; they are empty above.
	Missing []string `json:"missing,omitempty"`
}

// Who a step is for: the person who gets a document of his own.
const (
	Create    = "create"    // Cloud Application Administrator
	Consent   = "consent"   // Privileged Role Administrator
	Meetings  = "meetings"  // Teams Administrator
	Mailboxes = "mailboxes" // Exchange Administrator
	Operate   = "operate"   // whoever runs Graphveil
)

// Step is one thing to do.
type Step struct {
	ID string `json:"id"`
	// For is Create, Consent, Meetings, Mailboxes or Operate.
	For string `json:"for"`
	// Optional steps may be left out.
	Optional bool   `json:"optional,omitempty"`
	Title    string `json:"title"`
	// Who is the least privileged role that can do it.
	Who string `json:"who"`
	// Until says when the role can be given back; empty: it is none of Entra's.
	Until string `json:"until"`
	// What is a text of one or more paragraphs, in Markdown.
	What string `json:"what"`
	// Shell is what Commands are for: "sh" or "powershell".
	Shell string `json:"shell,omitempty"`
	// Commands are lines for that shell, in order.
	Commands []string `json:"commands"`
	// Links are pages to open.
	Links []string `json:"links,omitempty"`
	// Failures are known ones, and what to do.
	Failures []Failure `json:"failures,omitempty"`
}

// Failure is something that is known to go wrong in a step.
type Failure struct {
	Sign string `json:"sign"`
	Do   string `json:"do"`
}
