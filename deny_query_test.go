package main

import (
	"strings"
	"testing"
)

// TestDenyOptions asks for more than an endpoint lists, in every spelling. What
// arrives upstream is written afresh from what was checked.
func TestDenyOptions(t *testing.T) {
	b := newDenyBench(t)
	const (
		users     = "/v1.0/users"
		option    = "403 query_not_allowed"
		value     = "403 query_value_not_allowed"
		property  = "403 filter_property_not_allowed"
		malformed = "400 query_malformed"
		ambiguous = "400 target_ambiguous"
	)
	var attempts []attempt
	for query, sent := range map[string]string{ // allowed, and what Graph gets
		"":                                   "",
		"$top=5":                             "?$top=5",
		"top=5":                              "?$top=5",
		"%24top=5":                           "?$top=5",
		"$TOP=5":                             "?$top=5",
		"%24%74op=%35":                       "?$top=5",
		"$select=id,mail":                    "?$select=id,mail",
		"SELECT=id%2Cmail":                   "?$select=id,mail",
		"$top=2&$select=id":                  "?$top=2&$select=id",
		"$select=id&$top=2":                  "?$select=id&$top=2",
		"$count=true":                        "?$count=true",
		"$top=999":                           "?$top=999",
		"$filter=accountEnabled eq true":     "",
		"$filter=accountEnabled%20eq%20true": "?$filter=accountEnabled%20eq%20true",
		"$filter=accountEnabled+eq+true":     "?$filter=accountEnabled%20eq%20true",
		"FILTER=department+eq+'a%26$top=9'":  "?$filter=department%20eq%20'a%26$top%3D9'",
		"$filter=department+eq+'O''Hara'":    "?$filter=department%20eq%20'O''Hara'",
	} {
		a := try(users+"?"+query, "200", users+sent)
		switch {
		case strings.Contains(query, " "): // no octet of a target
			a.want, a.sent = closed, ""
		case strings.Contains(query, "'"): // the synthetic Graph knows no such filter
			a.want = "400 BadRequest"
		}
		attempts = append(attempts, a)
	}
	for query, want := range map[string]string{
		// Options that the endpoint does not list, whatever their spelling.
		"$expand=manager":                      option,
		"expand=manager":                       option,
		"$expand=manager($select=displayName)": option,
		"$search=%22displayName:a%22":          option,
		"%24search=x":                          option,
		"$format=application/json":             option,
		"$apply=aggregate(id)":                 option,
		"$compute=mail+as+id":                  option,
		"$skip=1":                              option,
		"$skiptoken=x":                         option,
		"$skipToken=x":                         option,
		"$deltatoken=latest":                   option,
		"$index=1":                             option,
		"$schemaversion=1":                     option,
		"@p=1":                                 option,
		"api-version=2.0":                      option,
		"access_token=x":                       option,
		"unlisted":                             option,
		"$top=1&unlisted=CANARY":               option,

		// Twice, in whatever spelling.
		"$top=1&$top=1":                           ambiguous,
		"$top=1&top=2":                            ambiguous,
		"$top=1&%24TOP=2":                         ambiguous,
		"$select=id&%24select=mail":               ambiguous,
		"$filter=accountEnabled+eq+true&filter=x": ambiguous,

		// Names that are none, separators that some servers know.
		"=1":               ambiguous,
		"$=1":              ambiguous,
		"&":                ambiguous,
		"$top=1&":          ambiguous,
		"$$top=1":          ambiguous,
		"%2524top=1":       ambiguous,
		"$to%00p=1":        ambiguous,
		"$top%20=1":        ambiguous,
		"+$top=1":          ambiguous,
		"$top[]=1":         ambiguous,
		"$s%C5%BFelect=id": ambiguous,
		"$s%E2%84%AAip=1":  ambiguous, // the Kelvin sign
		"$top=1;$expand=x": ambiguous,
		"$top=%2531":       ambiguous,
		"$top=1%0d%0aA:b":  ambiguous,
		"$top=%ff":         ambiguous,
		"$top=%c0%b1":      ambiguous,
		"$top=%":           ambiguous,
		`$top=1\`:          ambiguous,

		// Values.
		"$top=1000":                 value,
		"$top=0x10":                 malformed,
		"$top=-1":                   malformed,
		"$top=":                     malformed,
		"$top":                      malformed,
		"$top=1.5":                  malformed,
		"$top=1e3":                  malformed,
		"$top=+5":                   malformed,
		"$top=%205":                 malformed,
		"$top=99999999999999999999": malformed,
		"$count=yes":                malformed,
		"$count=TRUE":               value,
		"$count=":                   malformed,
		"$select=":                  malformed,
		"$select=id,":               malformed,
		"$select=manager/id($x)":    malformed,

		// Conditions on what the response hides, or with it.
		"$filter=startswith(displayName,'A')":                 property,
		"$filter=startswith(DISPLAYNAME,'A')":                 property,
		"$filter=startsWith(displayName,'A')":                 property,
		"$filter=mail+eq+'a@b.example'":                       property,
		"$filter=accountEnabled+eq+true+or+surname+ge+'m'":    property,
		"$filter=not(displayName+eq+'a')":                     property,
		"$filter=length(displayName)+gt+5":                    property,
		"$filter=department+eq+displayName":                   property,
		"$filter=department+in+('a',displayName)":             malformed,
		"$filter=department+eq+'a'+or+mail+eq+'a'":            property,
		"$filter=manager/displayName+eq+'a'":                  property,
		"$filter=proxyAddresses/any(p:p+eq+'smtp:a')":         property,
		"$filter=identities/any(c:c/issuerAssignedId+eq+'a')": property,
		"$filter=otherMails/$count+gt+0":                      malformed,
		"$filter=department+eq+'a":                            malformed,
		"$filter=department+eq+'a''":                          malformed,
		"$filter=(department+eq+'a'":                          malformed,
		"$filter=department+eq+'a')":                          malformed,
		"$filter=department+eq+'a'+displayName":               malformed,
		"$filter=department+eq+%22a%22":                       malformed,
		"$filter=":                                            malformed,
		"$filter=department+eq+@p&@p='a'":                     option,
		"$orderby=displayName":                                property,
		"orderby=surname+desc":                                property,
		"$orderBy=department,surname":                         property,
		"$orderby=manager/surname":                            property,
		"$orderby=department+sideways":                        malformed,
		"$orderby=length(displayName)":                        malformed,
		"$orderby=":                                           malformed,
	} {
		attempts = append(attempts, try(users+"?"+query, want, ""))
	}
	messages := b.sentPath(0)
	for query, want := range map[string]string{
		"$filter=contains(subject,'a')":                                        property,
		"$filter=from/emailAddress/address+eq+'a@b.example'":                   property,
		"$filter=body/content+eq+'a'":                                          property,
		"$filter=toRecipients/any(r:r/emailAddress/name+eq+'a')":               property,
		"$filter=singleValueExtendedProperties/any(p:p/id+eq+'String+0x0037')": property,
		"$expand=singleValueExtendedProperties($filter=id+eq+'String+0x0037')": option,
		"$expand=attachments":                                                  option,
		"$search=%22body:salary%22":                                            option,
		"$orderby=subject":                                                     property,
		"$top=1001":                                                            value,
		"$skip=1000001":                                                        value,
	} {
		attempts = append(attempts, try(messages+"?"+query, want, ""))
	}
	b.try(t, append(attempts,
		try(b.userPath(0)+"?$top=1", option, ""),
		try(b.userPath(0)+"?$expand=manager", option, ""),
		try(users+"?"+strings.Repeat("&a=1", 40), ambiguous, ""),
		try(users+"?$select="+strings.Repeat("a", 17<<10), "400 target_malformed", ""),
	))
}
