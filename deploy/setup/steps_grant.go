package setup

import (
	"fmt"
	"strings"
)

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
