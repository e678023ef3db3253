package graph

import (
	"encoding/base64"
	"encoding/binary"
)

// The functions below make the values of userTable. A number n tells the dice of one property from another's.

func raw[T any](json string) func(*T, []byte) []byte {
	return func(_ *T, b []byte) []byte { return append(b, json...) }
}

// quote makes a property of a text that may need escapes.
func quote(text func(*person, []byte) []byte) func(*person, []byte) []byte {
	return func(p *person, b []byte) []byte {
		var buffer [160]byte
		return appendString(b, string(text(p, buffer[:0])))
	}
}

func guidOf(n kind) func(*person, []byte) []byte {
	return func(p *person, b []byte) []byte {
		return append(p.s.keys.appendGUID(append(b, '"'), n, uint64(p.i)), '"')
	}
}

// shared is a value that many people have in common.
func shared(n int, values ...string) func(*person, []byte) []byte {
	return func(p *person, b []byte) []byte {
		d := p.s.keys.dice(kindUser, p.i, n)
		b = append(append(b, '"'), pick(&d, values)...)
		return append(appendMark(b, p.s.cfg.OrgCanary), '"')
	}
}

func oneOf(n int, values ...string) func(*person, []byte) []byte {
	return func(p *person, b []byte) []byte {
		d := p.s.keys.dice(kindUser, p.i, n)
		return append(b, pick(&d, values)...)
	}
}

// written is a text by the user.
func written(n, words int) func(*person, []byte) []byte {
	return func(p *person, b []byte) []byte {
		d := p.s.keys.dice(kindUser, p.i, n)
		b = appendSentence(append(b, '"'), &d, words)
		return append(appendMark(b, p.s.cfg.Canary), '"')
	}
}

func moment(n, back, span int) func(*person, []byte) []byte {
	return func(p *person, b []byte) []byte { return appendQuotedTime(b, p.moment(n, back, span)) }
}

func list(items ...func(*person, []byte) []byte) func(*person, []byte) []byte {
	return func(p *person, b []byte) []byte {
		b = append(b, '[')
		for i, item := range items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item(p, b)
		}
		return append(b, ']')
	}
}

func appendMark(b []byte, word string) []byte {
	if word == "" {
		return b
	}
	return append(append(b, ' '), word...)
}

func (p *person) quoted(b []byte, text string) []byte { return appendString(b, text+p.s.cfg.Canary) }

func (p *person) givenName(b []byte) []byte { return p.quoted(b, p.given.display) }
func (p *person) surname(b []byte) []byte   { return p.quoted(b, p.family.display) }

func (p *person) businessPhones(b []byte) []byte {
	return append(p.appendPhone(append(b, `["`...), 0), `"]`...)
}

func (p *person) mobilePhone(b []byte) []byte {
	if p.i%5 == 3 {
		return append(b, `null`...)
	}
	return append(p.appendPhone(append(b, '"'), 1), '"')
}

func (p *person) accountEnabled(b []byte) []byte {
	if p.i%11 == 6 {
		return append(b, `false`...)
	}
	return append(b, `true`...)
}

func (p *person) createdDateTime(b []byte) []byte { return appendQuotedTime(b, p.moment(42, 30, 3000)) }

func (p *person) userType(b []byte) []byte {
	if p.guest {
		return append(b, `"Guest"`...)
	}
	return append(b, `"Member"`...)
}

func (p *person) creationType(b []byte) []byte {
	if p.guest {
		return append(b, `"Invitation"`...)
	}
	return append(b, `null`...)
}

func (p *person) externalUserState(b []byte) []byte {
	if p.guest {
		return append(b, `"Accepted"`...)
	}
	return append(b, `null`...)
}

func (p *person) authorizationInfo(b []byte) []byte {
	b = p.appendUPN(append(b, `{"certificateUserIds":["X509:<PN>`...))
	return append(b, `"]}`...)
}

func (p *person) customSecurityAttributes(b []byte) []byte {
	b = append(b, `{"Engineering":{"@odata.type":"#microsoft.graph.customSecurityAttributeValue","Project@odata.type":"#Collection(String)","Project":[`...)
	b = append(written(50, 2)(p, b), `],"Clearance":`...)
	return append(written(51, 1)(p, b), `}}`...)
}

func (p *person) employeeOrgData(b []byte) []byte {
	b = append(b, `{"costCenter":`...)
	b = shared(52, "1110", "4520", "7003")(p, b)
	b = append(b, `,"division":`...)
	return append(shared(53, "Europe", "Americas", "Asia")(p, b), '}')
}

func (p *person) identities(b []byte) []byte {
	b = append(b, `[{"signInType":"userPrincipalName","issuer":"`...)
	b = append(b, p.s.cfg.Domain...)
	b = append(b, `","issuerAssignedId":"`...)
	return append(p.appendUPN(b), `"}]`...)
}

func (p *person) licenseAssignmentStates(b []byte) []byte {
	b = append(b, `[{"skuId":"6fd2c87f-b296-42f0-b197-1e91e994b900","disabledPlans":["11651c23-8f52-4ba6-9d3f-8e0f7ef0c3a1"],"assignedByGroup":"`...)
	b = p.s.keys.appendGUID(b, kindGroup, 0)
	return append(b, `","state":"Active","error":"None","lastUpdatedDateTime":"2025-11-02T08:14:05Z"}]`...)
}

func (p *person) mySite(b []byte) []byte {
	b = p.appendLocal(append(b, `"https://contoso-my.sharepoint.example/personal/`...))
	return append(b, `/"`...)
}

func (p *person) distinguishedName(b []byte) []byte {
	b = p.appendDisplayName(append(b, `"CN=`...))
	return append(b, `,OU=Staff,DC=corp,DC=contoso,DC=example"`...)
}

func (p *person) extensionAttributes(b []byte) []byte {
	for n := range 15 {
		separator := `,"extensionAttribute`
		if n == 0 {
			separator = `{"extensionAttribute`
		}
		b = append(appendInt(append(b, separator...), n+1), `":`...)
		b = written(60+n, 2)(p, b)
	}
	return append(b, '}')
}

func (p *person) appendImmutableID(b []byte) []byte {
	d := p.s.keys.dice(kindUser, p.i, 54)
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], d.next())
	binary.BigEndian.PutUint64(id[8:], d.next())
	return base64.StdEncoding.AppendEncode(b, id[:])
}

func (p *person) provisioningErrors(b []byte) []byte {
	if p.i%3 != 0 {
		return append(b, `[]`...)
	}
	b = append(b, `[{"category":"PropertyConflict","occurredDateTime":"2026-02-11T06:30:00Z","propertyCausingError":"ProxyAddresses","value":"SMTP:`...)
	return append(p.appendMail(b), `"}]`...)
}

func (p *person) serviceErrors(b []byte) []byte {
	if p.i%3 != 0 {
		return append(b, `[]`...)
	}
	b = append(b, `[{"@odata.type":"#microsoft.graph.serviceProvisioningXmlError","createdDateTime":"2026-02-11T06:30:00Z","isResolved":false,"serviceInstance":"exchange/eurprd04","errorDetail":"<Error><Owner>`...)
	return append(p.appendUPN(b), `</Owner></Error>"}]`...)
}

func privateMail(p *person, b []byte) []byte {
	return append(p.appendLocal(append(b, '"')), `@mail.example"`...)
}

func (p *person) passwordProfile(b []byte) []byte {
	b = append(b, `{"forceChangePasswordNextSignIn":false,"forceChangePasswordNextSignInWithMfa":false,"password":`...)
	return append(written(55, 1)(p, b), '}')
}

func (p *person) postalCode(b []byte) []byte {
	d := p.s.keys.dice(kindUser, p.i, 56)
	b = appendInt(append(b, '"'), 10000+d.below(89999))
	return append(appendMark(b, p.s.cfg.OrgCanary), '"')
}

func (p *person) streetAddress(b []byte) []byte {
	d := p.s.keys.dice(kindUser, p.i, 57)
	b = appendInt(append(b, '"'), 1+d.below(300))
	b = append(append(b, ' '), pick(&d, []string{"Harbour Street", "Mill Lane", "Rue des Écoles", "Station Road"})...)
	return append(appendMark(b, p.s.cfg.Canary), '"')
}

func (p *person) proxyAddresses(b []byte) []byte {
	b = p.appendMail(append(b, `["SMTP:`...))
	b = p.appendLocal(append(b, `","smtp:`...))
	b = append(append(b, `@alias.`...), p.s.cfg.Domain...)
	b = p.appendUPN(append(b, `","SIP:`...))
	b = p.appendLocal(append(b, `","X500:/o=ExchangeLabs/ou=Exchange Administrative Group/cn=Recipients/cn=`...))
	return append(b, `"]`...)
}

func (p *person) signInActivity(b []byte) []byte {
	for n, name := range []string{"lastSignIn", "lastNonInteractiveSignIn", "lastSuccessfulSignIn"} {
		separator := `,"`
		if n == 0 {
			separator = `{"`
		}
		b = append(append(append(b, separator...), name...), `DateTime":`...)
		b = appendQuotedTime(b, p.moment(90+n, 0, 20))
		b = append(append(append(b, `,"`...), name...), `RequestId":"`...)
		b = append(p.s.keys.appendGUID(b, kindSecret, uint64(p.i)<<2|uint64(n)), '"')
	}
	return append(b, '}')
}
