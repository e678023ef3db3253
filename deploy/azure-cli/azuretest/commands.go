package azuretest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// command is one of the CLI's.
type command struct {
	// takes are its arguments (azure-cli 2.91, command_modules/role/_params.py and custom.py); those with "!" are required.
	takes   string
	changes bool
	run     func(*Tenant, map[string]string) (any, error)
}

var commands = map[string]command{
	"account show": {run: func(t *Tenant, _ map[string]string) (any, error) {
		return map[string]any{"tenantId": t.ID, "environmentName": "AzureCloud"}, nil
	}},
	"cloud show": {takes: "--name", run: func(t *Tenant, _ map[string]string) (any, error) {
		return map[string]any{"name": "AzureCloud", "endpoints": map[string]string{"microsoftGraphResourceId": "https://" + t.Graph + "/"}}, nil
	}},
	"ad signed-in-user show": {run: func(t *Tenant, _ map[string]string) (any, error) {
		if t.User == "" {
			return nil, refusal("/me request is only valid with delegated authentication flow.")
		}
		return Object{t.User}, nil
	}},
	"ad app list": {takes: "--all --app-id --display-name --filter --identifier-uri --show-mine", run: func(t *Tenant, a map[string]string) (any, error) {
		found := []*Application{}
		for _, app := range t.Applications {
			if strings.HasPrefix(app.DisplayName, a["--display-name"]) {
				found = append(found, app)
			}
		}
		return found, nil
	}},
	"ad app show":   {takes: "--id!", run: func(t *Tenant, a map[string]string) (any, error) { return t.application(a["--id"]) }},
	"ad app create": {takes: "--display-name! --sign-in-audience --required-resource-accesses --identifier-uris --app-roles", changes: true, run: createApplication},
	"ad app update": {takes: "--id! --display-name --sign-in-audience --required-resource-accesses --identifier-uris --app-roles --set --add --remove", changes: true, run: updateApplication},
	"ad app federated-credential list": {takes: "--id!", run: func(t *Tenant, a map[string]string) (any, error) {
		app, err := t.application(a["--id"])
		if err != nil {
			return nil, err
		}
		return append([]Federated{}, app.Federated...), nil
	}},
	"ad app federated-credential create": {takes: "--id! --parameters!", changes: true, run: createFederated},
	"ad app federated-credential update": {takes: "--id! --federated-credential-id! --parameters!", changes: true, run: updateFederated},
	"ad app owner list": {takes: "--id!", run: func(t *Tenant, a map[string]string) (any, error) {
		app, err := t.application(a["--id"])
		if err != nil {
			return nil, err
		}
		return append([]Object{}, app.Owners...), nil
	}},
	"ad app owner add": {takes: "--id! --owner-object-id!", changes: true, run: func(t *Tenant, a map[string]string) (any, error) {
		app, err := t.application(a["--id"])
		if err == nil && !slices.Contains(app.Owners, Object{a["--owner-object-id"]}) {
			app.Owners = append(app.Owners, Object{a["--owner-object-id"]})
		}
		return nil, err
	}},
	"ad sp show": {takes: "--id!", run: func(t *Tenant, a map[string]string) (any, error) {
		if a["--id"] != GraphAppID {
			return nil, refusal(fmt.Sprintf("Service principal '%s' doesn't exist", a["--id"]))
		}
		roles := []map[string]any{}
		for name, id := range t.Roles {
			roles = append(roles, map[string]any{"value": name, "id": id, "allowedMemberTypes": []string{"Application"}})
		}
		return map[string]any{"appId": GraphAppID, "appRoles": roles}, nil
	}},
	"ad sp list": {takes: "--all --display-name --filter --show-mine --spn", run: func(t *Tenant, a map[string]string) (any, error) {
		match := regexp.MustCompile(`^appId eq '([^']+)'$`).FindStringSubmatch(a["--filter"])
		if match == nil {
			return nil, refusal("Invalid filter clause")
		}
		found := []Principal{}
		for _, p := range t.Principals {
			if p.AppID == match[1] {
				found = append(found, p)
			}
		}
		return found, nil
	}},
	"ad sp create": {takes: "--id!", changes: true, run: func(t *Tenant, a map[string]string) (any, error) {
		app, err := t.application(a["--id"])
		if err != nil {
			return nil, err
		}
		if t.MayNotMakePrincipals {
			return nil, refusal("Insufficient privileges to complete the operation.")
		}
		if slices.ContainsFunc(t.Principals, func(p Principal) bool { return p.AppID == app.AppID }) {
			return nil, refusal(fmt.Sprintf("The service principal cannot be created, updated, or restored because the service principal name %s is already in use.", app.AppID))
		}
		t.Principals = append(t.Principals, Principal{NewID(), app.AppID})
		return t.Principals[len(t.Principals)-1], nil
	}},
}
