package graph

import "strings"

// The forms of identity sets. A template says "${identity 2}" for person 2 of its record; which form a set has is up to the record.

// identityForms are those of Teams: mostly a user, and now and then an application, or a device beside the user.
var identityForms = []string{
	`{"application":{"@odata.type":"#microsoft.graph.teamworkApplicationIdentity","id":"${guid}","displayName":"${text 1}","applicationIdentityType":"bot"},"device":null,"user":null}`,
	`{"application":null,"device":{"id":"${guid}","displayName":"LAPTOP-${#.local}"},"user":{"id":"${#.id}","displayName":"${#.name}","tenantId":"${tenant}"}}`,
	`{"application":null,"device":null,"user":{"id":"${#.id}","displayName":"${#.name}","tenantId":"${tenant}"}}`,
	`{"user":{"id":"${#.id}","displayName":"${#.name}","@odata.type":"#microsoft.graph.callRecords.userIdentity","userPrincipalName":"${#.upn}"}}`,
}

// communicationsForms are those of callRecords.participant. An id may be a phone number (graph-facts: "organizer_v2.id").
var communicationsForms = []string{
	`{"endpointType":"default","acsUser":null,"spoolUser":null,"phone":null,"guest":null,"encrypted":null,"onPremises":null,"applicationInstance":null,"application":null,"device":null,"user":{"@odata.type":"#microsoft.graph.communicationsUserIdentity","id":"${#.id}","displayName":"${#.name}","tenantId":"${tenant}"}}`,
	`{"phone":{"@odata.type":"#microsoft.graph.communicationsPhoneIdentity","id":"${#.phone}","displayName":null},"assertedIdentity":{"id":"${#.phone}","displayName":"${#.name}"},"user":null}`,
	`{"guest":{"id":"${guid}","displayName":"${#.name}","email":"${#.mail}"},"device":{"id":"${guid}","displayName":"LAPTOP-${#.local}"}}`,
	`{"onPremises":{"id":"${#.id}","displayName":"${#.name}"},"encrypted":{"id":"${base64 24}","displayName":"${text 1}"},"application":{"id":"${guid}","displayName":"${text 1}"}}`,
	`{"applicationInstance":{"id":"${guid}","displayName":"${text 1}","tenantId":"${tenant}"},"azureCommunicationServicesUser":{"id":"8:acs:${guid}","displayName":"${#.name}"}}`,
}

// accountForms are those of OneDrive, with addresses.
var accountForms = []string{
	`{"application":{"id":"${guid}","displayName":"${text 1}"},"user":{"email":"${#.mail}","id":"${#.id}","displayName":"${#.name}"}}`,
	`{"device":{"id":"${guid}","displayName":"LAPTOP-${#.local}"},"user":{"displayName":"${#.name}","id":"${#.id}","email":"${#.mail}"}}`,
	`{"user":{"email":"${#.mail}","id":"${#.id}","displayName":"${#.name}"}}`,
}

// identities are the words for sets, by name.
var identities = map[string][]string{"identity": identityForms, "communications": communicationsForms, "account": accountForms}

// identity makes the filler of a set about the person of this number, in one of the forms.
func identity(forms []string, person string, place int) filler {
	var list []template
	for _, text := range forms {
		list = append(list, compile(strings.ReplaceAll(text, "#.", person+"."), place, nil))
	}
	return func(r *record, b []byte) []byte {
		d := r.dice(place)
		return list[d.below(len(list))].write(r, b)
	}
}
