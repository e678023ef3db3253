package graph

import (
	"strconv"
	"time"
)

// The functions below make the values of messageTable.

// sender is the owner, or for received mail somebody else.
func (m *mail) sender() person {
	s := m.owner.s
	if m.folder == sentItems || m.folder == drafts {
		return m.owner
	}
	d := m.dice(0)
	return s.person(d.below(s.cfg.Users))
}

// appendRecipient writes a recipient: a user, or one time in eight an outside address of the same name.
func appendRecipient(b []byte, p *person, outside bool) []byte {
	b = p.appendDisplayName(append(b, `{"emailAddress":{"name":"`...))
	b = append(b, `","address":"`...)
	if outside {
		b = append(append(p.appendLocal(b), '@'), partnerDomain...)
	} else {
		b = p.appendMail(b)
	}
	return append(b, `"}}`...)
}

func (m *mail) from(b []byte) []byte {
	sender := m.sender()
	return appendRecipient(b, &sender, false)
}

// to begins with the owner for received mail.
func (m *mail) to(b []byte) []byte {
	b = append(b, '[')
	if m.folder != sentItems && m.folder != drafts {
		b = append(appendRecipient(b, &m.owner, false), ',')
	}
	d := m.dice(4)
	b = m.people(b, &d, 1+d.below(3))
	return append(b, ']')
}

// some is a list of up to most recipients, often empty.
func (m *mail) some(b []byte, n, most int) []byte {
	d := m.dice(n)
	b = append(b, '[')
	if d.below(3) == 0 {
		b = m.people(b, &d, 1+d.below(most))
	}
	return append(b, ']')
}

func (m *mail) people(b []byte, d *dice, count int) []byte {
	s := m.owner.s
	for n := range count {
		if n > 0 {
			b = append(b, ',')
		}
		p := s.person(d.below(s.cfg.Users))
		b = appendRecipient(b, &p, d.below(8) == 0)
	}
	return b
}

func (m *mail) categories(b []byte) []byte {
	if m.position%16 != 5 {
		return append(b, `[]`...)
	}
	b = appendMark(append(b, `["Red category","Customer visit`...), m.owner.s.cfg.Canary)
	return append(b, `"]`...)
}

// internetMessageID is made by a server, names nobody and is known to all who
// received the message.
func (m *mail) internetMessageID(b []byte) []byte {
	d := m.dice(5)
	b = append(b, `"<AM0PR04MB`...)
	b = strconv.AppendUint(b, d.next(), 16)
	b = append(b, m.owner.s.cfg.OrgCanary...)
	return append(b, `@AM0PR04MB5523.eurprd04.prod.outlook.com>"`...)
}

// webLink ends in the message id with its "=" escaped; the canary, if any, is in a parameter of its own.
func (m *mail) webLink(b []byte) []byte {
	b = append(b, `"https://outlook.office365.com/owa/?ItemID=`...)
	b = m.owner.s.keys.appendMessageID(b, m.owner.i, m.position)
	b = append(b[:len(b)-1], `%3D&exvsurl=1&viewmodel=ReadMessageItem`...)
	if word := m.owner.s.cfg.Canary; word != "" {
		b = append(append(b, `&realm=`...), word...)
	}
	return append(b, '"')
}

// greetings put other scripts and symbols into subjects and texts.
var greetings = []string{"", "", "RE: ", "RE: ", "FW: ", "AW: ", "回复: ", "🚀 ", "¡Urgente! "}

// appendSubject writes JSON string content.
func (m *mail) appendSubject(b []byte) []byte {
	d := m.dice(6)
	b = append(b, pick(&d, greetings)...)
	return appendMark(appendSentence(b, &d, 3+d.below(5)), m.owner.s.cfg.Canary)
}

// bodyPreview is the beginning of the text, cut after 255 UTF-16 units: where that splits a character, Graph sends half of it as an
// unpaired surrogate escape.
func (m *mail) bodyPreview(b []byte) []byte {
	d := m.dice(7)
	b = m.appendParagraph(append(b, '"'), &d, 14+d.below(18))
	switch m.position % 24 {
	case 1:
		b = append(b, ` 👍 ご確認ください。\ud83d`...)
	case 5:
		b = append(b, ` \udc4d`...)
	case 9:
		b = append(b, ` Merci 😀 — à bientôt`...)
	}
	return append(b, '"')
}

func (m *mail) appendParagraph(b []byte, d *dice, words int) []byte {
	b = appendSentence(b, d, words)
	return appendMark(b, m.owner.s.cfg.Canary)
}

const (
	bodyHead = `<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\"><style type=\"text/css\" style=\"display:none\">\r\n<!--\r\np\r\n\t{margin-top:0;\r\n\tmargin-bottom:0}\r\n-->\r\n</style></head><body dir=\"ltr\">`
	bodyPara = `<div class=\"elementToProof\" style=\"font-family:Aptos,Arial,sans-serif; font-size:12pt; color:rgb(0,0,0)\">`
)

// body is about 2 KB of HTML, or the same words as text.
func (m *mail) body(b []byte) []byte {
	d := m.dice(7) // as bodyPreview, which is its beginning
	head, open, end, tail := bodyHead, bodyPara, `</div>\r\n`, `</body></html>`
	kind := `html`
	if m.text {
		head, open, end, tail, kind = ``, ``, `\r\n`, ``, `text`
	}
	b = append(append(append(b, `{"contentType":"`...), kind...), `","content":"`...)
	b = append(b, head...)
	for range 6 {
		b = append(b, open...)
		b = m.appendParagraph(b, &d, 14+d.below(18))
		b = append(b, end...)
	}
	sender := m.sender()
	b = sender.appendDisplayName(append(append(b, open...), `Best regards 🙂, `...))
	b = append(sender.appendPhone(append(b, `, `...), 0), end...)
	return append(append(b, tail...), `"}`...)
}

func (m *mail) flag(b []byte) []byte {
	switch m.position % 10 {
	case 5:
		due := m.time.AddDate(0, 0, 3)
		b = appendZoned(append(b, `{"flagStatus":"flagged","startDateTime":`...), m.time)
		return append(appendZoned(append(b, `,"dueDateTime":`...), due), '}')
	case 9:
		b = appendZoned(append(b, `{"flagStatus":"complete","completedDateTime":`...), m.time.Add(5*time.Hour))
		return append(b, '}')
	}
	return append(b, `{"flagStatus":"notFlagged"}`...)
}

// headers are those that the transport added, with addresses in them.
func (m *mail) headers(b []byte) []byte {
	sender := m.sender()
	b = append(b, `[{"name":"Received","value":"from AM0PR04MB5523.eurprd04.prod.outlook.com ([2603:10a6:208:11b::21]) by AM0PR04MB5523 with Microsoft SMTP Server; `...)
	b = m.time.AppendFormat(b, time.RFC1123Z)
	b = sender.appendDisplayName(append(b, `"},{"name":"From","value":"`...))
	b = sender.appendMail(append(b, ` <`...))
	b = append(b, `>"},{"name":"Subject","value":"`...)
	b = m.appendSubject(b)
	b = sender.appendMail(append(b, `"},{"name":"Return-Path","value":"`...))
	b = append(b, `"},{"name":"X-Originating-IP","value":"[10.`...)
	d := m.dice(8)
	b = appendInt(b, d.below(256))
	b = appendInt(append(b, '.'), d.below(256))
	b = appendInt(append(b, '.'), 1+d.below(254))
	return append(b, `]"}]`...)
}
