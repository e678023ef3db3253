package setup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/graphveil/graphveil/policy"
)

// The least privileged roles of Entra for each kind of work (learn.microsoft.com/entra/identity/role-based-access-control/delegate-by-task).
const (
	applicationAdministrator = "Cloud Application Administrator"
	roleAdministrator        = "Privileged Role Administrator"
	teamsAdministrator       = "Teams Administrator"
	exchangeAdministrator    = "Exchange Administrator"
	operator                 = "whoever runs Graphveil"
)

// stepsOf are the steps of a plan, in the order in which they are done.
func stepsOf(p *Plan) []Step {
	var steps []Step
	add := func(s Step, needed bool) {
		if needed {
			if s.Commands == nil {
				s.Commands = []string{}
			}
			steps = append(steps, s)
		}
	}
	some := func(holds func(Application) bool) bool { return slices.ContainsFunc(p.Applications, holds) }
	add(lookUp(p), len(unknownRoles(p)) > 0)
	add(createApplications(p), true)
	add(federate(p), some(func(a Application) bool { return a.Credential.Federated != nil }))
	add(certify(p), some(func(a Application) bool { return a.Credential.Kind == "certificate" }))
	add(secrets(p), some(func(a Application) bool { return a.Credential.Kind == "client_secret" }))
	add(ownApplications(p), true)
	add(consent(p), true)
	add(protected(), some(func(a Application) bool { return slices.Contains(a.Setup, policy.SetupTeamsProtectedAPIs) }))
	add(teamsPolicy(p), some(func(a Application) bool { return a.TeamsPolicy }))
	add(scopeMailboxes(p), some(func(a Application) bool { return len(a.ExchangeRoles) > 0 }))
	add(configure(p), true)
	add(check(), true)
	return steps
}

// id is the application id in a command: the id, or a shell variable that an earlier command sets.
func (a Application) id() string {
	if a.ClientID != "" {
		return a.ClientID
	}
	return `"$` + a.variable() + `"`
}

// idWord stands for the application id outside of a POSIX shell.
func (a Application) idWord() string {
	if a.ClientID != "" {
		return a.ClientID
	}
	return "CLIENT_ID_OF_" + a.variable()
}

func (a Application) variable() string { return strings.ToUpper(a.Key) }

// signIn is how the Azure CLI is brought to the tenant, beside other tenants on the same machine.
func signIn(p *Plan) []string {
	return []string{
		"export AZURE_CONFIG_DIR=$(mktemp -d)   # a profile of its own: the usual one is shared by all tenants on this machine",
		"az cloud set --name " + cloudOf(p.Cloud).azureCLI,
		"az login --allow-no-subscriptions --tenant " + orWord(p.Tenant, "TENANT_ID"),
	}
}

func orWord(text, word string) string {
	if text != "" {
		return text
	}
	return word
}

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
			"The command prints it once; write it to the file that `credential.client_secret.file` names, readable by Graphveil alone.",
	}
	for _, a := range p.Applications {
		if a.Credential.Kind == "client_secret" {
			s.Commands = append(s.Commands, "az ad app credential reset --id "+a.id()+" --append --years 1 --query password -o tsv > secret")
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

func consent(p *Plan) Step {
	c := cloudOf(p.Cloud)
	s := Step{
		ID: "grant-consent", For: Consent, Title: "Consent to the permissions", Who: roleAdministrator, Shell: "sh",
		Until: "consent is given. It is needed again only when a permission is added",
		What: "Consent gives each application its permissions in the whole tenant, for as long as the application exists or until they are revoked (Enterprise applications, the application, Permissions, Revoke). " +
			"Open the page of each application, compare the permissions with those listed above, and choose **Grant admin consent**. All must then show as granted, and there must be none besides. " +
			"A Cloud Application Administrator cannot do this: the role does not extend to application permissions of Microsoft Graph.",
		Failures: []Failure{
			{"The button is grey, or \"You need admin approval\"", "The role is not active in this session: activate it (Privileged Identity Management), then sign in again."},
			{"Graph answers Authorization_IdentityNotFound", "The application has no service principal or no consent in this tenant yet."},
			{"Graph answers Authorization_RequestDenied right after consent", "The token was issued before it. Graphveil fetches a new one when half of the old one's life is over; a restart does it at once."},
		},
	}
	s.Commands = append(signIn(p), "# instead of the pages, once the applications have asked for the permissions")
	for _, a := range p.Applications {
		s.Links = append(s.Links, c.page(a.idWord()))
		s.Commands = append(s.Commands, "az ad app permission admin-consent --id "+a.idWord())
	}
	return s
}

func protected() Step {
	return Step{
		ID: "protected-apis", For: Consent, Optional: true, Title: "Ask Microsoft for protected APIs, where it wants to be asked", Who: "whoever answers for the tenant's data",
		What: "Reading messages of chats and channels without a user has been a protected API of Teams: in some tenants Microsoft wants to know what it is for before it answers, whatever was consented to " +
			"(learn.microsoft.com/graph/teams-protected-apis has the form). `graphveil setup check` shows it: the role is granted, and Graph answers 403 all the same.",
	}
}

func teamsPolicy(p *Plan) Step {
	c := cloudOf(p.Cloud)
	var ids []string
	for _, a := range p.Applications {
		if a.TeamsPolicy {
			ids = append(ids, `"`+a.idWord()+`"`)
		}
	}
	return Step{
		ID: "teams-application-access-policy", For: Meetings, Title: "Let the application read online meetings", Who: teamsAdministrator, Shell: "powershell",
		Until: "the policy is granted",
		What: "For online meetings and their attendance, consent is not enough: a Teams application access policy must name the application, for everybody or for chosen users. " +
			"Run this in PowerShell. It takes up to 30 minutes to work.\n\nTo serve some people only, leave out -Global and grant the policy to each (-Identity), or to a group (-Group).",
		Commands: []string{
			"Install-Module MicrosoftTeams -Scope CurrentUser",
			"Connect-MicrosoftTeams" + c.teams,
			fmt.Sprintf(`New-CsApplicationAccessPolicy -Identity "Graphveil" -AppIds %s -Description "Graphveil reads online meetings"`, strings.Join(ids, ", ")),
			`Grant-CsApplicationAccessPolicy -PolicyName "Graphveil" -Global`,
			`Get-CsApplicationAccessPolicy -Identity "Tag:Graphveil"`,
		},
		Failures: []Failure{
			{"Access denied", "The session does not have the role. Assign Teams Administrator (in the Entra or Azure portal, where the Teams admin centre does not offer it), close the terminal, open a new one, connect again."},
			{"The policy exists already", `Add the application to it: Set-CsApplicationAccessPolicy -Identity "Graphveil" -AppIds @{Add=` + strings.Join(ids, ", ") + `}`},
			{"Some people's meetings answer 403, \"No application access policy found\"", "A person has one policy only, and one granted to the person beats the global one: add the application to that. Within the first 30 minutes: wait."},
			{"404 for a person who has meetings", "Meetings are found by the object id of the organizer, not by the address."},
		},
	}
}

func scopeMailboxes(p *Plan) Step {
	c := cloudOf(p.Cloud)
	s := Step{
		ID: "scope-mailboxes", For: Mailboxes, Optional: true, Title: "Limit the applications to chosen mailboxes", Who: exchangeAdministrator + " (and " + roleAdministrator + " to revoke consent)", Shell: "powershell",
		Until: "the test at the end says what it should",
		What: "Consent opens every mailbox of the tenant. Exchange's RBAC for Applications can open chosen ones instead: mail, calendars and settings of mailboxes, nothing else. " +
			"Its grants are **added** to Entra's: as long as the tenant-wide consent to a permission stands, a scope limits nothing. So assign the roles first, then revoke the permissions that they stand for " +
			"(Enterprise applications, the application, Permissions), and do not consent to them again. `graphveil setup check` then finds the role missing from the token, and the endpoint working.\n\n" +
			"The object id is that of the *enterprise application* (service principal), not that of the app registration. Instead of a scope by group, an administrative unit can be named " +
			"(-RecipientAdministrativeUnitScope with its id, in place of -CustomResourceScope).",
		Failures: []Failure{
			{"All mailboxes can still be read", "The tenant-wide permission was not revoked, or the change is not yet through: Exchange keeps what it knows of an application for 30 minutes, of a busy one for up to 2 hours. The test passes over that."},
			{"New-ServicePrincipal does not find the application", "The object id is that of the app registration. `az ad sp show --id CLIENT_ID --query id` prints the right one."},
			{"A member of a nested group is out of scope", "MemberOfGroup looks at direct members only."},
		},
	}
	s.Commands = []string{
		"Install-Module ExchangeOnlineManagement -Scope CurrentUser",
		"Connect-ExchangeOnline" + c.exchange,
		`New-ManagementScope -Name "Graphveil" -RecipientRestrictionFilter "MemberOfGroup -eq '$((Get-Group "GROUP_OF_MAILBOXES").DistinguishedName)'"`,
	}
	for _, a := range p.Applications {
		if len(a.ExchangeRoles) == 0 {
			continue
		}
		s.Commands = append(s.Commands, "", "# "+a.DisplayName+": in place of "+strings.Join(scoped(a), ", "),
			"$ObjectId = (az ad sp show --id "+a.idWord()+" --query id -o tsv)   # or from the page of the enterprise application",
			fmt.Sprintf(`New-ServicePrincipal -AppId %s -ObjectId $ObjectId -DisplayName %q`, a.idWord(), a.DisplayName))
		for _, role := range a.ExchangeRoles {
			s.Commands = append(s.Commands, fmt.Sprintf(`New-ManagementRoleAssignment -App $ObjectId -Role %q -CustomResourceScope "Graphveil"`, role))
		}
		s.Commands = append(s.Commands,
			"Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource SOMEBODY_INSIDE | Format-Table    # InScope True",
			"Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource SOMEBODY_OUTSIDE | Format-Table   # InScope False")
	}
	return s
}

// scoped are the permissions that a role of Exchange can stand for.
func scoped(a Application) []string {
	var names []string
	for _, permission := range a.Permissions {
		if ExchangeRoleOf(permission.Name) != "" {
			names = append(names, permission.Value())
		}
	}
	return names
}

func configure(p *Plan) Step {
	var b strings.Builder
	fmt.Fprintf(&b, "tokens:\n  tenant: %s\n", orWord(p.Tenant, "TENANT_ID"))
	if p.Cloud != "" && p.Cloud != "global" {
		fmt.Fprintf(&b, "  cloud: %s\n", p.Cloud)
	}
	b.WriteString("  connectors:\n")
	for _, a := range p.Applications {
		for _, name := range a.Connectors {
			fmt.Fprintf(&b, "    %s: {client_id: %s}\n", name, a.idWord())
		}
	}
	return Step{
		ID: "configure", For: Operate, Title: "Configure Graphveil", Who: operator,
		What: "What the administrators hand back are the tenant's id and the application (client) ids; neither is a secret. They belong in the configuration, beside the `credential` of the platform " +
			"(deploy/graphveil.yaml documents every key):\n\n```yaml\n" + b.String() + "```",
	}
}

func check() Step {
	return Step{
		ID: "check", For: Operate, Title: "Check it", Who: operator, Shell: "sh",
		What: "Run this where Graphveil runs, with its configuration. It signs in as each application, compares what is granted with what is needed, and asks each endpoint for one record, of which it keeps and prints nothing.",
		Commands: []string{
			"graphveil setup check --config graphveil.yaml",
		},
	}
}

func sortedKeys(set map[string]bool) []string {
	var keys []string
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
