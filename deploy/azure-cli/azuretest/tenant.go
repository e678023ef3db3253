// Package azuretest is the Azure CLI as far as entra.sh uses it, over a tenant in a file. It refuses what the real one's parser refuses
// (azure-cli 2.91, command_modules/role) and what Entra refuses.
//
// Build azuretest/az, put it on the PATH as az and name the file in AZ_TENANT; its content is a [Tenant] in JSON.
package azuretest

import (
	"crypto/rand"
	"fmt"
)

// Tenant is what Entra keeps, and who is signed in.
type Tenant struct {
	ID string `json:"id"`
	// Graph is the host of Graph in the cloud that the CLI is set to.
	Graph string `json:"graph"`
	// User is the object id of who is signed in; empty: a service principal.
	User         string         `json:"user"`
	Applications []*Application `json:"applications"`
	Principals   []Principal    `json:"principals"`
	// Roles are Microsoft Graph's, ids by name.
	Roles map[string]string `json:"roles"`
	// MayNotMakePrincipals is the lot of who merely owns an application.
	MayNotMakePrincipals bool `json:"may_not_make_principals"`
	// Slow makes Entra not know each new application when it is asked for the next time.
	Slow bool `json:"slow"`
	// Changes are the commands that may have changed something.
	Changes []string `json:"changes"`
}

// Application is an app registration, as the CLI prints it, and what the CLI prints of it elsewhere.
type Application struct {
	ID             string      `json:"id"`
	AppID          string      `json:"appId"`
	DisplayName    string      `json:"displayName"`
	SignInAudience string      `json:"signInAudience"`
	Required       []Resource  `json:"requiredResourceAccess"`
	Federated      []Federated `json:"federated"`
	Owners         []Object    `json:"owners"`
	// Forgotten is set where the tenant is slow.
	Forgotten bool `json:"forgotten"`
}

// Object is anything of which only the id counts.
type Object struct {
	ID string `json:"id"`
}

// Resource is an API and what is asked of it.
type Resource struct {
	AppID  string   `json:"resourceAppId"`
	Access []Access `json:"resourceAccess"`
}

// Access is a role or a scope of an API.
type Access struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// Federated is a federated identity credential.
type Federated struct {
	Name        string   `json:"name"`
	Issuer      string   `json:"issuer"`
	Subject     string   `json:"subject"`
	Audiences   []string `json:"audiences"`
	Description string   `json:"description,omitempty"`
}

// Principal is a service principal.
type Principal struct {
	ID    string `json:"id"`
	AppID string `json:"appId"`
}

// GraphAppID is Microsoft Graph in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// NewID is a random GUID.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
