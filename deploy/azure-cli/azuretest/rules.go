package azuretest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// refusal is an error in the words of the CLI or of Entra; missing names what Entra does not have.
type (
	refusal string
	missing string
)

func (r refusal) Error() string { return string(r) }

func (m missing) Error() string {
	return fmt.Sprintf("Resource '%s' does not exist or one of its queried reference-property objects are not present.", string(m))
}

// application finds one by its client id or its object id.
func (t *Tenant) application(id string) (*Application, error) {
	for _, app := range t.Applications {
		if strings.EqualFold(app.AppID, id) || strings.EqualFold(app.ID, id) {
			if app.Forgotten {
				app.Forgotten = false
				break
			}
			return app, nil
		}
	}
	return nil, missing(id)
}

// createApplication changes the one of that name, if there is one: so does the CLI.
func createApplication(t *Tenant, a map[string]string) (any, error) {
	for _, app := range t.Applications {
		if app.DisplayName == a["--display-name"] {
			a["--id"] = app.ID
			_, err := updateApplication(t, a)
			return app, err
		}
	}
	app := &Application{ID: NewID(), AppID: NewID(), DisplayName: a["--display-name"], SignInAudience: "AzureADMyOrg"}
	t.Applications = append(t.Applications, app)
	a["--id"] = app.ID
	_, err := updateApplication(t, a)
	app.Forgotten = t.Slow
	return app, err
}

func updateApplication(t *Tenant, a map[string]string) (any, error) {
	app, err := t.application(a["--id"])
	if err != nil {
		return nil, err
	}
	if v := a["--sign-in-audience"]; v != "" {
		if !slices.Contains([]string{"AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"}, v) {
			return nil, refusal(fmt.Sprintf("argument --sign-in-audience: invalid choice: '%s'", v))
		}
		app.SignInAudience = v
	}
	if v := a["--required-resource-accesses"]; v != "" {
		var required []Resource
		if err := decode(v, &required); err != nil {
			return nil, err
		}
		for _, r := range required {
			seen := map[string]bool{}
			for _, a := range r.Access {
				if !guid.MatchString(a.ID) || !slices.Contains([]string{"Role", "Scope"}, a.Type) || seen[a.ID] {
					return nil, refusal("Invalid value specified for property 'resourceAccess' of resource 'RequiredResourceAccess'.")
				}
				seen[a.ID] = true
			}
		}
		app.Required = required
	}
	return nil, nil
}

func createFederated(t *Tenant, a map[string]string) (any, error) {
	app, err := t.application(a["--id"])
	if err != nil {
		return nil, err
	}
	var f Federated
	if err := decode(a["--parameters"], &f); err != nil {
		return nil, err
	}
	if err := app.takes(f, ""); err != nil {
		return nil, err
	}
	app.Federated = append(app.Federated, f)
	return f, nil
}

func updateFederated(t *Tenant, a map[string]string) (any, error) {
	app, err := t.application(a["--id"])
	if err != nil {
		return nil, err
	}
	name := a["--federated-credential-id"]
	i := slices.IndexFunc(app.Federated, func(f Federated) bool { return f.Name == name })
	if i < 0 {
		return nil, missing(name)
	}
	f := app.Federated[i]
	f.Name = ""
	if err := decode(a["--parameters"], &f); err != nil {
		return nil, err
	}
	if f.Name != "" { // it cannot be changed; whether the same name is taken is not documented
		return nil, refusal("Property 'name' is read-only and cannot be set.")
	}
	f.Name = name
	if err := app.takes(f, name); err != nil {
		return nil, err
	}
	app.Federated[i] = f
	return nil, nil
}

// takes are Entra's rules for the federated credentials of an application.
func (app *Application) takes(f Federated, itself string) error {
	if f.Name == "" || f.Issuer == "" || f.Subject == "" || len(f.Audiences) != 1 || f.Audiences[0] == "" {
		return refusal("Property is required.")
	}
	if itself == "" && len(app.Federated) == 20 {
		return refusal("The maximum number of federated identity credentials has been reached.")
	}
	for _, other := range app.Federated {
		if other.Name == itself {
			continue
		}
		if other.Name == f.Name || other.Issuer == f.Issuer && other.Subject == f.Subject {
			return refusal("FederatedIdentityCredential with the same name, or the same issuer and subject, already exists.")
		}
	}
	return nil
}

func decode(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return refusal("Failed to parse string as JSON, or Graph does not know a property of it")
	}
	return nil
}
