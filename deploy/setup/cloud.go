package setup

// cloud is what differs between Microsoft's clouds for an administrator. The hosts of Entra and Graph are package auth's.
type cloud struct {
	title string
	// portal is the Entra admin centre (learn.microsoft.com/entra/fundamentals/entra-admin-center).
	portal string
	// azureCLI is the name for `az cloud set`; teams and exchange are arguments of Connect-MicrosoftTeams and Connect-ExchangeOnline.
	azureCLI, teams, exchange string
	// lacks are permissions whose endpoints are not there, by the reason why.
	lacks map[string]string
}

const (
	noCopilot = "Copilot interactions are exported in the global cloud only"
	noCalls   = "calls and call records are not available in the cloud of 21Vianet"
)

var clouds = map[string]cloud{
	"global": {title: "global cloud", portal: "https://entra.microsoft.com", azureCLI: "AzureCloud"},
	"us_government": {
		title: "US Government cloud, L4 (GCC High)", portal: "https://entra.microsoft.us", azureCLI: "AzureUSGovernment",
		teams: " -TeamsEnvironmentName TeamsGCCH", exchange: " -ExchangeEnvironmentName O365USGovGCCHigh",
		lacks: map[string]string{"AiEnterpriseInteraction.Read.All": noCopilot},
	},
	"us_dod": {
		title: "US Government cloud, L5 (DoD)", portal: "https://entra.microsoft.us", azureCLI: "AzureUSGovernment",
		teams: " -TeamsEnvironmentName TeamsDOD", exchange: " -ExchangeEnvironmentName O365USGovDoD",
		lacks: map[string]string{"AiEnterpriseInteraction.Read.All": noCopilot},
	},
	"china": {
		title: "cloud of 21Vianet in China", portal: "https://entra.microsoftonline.cn", azureCLI: "AzureChinaCloud",
		teams: " -TeamsEnvironmentName TeamsChina", exchange: " -ExchangeEnvironmentName O365China",
		lacks: map[string]string{
			"AiEnterpriseInteraction.Read.All": noCopilot,
			"CallRecords.Read.All":             noCalls,
			"CallRecord-PstnCalls.Read.All":    noCalls,
			"Calls.Initiate.All":               noCalls,
			"Calls.AccessMedia.All":            noCalls,
		},
	},
}

// cloudOf takes a private cloud for the global one: its names are the best that can be said.
func cloudOf(name string) cloud {
	if c, ok := clouds[name]; ok {
		return c
	}
	return clouds["global"]
}

// page is where the permissions of an application are, and the button that consents to them.
func (c cloud) page(clientID string) string {
	return c.portal + "/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/CallAnAPI/appId/" + clientID
}
