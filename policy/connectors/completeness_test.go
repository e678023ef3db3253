package connectors_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// items says which documented types the items of an endpoint may have, none where
// it answers with a number; the endpoints are those of all connectors.
var items = map[string][]string{
	"entra_id/users_delta":                   {"user"},
	"entra_id/users_count":                   nil,
	"entra_id/groups_delta":                  {"group"},
	"entra_id/groups_count":                  nil,
	"entra_id/group_members_count":           nil,
	"entra_id/users":                         {"user"},
	"entra_id/user":                          {"user"},
	"entra_id/groups":                        {"group"},
	"entra_id/group":                         {"group"},
	"entra_id/group_members":                 {"user", "group", "device", "orgContact", "servicePrincipal"},
	"entra_id/group_member_users":            {"user"},
	"outlook_calendar/calendar_events":       {"event"},
	"outlook_calendar/calendar_view":         {"event"},
	"outlook_calendar/default_calendar_view": {"event"},
	"outlook_calendar/event":                 {"event"},
	"outlook_calendar/event_instances":       {"event"},
	"outlook_calendar/events":                {"event"},
	"outlook_calendar/mailbox_settings":      {"mailboxSettings"},
	"outlook_calendar/users_delta":           {"user"},
	"outlook_calendar/users_count":           nil,
	"outlook_calendar/groups_delta":          {"group"},
	"outlook_calendar/groups_count":          nil,
	"outlook_calendar/group_members_count":   nil,
	"outlook_calendar/users":                 {"user"},
	"outlook_calendar/user":                  {"user"},
	"outlook_calendar/groups":                {"group"},
	"outlook_calendar/group":                 {"group"},
	"outlook_calendar/group_members":         {"user", "group", "device", "orgContact", "servicePrincipal"},
	"outlook_calendar/group_member_users":    {"user"},
	"outlook_mail/users_delta":               {"user"},
	"outlook_mail/users_count":               nil,
	"outlook_mail/groups_delta":              {"group"},
	"outlook_mail/groups_count":              nil,
	"outlook_mail/group_members_count":       nil,
	"outlook_mail/users":                     {"user"},
	"outlook_mail/user":                      {"user"},
	"outlook_mail/groups":                    {"group"},
	"outlook_mail/group":                     {"group"},
	"outlook_mail/group_members":             {"user", "group", "device", "orgContact", "servicePrincipal"},
	"outlook_mail/group_member_users":        {"user"},
	"outlook_mail/mailbox_settings":          {"mailboxSettings"},
	"outlook_mail/message":                   {"message"},
	"outlook_mail/sent_messages_delta":       {"message"},
	"outlook_mail/sent_messages":             {"message"},
}

// harmless are the classes whose properties may be kept without a word.
var harmless = []string{"none", "time"}

// kept are the properties of any other class that leave in clear nevertheless,
// by declaring type, with the reason.
var kept = map[string]string{
	"assignedPlan.service":                             "name of a Microsoft service",
	"provisionedPlan.service":                          "name of a Microsoft service",
	"serviceProvisioningError.serviceInstance":         "name of a Microsoft service instance",
	"licenseAssignmentState.assignedByGroup":           "id of a group",
	"user.city":                                        "place of work",
	"user.state":                                       "place of work",
	"user.country":                                     "place of work",
	"user.officeLocation":                              "place of work",
	"user.usageLocation":                               "country for licensing",
	"user.preferredDataLocation":                       "region of the data",
	"user.preferredLanguage":                           "working language",
	"user.companyName":                                 "organisational fact",
	"user.department":                                  "organisational fact",
	"user.employeeHireDate":                            "organisational fact",
	"user.employeeLeaveDateTime":                       "organisational fact",
	"user.employeeType":                                "organisational fact",
	"user.hireDate":                                    "organisational fact",
	"user.onPremisesDomainName":                        "domain of the organisation",
	"employeeOrgData.costCenter":                       "organisational fact",
	"employeeOrgData.division":                         "organisational fact",
	"objectIdentity.issuer":                            "domain of the organisation or name of an identity provider",
	"onPremisesProvisioningError.category":             "kind of error",
	"onPremisesProvisioningError.propertyCausingError": "name of a property",
	"mailboxSettings.archiveFolder":                    "id of a folder",
	"mailboxSettings.timeZone":                         "time zone",
	"timeZoneBase.name":                                "time zone",
	"entity.id":                                        "ids of groups, messages and events; those of users are asserted apart",
	"orgContact.companyName":                           "organisational fact",
	"orgContact.department":                            "organisational fact",
	"group.displayName":                                "name of a group, not of a person",
	"group.classification":                             "label of the organisation",
	"group.infoCatalogs":                               "label of the organisation",
	"group.onPremisesDomainName":                       "domain of the organisation",
	"group.onPremisesNetBiosName":                      "domain of the organisation",
	"group.organizationId":                             "id of the tenant",
	"group.preferredDataLocation":                      "region of the data",
	"group.preferredLanguage":                          "language of the group",
	"group.theme":                                      "name of a colour",
	"group.uniqueName":                                 "name of a group, not of a person",
	"assignedLabel.displayName":                        "name of a sensitivity label",
	"assignedLabel.labelId":                            "id of a sensitivity label",
	"outlookItem.changeKey":                            "version of a message or event",
	"event.cancelledOccurrences":                       "ids of events",
	"event.iCalUId":                                    "id of an event, the same in every calendar",
	"event.seriesMasterId":                             "id of an event",
	"onlineMeetingInfo.tollFreeNumbers":                "numbers of the organisation's meeting bridge",
	"onlineMeetingInfo.tollNumber":                     "numbers of the organisation's meeting bridge",
	"message.conversationId":                           "id of a thread",
	"message.conversationIndex":                        "place in a thread",
	"message.internetMessageId":                        "id of a message, the same in every mailbox",
	"message.parentFolderId":                           "id of a folder",
}

// TestEveryPropertyIsDecided walks the documented types and the shapes of the
// responses side by side. Each property must be named in the shape, and nothing
// else; what is kept must be harmless or on the list above.
func TestEveryPropertyIsDecided(t *testing.T) {
	c := completeness{schema: readSchema(t), used: map[string]bool{}}
	for _, options := range optionSets() {
		seen := 0
		for _, connector := range []string{"entra_id", "outlook_calendar", "outlook_mail"} {
			endpoints := evaluate(t, "data.graphveil.connectors."+connector+".endpoints", options).(map[string]any)
			for id, endpoint := range endpoints {
				types, ok := items[connector+"/"+id]
				if !ok {
					t.Errorf("%s/%s: the test does not know the type of its items", connector, id)
					continue
				}
				seen++
				response := endpoint.(map[string]any)["response"].(map[string]any)
				if len(types) == 0 {
					if media := endpoint.(map[string]any)["media"]; operation(response) != "keep" || !reflect.DeepEqual(media, []any{"text/plain"}) {
						t.Errorf("%s/%s: is no number", connector, id)
					}
					continue
				}
				if page, ok := response["value"].([]any); ok {
					response = page[0].(map[string]any)
				}
				c.T, c.at, c.sealed = t, connector+"/"+id, options["ids"] == "reversible"
				c.object(types, response, "")
			}
		}
		if seen != len(items) {
			t.Errorf("saw %d endpoints, want %d", seen, len(items))
		}
	}
	for name := range kept {
		if !c.used[name] {
			t.Errorf("%s is on the list of kept properties but no shape keeps it", name)
		}
	}
}

func optionSets() []map[string]any {
	var sets []map[string]any
	for _, ids := range []string{"reversible", "clear"} {
		for _, groups := range []string{"on", "off"} {
			for _, encoding := range []string{"token", "json"} {
				sets = append(sets, map[string]any{"ids": ids, "groups": groups, "encoding": encoding})
			}
		}
	}
	return sets
}

type completeness struct {
	*testing.T
	schema *schema
	at     string
	// sealed says that ids of users must not be in clear.
	sealed bool
	used   map[string]bool
}

// object checks an object shape against all kinds of the given types.
func (c *completeness) object(types []string, shape map[string]any, pointer string) {
	documented := map[string]bool{}
	for _, name := range types {
		for _, kind := range c.schema.kinds(namespace + name) {
			structural, relations := c.schema.properties(kind)
			if _, person := structural["userPrincipalName"]; person && c.sealed && operation(shape["id"]) == "keep" {
				c.Errorf("%s: %s/id of a user is kept in clear", c.at, pointer)
			}
			for _, member := range sorted(structural) {
				documented[member] = true
				c.property(structural[member], shape[member], pointer+"/"+member)
			}
			for _, member := range sorted(relations) {
				documented[member] = true
				if operation(shape[member]) != "drop" {
					c.Errorf("%s: relation %s/%s is not dropped", c.at, pointer, member)
				}
			}
		}
	}
	if len(documented) == 0 {
		c.Errorf("%s: %s: no documented property of %v", c.at, pointer, types)
	}
	for member := range shape {
		if !documented[member] && !strings.Contains(member, "@") {
			c.Errorf("%s: %s/%s is not documented", c.at, pointer, member)
		}
	}
}

// property checks the decision on one property.
func (c *completeness) property(p property, shape any, pointer string) {
	if shape == nil {
		c.Errorf("%s: %s is not decided", c.at, pointer)
		return
	}
	if operation(shape) == "drop" {
		return
	}
	if _, isArray := shape.([]any); p.Collection || p.Observed && isArray {
		array, ok := shape.([]any)
		if !ok || len(array) != 1 {
			c.Errorf("%s: %s is a collection, its shape is not", c.at, pointer)
			return
		}
		shape, pointer = array[0], pointer+"/*"
	}
	if p.Ref != "" {
		object, ok := shape.(map[string]any)
		if !ok || operation(shape) != "" {
			c.Errorf("%s: %s is an object, its shape is not", c.at, pointer)
			return
		}
		c.object([]string{strings.TrimPrefix(p.Ref, namespace)}, object, pointer)
		return
	}
	switch operation(shape) {
	case "keep":
		name := p.Owner + pointer[strings.LastIndex(strings.TrimSuffix(pointer, "/*"), "/"):]
		name = strings.Replace(strings.TrimSuffix(name, "/*"), "/", ".", 1)
		if slices.Contains(harmless, p.PII) {
			return
		}
		if kept[name] == "" {
			c.Errorf("%s: %s (%s, %s) is kept in clear", c.at, pointer, name, p.PII)
		}
		c.used[name] = true
	case "pseudonym", "reversible", "json_pseudonym", "match", "phrases":
	default:
		c.Errorf("%s: %s: no operation for a documented property", c.at, pointer)
	}
}
