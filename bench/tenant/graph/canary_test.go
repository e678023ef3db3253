package graph

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestCanaries: with both canaries set, every text of a person's records is marked, or is one of the kinds that have no room.
func TestCanaries(t *testing.T) {
	s := open(t, Config{Canary: "Qx7Person", OrgCanary: "Qx7Office"}, "h2")
	user := "/v1.0/users/" + s.UserID(0)
	canaries := s.Canaries(0)
	// Values that are the same for everybody, machine-made, or an id without room for a word.
	free := map[string]bool{"id": true, "@odata.type": true, "@odata.etag": true, "@odata.context": true, "@odata.nextLink": true,
		"preferredLanguage": true, "ageGroup": true, "capabilityStatus": true, "service": true, "servicePlanId": true, "assignedDateTime": true,
		"skuId": true, "disabledPlans": true, "consentProvidedForMinor": true, "creationType": true, "Project@odata.type": true, "employeeType": true,
		"externalUserState": true, "signInType": true, "issuer": true, "identityParentId": true, "legalAgeGroupClassification": true,
		"assignedByGroup": true, "state": false, "error": true, "passwordPolicies": true, "preferredDataLocation": true, "provisioningStatus": true,
		"category": true, "propertyCausingError": true, "serviceInstance": true, "usageLocation": true, "userType": true, "contentType": true,
		"changeKey": true, "parentFolderId": true, "conversationId": true, "conversationIndex": true, "importance": true,
		"inferenceClassification": true, "flagStatus": true, "timeZone": true, "dateFormat": true, "timeFormat": true, "userPurpose": true,
		"delegateMeetingMessageDeliveryOptions": true, "archiveFolder": true, "status": true, "externalAudience": true, "locale": true,
		"daysOfWeek": true, "startTime": true, "endTime": true, "meetingMessageType": true, "type": true,
		"originalStartTimeZone": true, "originalEndTimeZone": true, "recurrenceTimeZone": true, "firstDayOfWeek": true, "index": true, "startDate": true,
		"endDate": true, "sensitivity": true, "showAs": true, "onlineMeetingProvider": true, "response": true, "time": true, "locationType": true,
		"uniqueIdType": true, "color": true, "hexColor": true, "allowedOnlineMeetingProviders": true, "defaultOnlineMeetingProvider": true,
		"transactionId": true, "iCalUId": true, "cancelledOccurrences": true, "seriesMasterId": true}
	var check func(t *testing.T, name string, value any)
	check = func(t *testing.T, name string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for inner, is := range v {
				if inner == "language" || inner == "licenseAssignmentStates" || inner == "workingHours" {
					continue
				}
				if header, ok := v["name"].(string); ok && inner == "name" && v["value"] != nil || header == "Received" || header == "X-Originating-IP" {
					continue
				}
				check(t, inner, is)
			}
		case []any:
			for _, is := range v {
				check(t, name, is)
			}
		case string:
			if _, isTime := readTime(v); isTime || free[name] || strings.HasSuffix(name, "DateTime") || strings.HasSuffix(name, "Date") || name == "dateTime" || name == "birthday" ||
				name == "categories" && (v == "Red category" || v == "Blue category") || name == "name" && v == "Calendar" || strings.Contains(v, "Qx7Person") || strings.Contains(v, "Qx7Office") {
				return
			}
			if !strings.HasSuffix(name, "RequestId") && name != "onPremisesDomainName" {
				for _, canary := range canaries {
					if strings.Contains(v, canary) {
						return
					}
				}
				t.Errorf("%s is %q, which nothing marks", name, v)
			}
		}
	}
	for name, target := range map[string]string{
		"user":     user + "?$select=" + strings.Join(propertyNames(userTable), ","),
		"message":  user + "/messages?$top=40&$select=" + strings.Join(propertyNames(messageTable), ","),
		"settings": user + "/mailboxSettings",
		"events":   user + "/events?$top=40&$select=" + strings.Join(propertyNames(eventTable), ","),
		"view":     user + "/calendarView" + everything,
		"calendar": user + "/calendars",
	} {
		t.Run(name, func(t *testing.T) { check(t, "", s.object(target)) })
	}
	all, err := json.Marshal(s.object(user + "?$select=" + strings.Join(propertyNames(userTable), ",")))
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range canaries {
		if canary != string(s.keys.guid(kindMailbox, 0)) && !strings.Contains(string(all), canary) {
			t.Errorf("canary %q is not in the user", canary)
		}
	}
	for _, i := range []int{0, 19} {
		if _, domain, _ := strings.Cut(s.Mail(i), "@"); strings.Contains(domain, "Qx7") {
			t.Errorf("a canary is in the domain of %s", s.Mail(i))
		}
		if got, ok := s.userByName(s.UserPrincipalName(i)); !ok || got != i {
			t.Errorf("user %d is not found by a name with a canary", i)
		}
	}
}
