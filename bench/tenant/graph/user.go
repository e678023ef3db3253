package graph

import (
	"net/http"
	"time"
)

const (
	domainSID = "S-1-5-21" // of accounts synchronised from the premises
	cloudSID  = "S-1-12-1"
)

// userTable has the structural properties of microsoft.graph.user in v1.0; without $select an answer has the first eleven.
// Source: the v1.0 CSDL and user-list of the Graph reference.
var userTable = newTable("microsoft.graph.user",
	[]property[person]{
		{"businessPhones", (*person).businessPhones},
		{"displayName", quote((*person).appendDisplayName)},
		{"givenName", (*person).givenName},
		{"jobTitle", shared(1, "Analyst", "Engineer", "Account Manager", "Head of Sales", "Data Protection Officer", "Recruiter", "Controller")},
		{"mail", quote((*person).appendMail)},
		{"mobilePhone", (*person).mobilePhone},
		{"officeLocation", shared(2, "18/2111", "Building 4", "HQ 3.042", "Remote", "Wing B")},
		{"preferredLanguage", oneOf(3, `"en-US"`, `"de-DE"`, `"ja-JP"`, `"fr-FR"`, `null`)},
		{"surname", (*person).surname},
		{"userPrincipalName", quote((*person).appendUPN)},
		{"id", guidOf(kindUser)},
	},
	[]property[person]{
		{"deletedDateTime", raw[person](`null`)},
		{"aboutMe", written(10, 30)},
		{"accountEnabled", (*person).accountEnabled},
		{"ageGroup", oneOf(11, `"Adult"`, `"NotAdult"`, `null`)},
		{"assignedLicenses", raw[person](`[{"disabledPlans":["11651c23-8f52-4ba6-9d3f-8e0f7ef0c3a1"],"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900"}]`)},
		{"assignedPlans", raw[person](`[{"assignedDateTime":"2025-11-02T08:14:05Z","capabilityStatus":"Enabled","service":"exchange","servicePlanId":"9aaf7827-d63c-4b61-89c3-182f06f82e5c"}]`)},
		{"authorizationInfo", (*person).authorizationInfo},
		{"birthday", moment(12, 20000, 10000)},
		{"city", shared(13, "Bergen", "Bristol", "Lyon", "Osaka", "Porto", "Seattle")},
		{"companyName", shared(14, "Contoso", "Contoso Retail", "Contoso Research")},
		{"consentProvidedForMinor", oneOf(15, `"Granted"`, `"NotRequired"`, `null`)},
		{"country", shared(16, "France", "Japan", "Norway", "Portugal", "United Kingdom", "United States")},
		{"createdDateTime", (*person).createdDateTime},
		{"creationType", (*person).creationType},
		{"customSecurityAttributes", (*person).customSecurityAttributes},
		{"department", shared(17, "Finance", "Human Resources", "Legal", "Research", "Sales", "Works Council")},
		{"deviceEnrollmentLimit", raw[person](`5`)},
		{"employeeHireDate", moment(18, 4000, 3000)},
		{"employeeId", quote((*person).appendEmployeeID)},
		{"employeeLeaveDateTime", moment(19, 30, 400)},
		{"employeeOrgData", (*person).employeeOrgData},
		{"employeeType", oneOf(20, `"Employee"`, `"Contractor"`, `"Vendor"`)},
		{"externalUserState", (*person).externalUserState},
		{"externalUserStateChangeDateTime", moment(21, 300, 300)},
		{"faxNumber", quote(func(p *person, b []byte) []byte { return p.appendPhone(b, 2) })},
		{"hireDate", moment(18, 4000, 3000)},
		{"identities", (*person).identities},
		{"identityParentId", guidOf(kindContact)},
		{"imAddresses", list(quote((*person).appendUPN))},
		{"interests", list(written(22, 2), written(23, 3))},
		{"isManagementRestricted", raw[person](`false`)},
		{"isResourceAccount", raw[person](`false`)},
		{"lastPasswordChangeDateTime", moment(24, 90, 400)},
		{"legalAgeGroupClassification", oneOf(25, `"Adult"`, `"NotAdult"`, `null`)},
		{"licenseAssignmentStates", (*person).licenseAssignmentStates},
		{"mailboxSettings", appendSettings},
		{"mailNickname", quote((*person).appendLocal)},
		{"mySite", (*person).mySite},
		{"onPremisesDistinguishedName", (*person).distinguishedName},
		{"onPremisesDomainName", shared(26, "corp.contoso.example", "emea.contoso.example")},
		{"onPremisesExtensionAttributes", (*person).extensionAttributes},
		{"onPremisesImmutableId", quote((*person).appendImmutableID)},
		{"onPremisesLastSyncDateTime", moment(27, 1, 2)},
		{"onPremisesProvisioningErrors", (*person).provisioningErrors},
		{"onPremisesSamAccountName", quote((*person).appendLocal)},
		{"onPremisesSecurityIdentifier", quote(func(p *person, b []byte) []byte { return p.appendSID(b, domainSID) })},
		{"onPremisesSyncEnabled", oneOf(28, `true`, `null`)},
		{"onPremisesUserPrincipalName", quote((*person).appendUPN)},
		{"otherMails", list(privateMail)},
		{"passwordPolicies", raw[person](`"DisablePasswordExpiration"`)},
		{"passwordProfile", (*person).passwordProfile},
		{"pastProjects", list(written(29, 3))},
		{"postalCode", (*person).postalCode},
		{"preferredDataLocation", oneOf(31, `"EUR"`, `"NAM"`, `"JPN"`, `null`)},
		{"preferredName", quote((*person).appendDisplayName)},
		{"print", raw[person](`{}`)},
		{"provisionedPlans", raw[person](`[{"capabilityStatus":"Enabled","provisioningStatus":"Success","service":"exchange"}]`)},
		{"proxyAddresses", (*person).proxyAddresses},
		{"responsibilities", list(written(32, 4), written(33, 3))},
		{"schools", list(written(34, 3))},
		{"securityIdentifier", quote(func(p *person, b []byte) []byte { return p.appendSID(b, cloudSID) })},
		{"serviceProvisioningErrors", (*person).serviceErrors},
		{"showInAddressList", oneOf(35, `true`, `null`)},
		{"signInActivity", (*person).signInActivity},
		{"signInSessionsValidFromDateTime", moment(36, 90, 400)},
		{"skills", list(written(37, 2), written(38, 2), written(39, 1))},
		{"state", shared(40, "Vestland", "Avon", "Rhône", "Osaka", "Norte", "WA")},
		{"streetAddress", (*person).streetAddress},
		{"usageLocation", oneOf(41, `"FR"`, `"JP"`, `"NO"`, `"PT"`, `"GB"`, `"US"`)},
		{"userType", (*person).userType},
	})

// profileProperties live outside the directory: GET /users/{id} has them, GET /users does not (graph-facts: "501 for
// $select=aboutMe on /users").
var profileProperties = []string{"aboutMe", "birthday", "hireDate", "interests", "mySite", "pastProjects", "preferredName", "responsibilities",
	"schools", "skills", "mailboxSettings"}

// basicProperties are what User.ReadBasic.All opens.
var basicProperties = []string{"displayName", "givenName", "id", "mail", "surname", "userPrincipalName"}

var userColumns = map[string]func(p *person, b []byte) []byte{
	"userprincipalname": (*person).appendUPN,
	"mail":              (*person).appendMail,
	"displayname":       (*person).appendDisplayName,
	"mailnickname":      (*person).appendLocal,
	"employeeid":        (*person).appendEmployeeID,
	"givenname":         func(p *person, b []byte) []byte { return append(append(b, p.given.display...), p.s.cfg.Canary...) },
	"surname":           func(p *person, b []byte) []byte { return append(append(b, p.family.display...), p.s.cfg.Canary...) },
	"id":                func(p *person, b []byte) []byte { return p.s.keys.appendGUID(b, kindUser, uint64(p.i)) },
}

// columnsOfUsers are what $filter and $orderby may use on users.
func (s *Server) columnsOfUsers() map[string]column {
	columns := map[string]column{
		"accountenabled":  {boolean, func(i int) string { p := s.person(i); return string(p.accountEnabled(nil)) }},
		"usertype":        {quoted, func(i int) string { p := s.person(i); return unquote(p.userType(nil)) }},
		"createddatetime": {instant, func(i int) string { p := s.person(i); return unquote(p.createdDateTime(nil)) }},
	}
	for name, write := range userColumns {
		columns[name] = column{quoted, func(i int) string { p := s.person(i); return string(write(&p, nil)) }}
	}
	return columns
}

func unquote(b []byte) string { return string(b[1 : len(b)-1]) }

func (s *Server) listUsers(a *answer, t *target, q *query) *problem {
	l, p := s.users(t, q)
	if p != nil {
		return p
	}
	return s.list(a, q, l)
}

// listUserChanges answers delta, with users that are gone as no more than their ids.
func (s *Server) listUserChanges(a *answer, t *target, q *query) *problem {
	l, p := s.users(t, q)
	if p != nil {
		return p
	}
	l.removed = func(b []byte, i int) []byte {
		b = s.keys.appendGUID(append(b, `{"id":"`...), kindUser, uint64(i))
		return append(b, `","@removed":{"reason":"changed"}}`...)
	}
	return s.delta(a, q, l)
}

func (s *Server) users(t *target, q *query) (*listing, *problem) {
	l := &listing{target: t, context: "users" + contextFields(q), total: s.cfg.Users, person: s.UserPrincipalName}
	if p := s.arrange(l, q, s.columnsOfUsers(), "users", "displayname", "userprincipalname", "givenname", "surname", "mail"); p != nil {
		return nil, p
	}
	chosen, p := s.chooseUser(q, holds(t.roles, "User.Read.All", "Directory.Read.All"), true)
	if p != nil {
		return nil, p
	}
	l.record = func(b []byte, i int) []byte {
		p := s.person(i)
		return append(chosen.append(append(b, '{'), &p), '}')
	}
	return l, nil
}

func (s *Server) getUser(a *answer, t *target, q *query) *problem {
	i, p := s.user(t)
	if p != nil {
		return p
	}
	chosen, p := s.chooseUser(q, holds(t.roles, "User.Read.All", "Directory.Read.All"), false)
	if p != nil {
		return p
	}
	u := s.person(i)
	a.entity("users"+contextFields(q), func(b []byte) []byte { return chosen.append(b, &u) })
	return nil
}

// chooseUser applies $select and what the token may see: without full access other than basic properties are null, or 403 when asked
// for by name.
func (s *Server) chooseUser(q *query, full, listed bool) (selection[person], *problem) {
	chosen, p := userTable.choose(q.fields)
	if p != nil {
		return nil, p
	}
	if listed {
		for _, name := range profileProperties {
			if chosen.has(name) {
				return nil, &problem{status: http.StatusNotImplemented, code: "NotImplemented", message: "The property '" + name + "' is not supported on a collection of users."}
			}
		}
	}
	if full {
		return chosen, nil
	}
	masked, hidden := chosen.mask(basicProperties)
	if hidden && len(q.fields) > 0 {
		return nil, directory.denied()
	}
	return masked, nil
}

func (p *person) moment(n, back, span int) time.Time {
	d := p.s.keys.dice(kindUser, p.i, n)
	return newest.Add(-time.Duration(back*86400+d.below(span*86400)) * time.Second)
}
