package setup

import (
	_ "embed"
	"encoding/json"
	"slices"
	"sync"
)

//go:embed roles.json
var rolesJSON []byte

// rolesFile is roles.json: the read-only application permissions of Microsoft Graph on which both of its sources agree.
type rolesFile struct {
	Source []string `json:"source"`
	// Roles are ids by name. An id is the same in every tenant and cloud.
	Roles map[string]string `json:"roles"`
	// DocumentedAs are permissions that Graph's documentation names, but that exist as a role of another name only.
	DocumentedAs map[string]string `json:"documented_as"`
	// ResourceSpecific permissions are granted where an app is installed in a team or chat, not to an application as a whole.
	ResourceSpecific []string `json:"resource_specific"`
}

// roles is decoded on first use: other commands have no use for it.
var roles = sync.OnceValue(func() rolesFile {
	var f rolesFile
	if err := json.Unmarshal(rolesJSON, &f); err != nil {
		panic("roles.json: " + err.Error()) // it is part of the program, and a test reads it
	}
	return f
})

// RoleOf returns the role that a permission is granted by, and its id; the id is empty if the table does not have it.
func RoleOf(permission string) (role, id string) {
	f := roles()
	role = permission
	if documented, ok := f.DocumentedAs[permission]; ok {
		role = documented
	}
	return role, f.Roles[role]
}

func isResourceSpecific(permission string) bool {
	return slices.Contains(roles().ResourceSpecific, permission)
}

// exchangeRoles are the roles of Exchange Online's RBAC for Applications that stand for a permission
// (learn.microsoft.com/exchange/permissions-exo/application-rbac). There is none between no calendar and the whole calendar.
var exchangeRoles = map[string]string{
	"Calendars.Read":          "Application Calendars.Read",
	"Calendars.ReadBasic":     "Application Calendars.Read",
	"Calendars.ReadBasic.All": "Application Calendars.Read",
	"Contacts.Read":           "Application Contacts.Read",
	"Mail.Read":               "Application Mail.Read",
	"Mail.ReadBasic":          "Application Mail.ReadBasic",
	"Mail.ReadBasic.All":      "Application Mail.ReadBasic",
	"MailboxSettings.Read":    "Application MailboxSettings.Read",
}

// ExchangeRoleOf returns the role of Exchange that can take a permission's place on chosen mailboxes, or nothing.
func ExchangeRoleOf(permission string) string { return exchangeRoles[permission] }
