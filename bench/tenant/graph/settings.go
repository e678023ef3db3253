package graph

import "time"

// settingsTable has the structural properties of microsoft.graph.mailboxSettings in v1.0; all are standard. Source: the v1.0 CSDL.
var settingsTable = newTable("microsoft.graph.mailboxSettings", settingsProperties, nil)

var settingsProperties = []property[person]{
	{"archiveFolder", func(p *person, b []byte) []byte {
		return append(p.s.keys.appendFolderID(append(b, '"'), p.i, int(archive)), '"')
	}},
	{"timeZone", oneOf(300, `"W. Europe Standard Time"`, `"Tokyo Standard Time"`, `"Pacific Standard Time"`, `"UTC"`)},
	{"delegateMeetingMessageDeliveryOptions", oneOf(301, `"sendToDelegateOnly"`, `"sendToDelegateAndPrincipal"`)},
	{"dateFormat", oneOf(302, `"yyyy-MM-dd"`, `"M/d/yyyy"`)},
	{"timeFormat", oneOf(303, `"HH:mm"`, `"h:mm tt"`)},
	{"userPurpose", oneOf(304, `"user"`, `"user"`, `"user"`, `"shared"`, `"room"`)},
	{"automaticRepliesSetting", (*person).automaticReplies},
	{"language", oneOf(305, `{"locale":"en-US","displayName":"English (United States)"}`, `{"locale":"ja-JP","displayName":"日本語 (日本)"}`)},
	{"workingHours", (*person).workingHours},
}

func (p *person) automaticReplies(b []byte) []byte {
	d := p.s.keys.dice(kindUser, p.i, 306)
	b = append(b, `{"status":`...)
	b = append(b, pick(&d, []string{`"disabled"`, `"alwaysEnabled"`, `"scheduled"`})...)
	b = append(b, `,"externalAudience":"contactsOnly","internalReplyMessage":"<html>\n<body>\n<div>`...)
	b = p.absence(b, &d, 12)
	b = append(b, `</div>\n</body>\n</html>\n","externalReplyMessage":"<html>\n<body>\n<div>`...)
	b = p.absence(b, &d, 8)
	start := newest.Add(time.Duration(d.below(400)) * time.Hour).Truncate(time.Hour)
	b = appendZoned(append(b, `</div>\n</body>\n</html>\n","scheduledStartDateTime":`...), start)
	b = appendZoned(append(b, `,"scheduledEndDateTime":`...), start.AddDate(0, 0, 14))
	return append(b, '}')
}

func (p *person) absence(b []byte, d *dice, words int) []byte {
	b = appendSentence(b, d, words)
	b = p.appendDisplayName(append(b, ` In urgent cases call `...))
	return p.appendPhone(append(b, ", "...), 1)
}

// workingHours has a zone that the user named, now and then.
func (p *person) workingHours(b []byte) []byte {
	b = append(b, `{"daysOfWeek":["monday","tuesday","wednesday","thursday","friday"],"startTime":"08:00:00.0000000","endTime":"17:00:00.0000000","timeZone":{`...)
	if p.i%6 != 4 {
		return append(b, `"name":"W. Europe Standard Time"}}`...)
	}
	b = append(b, `"@odata.type":"#microsoft.graph.customTimeZone","name":"Customized Time Zone`...)
	b = appendMark(b, p.s.cfg.Canary)
	return append(b, `","bias":-120,"standardOffset":null,"daylightOffset":null}}`...)
}

// appendSettings writes all settings as the value of user.mailboxSettings.
func appendSettings(p *person, b []byte) []byte {
	return append(selection[person](settingsProperties).append(append(b, '{'), p), '}')
}

func (s *Server) getSettings(a *answer, t *target, q *query) *problem {
	i, p := s.user(t)
	if p != nil {
		return p
	}
	chosen, p := settingsTable.choose(q.fields)
	if p != nil {
		return p
	}
	u := s.person(i)
	a.complex(keyIn("users", t.keys[0])+"/mailboxSettings"+contextFields(q), func(b []byte) []byte { return chosen.append(b, &u) })
	return nil
}
