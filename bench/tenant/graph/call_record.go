package graph

import (
	"fmt"
	"net/http"
	"time"
)

// There are two call records for each user, newest first, of the last 30 days. Record n has 1 to 3 sessions and 2 participants, or 130
// of each when n%40 is 7.

const (
	manySessions = 130
	sessionPage  = 60 // graph-facts: "callRecords 60 (participants 130, sessions 60)"
)

// CallRecordCount returns the number of call records.
func (s *Server) CallRecordCount() int { return 2 * s.cfg.Users }

// CallRecordID returns the id of call record n, counted from the newest.
func (s *Server) CallRecordID(n int) string { return string(s.keys.guid(kindCall, uint64(n))) }

func (s *Server) sessions(n int) int {
	if n%40 == 7 {
		return manySessions
	}
	return 1 + n%3
}

func (s *Server) callTime(n int) time.Time {
	return newest.Add(-time.Duration(n) * (29 * 24 * time.Hour) / time.Duration(s.CallRecordCount()))
}

func (s *Server) callRecord(n int) record {
	return record{s: s, kind: kindCall, n: n, at: s.callTime(n), who: n / 2}
}

// callRecordTable has the structural properties of microsoft.graph.callRecords.callRecord in v1.0.
// Source: the v1.0 CSDL and callrecords-callrecord-get of the Graph reference.
var callRecordTable = lines("microsoft.graph.callRecords.callRecord", `
id: "${id}"
version: 1
type: "groupCall"
modalities: ["audio"]
lastModifiedDateTime: "${at 2400}"
startDateTime: "${at 0}"
endDateTime: "${at 1800}"
joinWebUrl: "${join}"
organizer: ${identity 0}
participants: [${identity 0},${identity 1},${identity 2}]
`, "", fillers{
	"id":   func(r *record, b []byte) []byte { return r.s.keys.appendGUID(b, kindCall, uint64(r.n)) },
	"join": func(r *record, b []byte) []byte { return r.s.appendJoinURL(b, r.who, 3*(r.n%2)) },
})

// organizerPart is what Graph adds to each record; its id may be a phone number.
var organizerPart = compile(`,"organizer_v2@odata.context":"${from}/$metadata#communications/callRecords('${id}')/organizer_v2/$entity","organizer_v2":{"id":"${participant}","administrativeUnitInfos":[{"id":"${guid}"}],"identity":${communications 0}}`, 301, fillers{
	"id":          func(r *record, b []byte) []byte { return r.s.keys.appendGUID(b, kindCall, uint64(r.n)) },
	"participant": participantID,
})

func participantID(r *record, b []byte) []byte {
	p := r.user(0)
	if r.turn()%5 == 2 {
		return p.appendPhone(b, 0)
	}
	return r.s.keys.appendGUID(b, kindUser, uint64(p.i))
}

// participantTable has the structural properties of microsoft.graph.callRecords.participant in v1.0.
var participantTable = lines("microsoft.graph.callRecords.participant", `
id: "${participant}"
identity: ${communications 0}
administrativeUnitInfos: [{"id":"${guid}"}]
`, "", fillers{"participant": participantID})

// sessionTable has the structural properties of microsoft.graph.callRecords.session in v1.0.
var sessionTable = lines("microsoft.graph.callRecords.session", `
id: "${guid}"
modalities: ["audio"]
startDateTime: "${at 0}"
endDateTime: "${at 1700}"
isTest: false
failureInfo: {"reason":"${text 3}","stage":"midcall"}
caller: ${caller}
callee: ${callee}
`, "", endpoints_)

// segmentTable has the structural properties of microsoft.graph.callRecords.segment in v1.0.
var segmentTable = lines("microsoft.graph.callRecords.segment", `
id: "${guid}"
startDateTime: "${at 0}"
endDateTime: "${at 1700}"
caller: ${caller}
callee: ${callee}
failureInfo: {"reason":"${text 3}","stage":"callSetup"}
media: ${media}
`, "", endpoints_)

// endpoints_ are caller and callee, which are people's devices or services, and what went between them.
var endpoints_ = fillers{
	"caller": compile(`{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint","name":"LAPTOP-${0.local}","cpuName":"CPU ${canary}","cpuCoresCount":8,"cpuProcessorSpeedInMhz":2400,"userAgent":{"@odata.type":"#microsoft.graph.callRecords.clientUserAgent","headerValue":"RTCC/7.0.0.0 ${canary}","applicationVersion":"1.0.${number 900} ${org}","azureADAppId":"${guid}","communicationServiceId":"${guid}","platform":"windows","productFamily":"teams"},"identity":${identity 0},"associatedIdentity":{"@odata.type":"#microsoft.graph.callRecords.userIdentity","id":"${0.id}","displayName":"${0.name}","userPrincipalName":"${0.upn}"},"feedback":{"rating":"poor","text":"${text 6}","tokens":{"NoSound":false,"OtherNoSound":true}}}`, 302, nil).write,
	"callee": func(r *record, b []byte) []byte {
		if r.n%2 == 0 {
			return serviceEndpoint.write(r, b)
		}
		return participantEndpoint.write(r, b)
	},
	"media": compile(`[{"calleeDevice":{"captureDeviceDriver":"${text 3}","captureDeviceName":"Headset of ${0.name}","captureNotFunctioningEventRatio":0.${number 90}1,"cpuInsufficentEventRatio":0.${number 90}1,"deviceClippingEventRatio":0.${number 90}1,"deviceGlitchEventRatio":0.${number 90}1,"howlingEventCount":${number 90},"initialSignalLevelRootMeanSquare":0.${number 90}1,"lowSpeechLevelEventRatio":0.${number 90}1,"lowSpeechToNoiseEventRatio":0.${number 90}1,"micGlitchRate":0.${number 90}1,"receivedNoiseLevel":${number 90},"receivedSignalLevel":${number 90},"renderDeviceDriver":"${text 3}","renderDeviceName":"Speakers of ${1.name}","renderMuteEventRatio":0.${number 90}1,"renderNotFunctioningEventRatio":0.${number 90}1,"renderZeroVolumeEventRatio":0.${number 90}1,"sentNoiseLevel":${number 90},"sentSignalLevel":${number 90},"speakerGlitchRate":0.${number 90}1},"calleeNetwork":{"bandwidthLowEventRatio":0.1,"basicServiceSetIdentifier":"00-00-${hex 1}-${canary}","connectionType":"unknown","delayEventRatio":0.${number 90}1,"dnsSuffix":"${0.local}.${domain}","ipAddress":"10.${number 255}.${number 255}.${number 255} ${canary}","linkSpeed":${number 90},"macAddress":"00-1b-${hex 1}-${canary}","networkTransportProtocol":"unknown","port":${number 90},"receivedQualityEventRatio":0.${number 90}1,"reflexiveIPAddress":"127.${number 255}.${number 255}.2 ${canary}","relayIPAddress":"52.${number 255}.${number 255}.2 ${canary}","relayPort":${number 90},"sentQualityEventRatio":0.${number 90}1,"subnet":"10.${number 255}.0.0 ${canary}","traceRouteHops":[{"hopCount":1,"ipAddress":"10.${number 255}.${canary}.1","roundTripTime":"PT0.02S"}],"wifiBand":"unknown","wifiBatteryCharge":${number 90},"wifiChannel":${number 90},"wifiMicrosoftDriver":"${text 3}","wifiMicrosoftDriverVersion":"${text 3}","wifiRadioType":"unknown","wifiSignalStrength":${number 90},"wifiVendorDriver":"${text 3}","wifiVendorDriverVersion":"${text 3}"},"callerDevice":{"captureDeviceDriver":"${text 3}","captureDeviceName":"Headset of ${0.name}","captureNotFunctioningEventRatio":0.${number 90}1,"cpuInsufficentEventRatio":0.${number 90}1,"deviceClippingEventRatio":0.${number 90}1,"deviceGlitchEventRatio":0.${number 90}1,"howlingEventCount":${number 90},"initialSignalLevelRootMeanSquare":0.${number 90}1,"lowSpeechLevelEventRatio":0.${number 90}1,"lowSpeechToNoiseEventRatio":0.${number 90}1,"micGlitchRate":0.${number 90}1,"receivedNoiseLevel":${number 90},"receivedSignalLevel":${number 90},"renderDeviceDriver":"${text 3}","renderDeviceName":"Speakers of ${1.name}","renderMuteEventRatio":0.${number 90}1,"renderNotFunctioningEventRatio":0.${number 90}1,"renderZeroVolumeEventRatio":0.${number 90}1,"sentNoiseLevel":${number 90},"sentSignalLevel":${number 90},"speakerGlitchRate":0.${number 90}1},"callerNetwork":{"bandwidthLowEventRatio":0.1,"basicServiceSetIdentifier":"00-00-${hex 1}-${canary}","connectionType":"unknown","delayEventRatio":0.${number 90}1,"dnsSuffix":"${0.local}.${domain}","ipAddress":"10.${number 255}.${number 255}.${number 255} ${canary}","linkSpeed":${number 90},"macAddress":"00-1b-${hex 1}-${canary}","networkTransportProtocol":"unknown","port":${number 90},"receivedQualityEventRatio":0.${number 90}1,"reflexiveIPAddress":"127.${number 255}.${number 255}.2 ${canary}","relayIPAddress":"52.${number 255}.${number 255}.2 ${canary}","relayPort":${number 90},"sentQualityEventRatio":0.${number 90}1,"subnet":"10.${number 255}.0.0 ${canary}","traceRouteHops":[{"hopCount":1,"ipAddress":"10.${number 255}.${canary}.1","roundTripTime":"PT0.02S"}],"wifiBand":"unknown","wifiBatteryCharge":${number 90},"wifiChannel":${number 90},"wifiMicrosoftDriver":"${text 3}","wifiMicrosoftDriverVersion":"${text 3}","wifiRadioType":"unknown","wifiSignalStrength":${number 90},"wifiVendorDriver":"${text 3}","wifiVendorDriverVersion":"${text 3}"},"label":"main-audio","streams":[{"audioCodec":"unknown","averageAudioDegradation":0.${number 90}1,"averageAudioNetworkJitter":"PT0.0${number 90}S","averageBandwidthEstimate":${number 90},"averageFreezeDuration":"PT0.0${number 90}S","averageJitter":"PT0.0${number 90}S","averagePacketLossRate":0.${number 90}1,"averageRatioOfConcealedSamples":0.${number 90}1,"averageReceivedFrameRate":0.${number 90}1,"averageRoundTripTime":"PT0.0${number 90}S","averageVideoFrameLossPercentage":0.${number 90}1,"averageVideoFrameRate":0.${number 90}1,"averageVideoPacketLossRate":0.${number 90}1,"endDateTime":"${at 3600}","isAudioForwardErrorCorrectionUsed":false,"lowFrameRateRatio":0.${number 90}1,"lowVideoProcessingCapabilityRatio":0.${number 90}1,"maxAudioNetworkJitter":"PT0.0${number 90}S","maxJitter":"PT0.0${number 90}S","maxPacketLossRate":0.${number 90}1,"maxRatioOfConcealedSamples":0.${number 90}1,"maxRoundTripTime":"PT0.0${number 90}S","packetUtilization":${number 90},"postForwardErrorCorrectionPacketLossRate":0.${number 90}1,"rmsFreezeDuration":"PT0.0${number 90}S","startDateTime":"${at 0}","streamDirection":"callerToCallee","streamId":"${guid}","videoCodec":"unknown","wasMediaBypassed":false}]}]`, 303, nil).write,
}

var (
	serviceEndpoint     = compile(`{"userAgent":{"role":"mediaController","headerValue":"RTCC/7.0 ${canary}","applicationVersion":"2 ${org}","@odata.type":"#microsoft.graph.callRecords.serviceUserAgent"},"@odata.type":"#microsoft.graph.callRecords.serviceEndpoint"}`, 304, nil)
	participantEndpoint = compile(`{"@odata.type":"#microsoft.graph.callRecords.participantEndpoint","name":"LAPTOP-${1.local}","cpuName":"CPU ${canary}","cpuCoresCount":8,"cpuProcessorSpeedInMhz":2400,"userAgent":{"@odata.type":"#microsoft.graph.callRecords.clientUserAgent","headerValue":"RTCC/7.0.0.0 ${canary}","applicationVersion":"1.0.${number 900} ${org}","azureADAppId":"${guid}","communicationServiceId":"${guid}","platform":"windows","productFamily":"teams"},"identity":${identity 1},"associatedIdentity":{"@odata.type":"#microsoft.graph.callRecords.userIdentity","id":"${1.id}","displayName":"${1.name}","userPrincipalName":"${1.upn}"},"feedback":{"rating":"poor","text":"${text 6}","tokens":{"NoSound":false,"OtherNoSound":true}}}`, 305, nil)
)

func (s *Server) listCallRecords(a *answer, t *target, q *query) *problem {
	l := &listing{target: t, context: "communications/callRecords" + contextFields(q), total: s.CallRecordCount()}
	l.person = func(n int) string { return s.UserID(n / 2) }
	start := column{instant, func(n int) string { return s.callTime(n).Format(time.RFC3339) }}
	if p := s.arrange(l, q, map[string]column{"startdatetime": start, "enddatetime": start}, ""); p != nil {
		return p
	}
	chosen, p := callRecordTable.choose(q.fields)
	if p != nil {
		return p
	}
	from := s.version(a.r)
	l.record = func(b []byte, n int) []byte {
		r := s.callRecord(n)
		r.from = from
		b = chosen.append(append(b, '{'), &r)
		if len(q.fields) == 0 {
			b = organizerPart.write(&r, b)
		}
		return append(b, '}')
	}
	return s.list(a, q, l)
}

func (s *Server) callRecordOf(t *target) (int, *problem) {
	n, ok := s.keys.position(kindCall, t.keys[0], s.CallRecordCount())
	if !ok {
		return 0, &problem{status: http.StatusNotFound, code: "NotFound", message: "Call record '" + t.keys[0] + "' not found."}
	}
	return n, nil
}

func (s *Server) getCallRecord(a *answer, t *target, q *query) *problem {
	n, p := s.callRecordOf(t)
	if p != nil {
		return p
	}
	with, p := q.expands("sessions", "participants_v2", "organizer_v2")
	if p != nil {
		return p
	}
	chosen, p := callRecordTable.choose(q.fields)
	if p != nil {
		return p
	}
	r := s.callRecord(n)
	r.from = s.version(a.r)
	a.entity("communications/callRecords"+contextFields(q), func(b []byte) []byte {
		b = chosen.append(b, &r)
		if len(q.fields) == 0 {
			b = organizerPart.write(&r, b)
		}
		if _, ok := with["participants_v2"]; ok {
			b = s.appendParticipants(a, b, n)
		}
		if nested, ok := with["sessions"]; ok {
			b = s.appendSessions(a, b, n, nested)
		}
		return b
	})
	return nil
}

// appendParticipants writes up to 130; where there are more, the link is the one of the docs' example, whose path is a fragment
// (graph-facts: "do not parse naively").
func (s *Server) appendParticipants(a *answer, b []byte, n int) []byte {
	of := "communications/callRecords('" + s.CallRecordID(n) + "')/participants_v2"
	b = append(b, `,"participants_v2@odata.context":`...)
	b = appendString(b, s.metadata(a.r)+of)
	count := 2 + n%3
	if n%40 == 7 {
		count = manySessions
		b = append(b, `,"participants_v2@odata.nextLink":`...)
		b = appendString(b, s.metadata(a.r)+of+"?$skiptoken="+s.UserID(n/2))
	}
	b = append(b, `,"participants_v2":[`...)
	for k := range count {
		if k > 0 {
			b = append(b, ',')
		}
		r := record{s: s, kind: kindCall, a: n + 1, n: k, at: s.callTime(n), who: (n/2 + k) % s.cfg.Users}
		b = append(participantTable.properties.append(append(b, '{'), &r), '}')
	}
	return append(b, ']')
}

func (s *Server) appendSessions(a *answer, b []byte, n int, nested string) []byte {
	path := "communications/callRecords/" + s.CallRecordID(n) + "/sessions"
	b = append(b, `,"sessions@odata.context":`...)
	b = appendString(b, s.metadata(a.r)+"communications/callRecords('"+s.CallRecordID(n)+"')/sessions")
	count := s.sessions(n)
	if count > sessionPage {
		l, q := s.sessionListing(a, n, nested), &query{}
		link := s.version(a.r) + "/" + path + "?$skiptoken=" + s.token(l, q, sessionPage)
		if nested != "" {
			link = s.version(a.r) + "/" + path + "?" + nested + "&$skiptoken=" + s.token(l, q, sessionPage)
		}
		b = append(b, `,"sessions@odata.nextLink":`...)
		b = appendString(b, link)
		count = sessionPage
	}
	b = append(b, `,"sessions":[`...)
	for k := range count {
		if k > 0 {
			b = append(b, ',')
		}
		b = s.appendSession(a, b, n, k, nested)
	}
	return append(b, ']')
}

func (s *Server) appendSession(a *answer, b []byte, n, k int, nested string) []byte {
	r := record{s: s, kind: kindCall, a: n + 1, n: k, at: s.callTime(n).Add(time.Duration(k) * time.Minute), who: (n/2 + k) % s.cfg.Users}
	b = sessionTable.properties.append(append(b, '{'), &r)
	if nested == "$expand=segments" {
		b = append(b, `,"segments@odata.context":`...)
		b = appendString(b, s.metadata(a.r)+"communications/callRecords('"+s.CallRecordID(n)+"')/sessions('"+fmt.Sprint(k)+"')/segments")
		b = append(segmentTable.properties.append(append(b, `,"segments":[{`...), &r), `}]`...)
	}
	return append(b, '}')
}

func (s *Server) sessionListing(a *answer, n int, nested string) *listing {
	return &listing{target: &target{endpoint: &endpoint{service: calls}}, total: s.sessions(n),
		context: "communications/callRecords('" + s.CallRecordID(n) + "')/sessions",
		person:  func(int) string { return s.UserID(n / 2) },
		record:  func(b []byte, k int) []byte { return s.appendSession(a, b, n, k, nested) }}
}

// listSessions answers what is behind sessions@odata.nextLink, or all sessions.
func (s *Server) listSessions(a *answer, t *target, q *query) *problem {
	n, p := s.callRecordOf(t)
	if p != nil {
		return p
	}
	with, p := q.expands("segments")
	if p != nil {
		return p
	}
	nested := ""
	if with != nil {
		nested = "$expand=segments"
	}
	l := s.sessionListing(a, n, nested)
	l.target = t
	if p := s.arrange(l, q, nil, ""); p != nil {
		return p
	}
	return s.list(a, q, l)
}

// SessionCount returns the number of sessions of call record n.
func (s *Server) SessionCount(n int) int { return s.sessions(n) }
