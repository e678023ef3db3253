package setup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func unknownRoles(p *Plan) []string {
	var names []string
	for _, a := range p.Applications {
		for _, permission := range a.Permissions {
			if permission.RoleID == "" && !isResourceSpecific(permission.Name) && !slices.Contains(names, permission.Value()) {
				names = append(names, permission.Value())
			}
		}
	}
	return names
}

func lookUp(p *Plan) Step {
	s := Step{
		ID: "look-up-roles", For: Create, Title: "Look up the ids of permissions", Who: "any user of the tenant", Shell: "sh",
		What: "The policy names permissions whose role ids are not known here: " + strings.Join(unknownRoles(p), ", ") + ". " +
			"An id that the command below prints belongs in `role_id` of the plan. If it prints nothing, Graph has no application permission of that name in this tenant: " +
			"it is misspelt, or delegated only. Every permission of an application is in vain until this is done.",
	}
	for _, name := range unknownRoles(p) {
		s.Commands = append(s.Commands, fmt.Sprintf(`az ad sp show --id %s --query "appRoles[?value=='%s'].id" -o tsv`, GraphAppID, name))
	}
	return s
}

func createApplications(p *Plan) Step {
	s := Step{
		ID: "create-applications", For: Create, Title: "Create the applications and ask for their permissions", Who: applicationAdministrator, Shell: "sh",
		Until: "the applications exist. Whoever creates an application becomes its owner and can change it afterwards without the role",
		What: "One Entra application for each data source, each with a service principal and with the application permissions below, and no more. " +
			"Asking for a permission grants nothing: that is for the step of consent, by another person.\n\n" +
			"`deploy/terraform` does the same from this plan, and `deploy/azure-cli` as a script.",
		Failures: []Failure{
			{"Insufficient privileges to complete the operation", "The role was activated after signing in: `az logout`, `az login` again."},
			{"`az ad app permission add` says that `az ad app permission grant` is needed", "It is not: that is for delegated permissions. These are granted by consent."},
		},
	}
	if len(p.Applications) == 1 {
		s.Title = "Create the application and ask for its permissions"
		s.What = strings.Replace(s.What, "One Entra application for each data source, each with a service principal and with", "One Entra application with a service principal and", 1)
	}
	s.Commands = signIn(p)
	for _, a := range p.Applications {
		s.Commands = append(s.Commands, "", "# "+a.DisplayName)
		if a.ClientID == "" {
			s.Commands = append(s.Commands,
				fmt.Sprintf(`%s=$(az ad app create --display-name %q --sign-in-audience AzureADMyOrg --query appId -o tsv)`, a.variable(), a.DisplayName),
				"az ad sp create --id "+a.id(),
				fmt.Sprintf(`echo "%s: client_id $%s"`, a.Key, a.variable()))
		}
		var roles []string
		for _, permission := range a.Permissions {
			if isResourceSpecific(permission.Name) {
				continue // cannot be granted to an application as a whole
			}
			roles = append(roles, orWord(permission.RoleID, "ROLE_ID_OF_"+permission.Value())+"=Role")
		}
		if len(roles) > 0 {
			s.Commands = append(s.Commands, fmt.Sprintf("az ad app permission add --id %s --api %s --api-permissions %s", a.id(), GraphAppID, strings.Join(roles, " ")))
		}
	}
	return s
}

func federate(p *Plan) Step {
	s := Step{
		ID: "federated-credentials", For: Create, Title: "Trust the workload: federated credentials", Who: applicationAdministrator + ", or an owner of the application", Shell: "sh",
		Until: "each application has its federated credential",
		What: "Graphveil signs in with a token of the platform that it runs on, so there is no secret to create, hand over or rotate. " +
			"Entra compares the token's issuer, subject and audience with the federated credential byte for byte: upper and lower case count, and so does a slash at the end. An application has at most 20 of them, and a new one takes seconds to spread.\n\n" +
			"`graphveil setup --from-credential --config FILE`, where Graphveil is to run, fills in what the token really says.",
		Failures: []Failure{
			{"AADSTS70021, AADSTS700211, AADSTS700212 or AADSTS700213 when signing in", "No federated credential has this issuer, audience or subject. Compare with what `--from-credential` says, byte for byte."},
			{"The same for some minutes after it was corrected", "Entra remembers failures for minutes. Wait before changing anything else."},
		},
	}
	hints := map[string]bool{}
	for _, a := range p.Applications {
		f := a.Credential.Federated
		if f == nil {
			continue
		}
		for _, field := range f.Missing {
			if find := platforms[a.Credential.Kind].find[field]; find != "" {
				hints["The "+field+" is not known yet: "+find+"."] = true
			} else {
				hints["The "+field+" is not known yet: say where Graphveil runs (--platform, --"+field+")."] = true
			}
		}
		// The order of the members is that of the portal.
		text, _ := json.Marshal(struct { // strings always can
			Name      string   `json:"name"`
			Issuer    string   `json:"issuer"`
			Subject   string   `json:"subject"`
			Audiences []string `json:"audiences"`
		}{f.Name, orWord(f.Issuer, "ISSUER"), orWord(f.Subject, "SUBJECT"), []string{orWord(f.Audience, "AUDIENCE")}})
		s.Commands = append(s.Commands, fmt.Sprintf("az ad app federated-credential create --id %s --parameters '%s'", a.id(), strings.ReplaceAll(string(text), "'", `'\''`)))
	}
	for _, hint := range sortedKeys(hints) {
		s.What += "\n\n" + hint
	}
	return s
}

func certify(p *Plan) Step {
	s := Step{
		ID: "certificates", For: Create, Title: "Trust the certificate", Who: applicationAdministrator + ", or an owner of the application", Shell: "sh",
		Until: "each application has its certificate",
		What: "Upload the certificate alone; the private key stays where Graphveil runs. Put the next one beside it before it expires, replace the file, then remove the old one. " +
			"A federated credential needs none of this.",
		Failures: []Failure{
			{"AADSTS700027 right after uploading", "Entra's clock may be behind that of the machine that made the certificate: make it valid from an hour ago. It also takes a minute or two to spread."},
		},
	}
	for _, a := range p.Applications {
		if a.Credential.Kind == "certificate" {
			s.Commands = append(s.Commands, "az ad app credential reset --id "+a.id()+" --append --cert @certificate.pem")
		}
	}
	return s
}

func secrets(p *Plan) Step {
	s := Step{
		ID: "client-secrets", For: Create, Title: "Make a client secret", Who: applicationAdministrator + ", or an owner of the application", Shell: "sh",
		Until: "each application has its secret",
		What: "A secret is a password: whoever has it is the application, from anywhere, until it expires. Prefer any of the other ways to sign in. " +
			"The command writes it to a file that nobody else can read. Move that to where `credential.client_secret.file` says, readable by Graphveil alone, and leave no copy.",
	}
	for _, a := range p.Applications {
		if a.Credential.Kind == "client_secret" {
			s.Commands = append(s.Commands, "(umask 077; az ad app credential reset --id "+a.id()+" --append --years 1 --query password -o tsv > secret_"+a.Key+")")
		}
	}
	return s
}

func ownApplications(p *Plan) Step {
	s := Step{
		ID: "own-applications", For: Create, Optional: true, Title: "Or hand over empty applications", Who: applicationAdministrator, Shell: "sh",
		Until: "the applications are handed over. Their owners do the rest without the role",
		What: "If the role cannot be given to the person who sets Graphveil up, an administrator creates one empty application per data source with its service principal, makes that person the owner " +
			"of the application, and hands over its **object id**: infrastructure code imports by object id (`existing_applications` in deploy/terraform). An owner can ask for permissions and add federated credentials; " +
			"consent stays with the administrator.",
	}
	s.Commands = append(s.Commands, "OWNER=$(az ad user show --id OWNER@YOUR.DOMAIN --query id -o tsv)")
	for _, a := range p.Applications {
		if a.ClientID == "" {
			s.Commands = append(s.Commands, "", "# "+a.DisplayName,
				fmt.Sprintf(`%s=$(az ad app create --display-name %q --sign-in-audience AzureADMyOrg --query appId -o tsv)`, a.variable(), a.DisplayName),
				"az ad sp create --id "+a.id())
		}
		s.Commands = append(s.Commands,
			"az ad app owner add --id "+a.id()+` --owner-object-id "$OWNER"`,
			"az ad app show --id "+a.id()+` --query "{client_id:appId, object_id:id}"`)
	}
	return s
}
