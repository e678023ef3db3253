package sanitize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/graphveil/graphveil/bench/peers"
	"github.com/graphveil/graphveil/policy/plan"
)

// page is a body as Graph sends it, with the kind of plan it gets.
type page struct {
	body []byte
	plan *plan.Plan
}

func pages() map[string]page {
	return map[string]page{"messages": messagesPage(100), "users": usersPage(400)}
}

// messagesPage is a page of n Outlook messages with all default properties and
// HTML bodies of about 2 KB.
func messagesPage(n int) page {
	html := "<html><head>\\r\\n<meta http-equiv=\\\"Content-Type\\\" content=\\\"text/html; charset=utf-8\\\"></head><body>"
	for i := 0; len(html) < 1950; i++ {
		html += fmt.Sprintf("<p class=\\\"MsoNormal\\\" style=\\\"margin:0 0 8px 0\\\">Dear all, please find item %d of the plan for next week below; the caf\u00e9 is booked.</p>\\r\\n", i)
	}
	html += "</body></html>"
	address := func(i int) string {
		return fmt.Sprintf(`{"emailAddress":{"name":"Person Number %d","address":"person.%d@tenant.example"}}`, i, i)
	}
	var b strings.Builder
	b.WriteString(`{"@odata.context":"https://graph.example/v1.0/$metadata#users('48d31887-5fad-4d73-a9f5-3c356e68a038')/messages","value":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		id := fmt.Sprintf("AAMkAGI2TGuLAAB%0137d=", i)
		fmt.Fprintf(&b, `{"@odata.etag":"W/\"CQAAABYAAAC4ofQHEIqCSbQPot83AFcb%06d\"","id":"%s","createdDateTime":"2024-03-%02dT08:15:30Z","lastModifiedDateTime":"2024-03-%02dT08:15:31Z",`, i, id, i%28+1, i%28+1)
		fmt.Fprintf(&b, `"changeKey":"CQAAABYAAAC4ofQHEIqCSbQPot83AFcbAAAnAd%06d","categories":["Red category"],"receivedDateTime":"2024-03-%02dT08:15:31Z","sentDateTime":"2024-03-%02dT08:15:29Z","hasAttachments":%v,`, i, i%28+1, i%28+1, i%3 == 0)
		fmt.Fprintf(&b, `"internetMessageId":"<CAF%08d=abcdefgh@mail.tenant.example>","subject":"Weekly plan, revision %d","bodyPreview":"%s","importance":"normal","parentFolderId":"%s",`, i, i, strings.Repeat("Dear all, please find the items below. ", 6), id)
		fmt.Fprintf(&b, `"conversationId":"AAQkAGI2TGuL%060d=","conversationIndex":"AQHZ%020d","isDeliveryReceiptRequested":null,"isReadReceiptRequested":false,"isRead":%v,"isDraft":false,`, i, i, i%2 == 0)
		fmt.Fprintf(&b, `"webLink":"https://outlook.example/owa/?ItemID=%s&exvsurl=1&viewmodel=ReadMessageItem","inferenceClassification":"focused","body":{"contentType":"html","content":"%s"},`, id, html)
		fmt.Fprintf(&b, `"sender":%s,"from":%s,"toRecipients":[%s,%s,%s],"ccRecipients":[%s],"bccRecipients":[],"replyTo":[],"flag":{"flagStatus":"notFlagged"}}`,
			address(i), address(i), address(i+1), address(i+2), address(i+3), address(i+4))
	}
	b.WriteString(`],"@odata.nextLink":"https://graph.example/v1.0/users/48d31887-5fad-4d73-a9f5-3c356e68a038/messages?%24top=100&%24skip=100"}`)

	recipient := func() *plan.Node {
		return nObject(fields{"emailAddress": nObject(fields{"name": nDrop(), "address": nHash()})})
	}
	message := fields{"id": nBack(), "subject": nDrop(), "bodyPreview": nDrop(), "body": nDrop(), "webLink": nDrop(), "internetMessageId": nHash(),
		"sender": recipient(), "from": recipient(), "toRecipients": nArray(recipient()), "ccRecipients": nArray(recipient()), "bccRecipients": nArray(recipient()),
		"replyTo": nArray(recipient()), "categories": nDrop(), "flag": nObject(fields{"flagStatus": nKeep(), "startDateTime": nDrop()})}
	for _, name := range []string{"@odata.etag", "createdDateTime", "lastModifiedDateTime", "changeKey", "receivedDateTime", "sentDateTime", "hasAttachments", "importance",
		"parentFolderId", "conversationId", "conversationIndex", "isDeliveryReceiptRequested", "isReadReceiptRequested", "isRead", "isDraft", "inferenceClassification"} {
		message[name] = nKeep()
	}
	return page{[]byte(b.String()), newPlan(nObject(fields{"@odata.context": nKeep(), "value": nArray(nObject(message)), "@odata.nextLink": nLink()}))}
}

// usersPage is a page of n users with the default properties.
func usersPage(n int) page {
	var b strings.Builder
	b.WriteString(`{"@odata.context":"https://graph.example/v1.0/$metadata#users","value":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"businessPhones":["+1 555 010 %04d"],"displayName":"Person Number %d","givenName":"Person","jobTitle":null,"mail":"person.%d@tenant.example","mobilePhone":null,`, i, i, i)
		fmt.Fprintf(&b, `"officeLocation":"18/2111","preferredLanguage":"en-US","surname":"Number","userPrincipalName":"person.%d@tenant.example","id":"48d31887-5fad-4d73-a9f5-%012d","accountEnabled":true,"department":"Sales %d"}`, i, i, i%7)
	}
	b.WriteString(`]}`)
	user := fields{"id": nBack(), "mail": nHash(), "userPrincipalName": nHash()}
	for _, name := range []string{"businessPhones", "displayName", "givenName", "mobilePhone", "surname"} {
		user[name] = nDrop()
	}
	for _, name := range []string{"jobTitle", "officeLocation", "preferredLanguage", "accountEnabled", "department"} {
		user[name] = nKeep()
	}
	return page{[]byte(b.String()), newPlan(nObject(fields{"@odata.context": nKeep(), "value": nArray(nObject(user))}))}
}

// run rewrites a body cut into chunks of a size.
func run(r *Rewriter, out []byte, p page, tokens Tokens, size int) ([]byte, error) {
	r.Reset(p.plan, tokens)
	var err error
	for rest := p.body; len(rest) > 0; {
		n := min(size, len(rest))
		if out, err = r.Append(out, rest[:n]); err != nil {
			return out, err
		}
		rest = rest[n:]
	}
	return r.Finish(out)
}

// shapes are small bodies with plans of all that goes beyond a value at a time.
func shapes() map[string]page {
	all := map[string]page{}
	// The shapes of connectors: phrases, steps, digests, open objects, and a choice
	// of shape by what comes first, last or not at all.
	event := nSelect("@odata.type", cases{"event": nObject(fields{"subject": nDigest(nPhrases("Focus Time", "prep", "1:1")), "id": nDo(plan.StepTokenize),
		"attendees": nCompact(nArray(nDo(plan.StepPseudonym))), "@odata.type": nKeep(), "notes": nDigest(nDrop()), "more": nAny(), "count": nDo(plan.StepInteger),
		"both": nRun(plan.Step{Do: plan.StepTokenize}, plan.Step{Do: plan.StepHash})})}, nObject(fields{"id": nKeep()}))
	members := `"subject":"Focus Time, then pr\u0065p","id":"19:x_y@thread","attendees":["a",null," ","b"],"notes":"one two three","more":{"a":[1,{"b":"c"}]},"count":12.5,"both":"x"`
	all["choices"] = page{
		body: []byte(`{"value":[{"@odata.type":"event",` + members + `},{` + members + `,"@odata.type":"event"},{` + members + `}]}`),
		plan: newPlan(nObject(fields{"value": nArray(event)})),
	}
	inJSON := nObject(fields{"text": nDo(plan.StepDigest), "id": nHash(), "more": nAny()})
	all["inside of values"] = page{
		body: []byte(`{"json":"{\"id\":\"x\",\"more\":[1.50,{\"a\":\"b\"}]}","strict":"{\"text\":\"a b\"}","lenient":"{text:a b,more:'c'}","probe":[{"a":1},{"b":2}],"all":{"x":1,"y":2}}`),
		plan: newPlan(nObject(fields{"json": nInJSON(inJSON), "strict": nInner(inJSON), "lenient": nInner(inJSON),
			"probe": nIfFound(nArray(nObject(fields{"b": nKeep()})), nAny(), nil), "all": nIfAll([]string{"x", "y"}, nAny(), nil)})),
	}
	psoxy := newPlan(nAny())
	psoxy.Psoxy = true
	all["psoxy"] = page{body: []byte(`{"a":[1.10,-0,"\ud83d x","y"]} {"b":null}`), plan: psoxy}
	return all
}

// Steady state: nothing is allocated, at any chunking.
func TestNoAllocations(t *testing.T) {
	all := pages()
	// All that can be done with a value, also with escapes and unknown names. (Only
	// hashing a number beyond the doubles makes strconv allocate its error.)
	every := page{
		body: []byte(`{"k":["a\u00e9",1.5,true],"h":["\u0061",2.50,-0.00012e-7,12345678901234567890.5],"b":["x\n"],"j":["x","\""],"o":[7],"l":["https:\/\/graph.example/x"],` +
			`"m":["SMTP:\u0061"],"d":{"x":{"y":1,"z":2},"\u0078y":[]},"unknown":{"a":1},"\u0075n2":0,"Dr. No":5,"z":null}`),
		plan: newPlan(nObject(fields{"k": nArray(nKeep()), "h": nArray(nHash()), "b": nArray(nBack()), "j": nArray(nJSON()), "o": nArray(nOriginal()),
			"l": nArray(nLink()), "m": nArray(nMatch(smtp)), "d": nDrop(), "z": nObject(nil)})),
	}
	all["every operation"] = every
	maps.Copy(all, shapes())
	for name, p := range all {
		for _, size := range []int{1 << 30, 16 << 10, 100, 1} {
			r := New(Limits{})
			tokens := &fakeTokens{}
			out := make([]byte, 0, 2*len(p.body)+1000)
			f := func() {
				if _, err := run(r, out, p, tokens, size); err != nil {
					t.Fatal(err)
				}
			}
			f()
			if n := testing.AllocsPerRun(5, f); n != 0 {
				t.Errorf("%s in chunks of %d: %v allocations", name, size, n)
			}
		}
	}
}

func BenchmarkRewriter(b *testing.B) {
	for name, p := range pages() {
		for _, size := range []int{1 << 30, 16 << 10, 1 << 10, 100} {
			chunks := fmt.Sprint(size)
			if size >= len(p.body) {
				chunks = "whole"
			}
			b.Run(name+"/"+chunks, func(b *testing.B) {
				r := New(Limits{})
				tokens := &fakeTokens{}
				var out []byte
				b.SetBytes(int64(len(p.body)))
				b.ReportAllocs()
				for b.Loop() {
					var err error
					if out, err = run(r, out[:0], p, tokens, size); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkShapes runs the bodies of shapes, many times over.
func BenchmarkShapes(b *testing.B) {
	for name, p := range shapes() {
		b.Run(name, func(b *testing.B) {
			// A sequence of texts is what only Psoxy reads.
			p := page{bytes.Repeat(append(p.body, ' '), 100), &plan.Plan{Root: p.plan.Root, Psoxy: true}}
			r := New(Limits{})
			tokens := &fakeTokens{}
			var out []byte
			b.SetBytes(int64(len(p.body)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if out, err = run(r, out[:0], p, tokens, 16<<10); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBeside runs what a Rewriter is compared with on the same bodies. Only
// the plain implementation does the same work; the others just read.
func BenchmarkBeside(b *testing.B) {
	for name, p := range pages() {
		beside := func(what string, f func() bool) {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.SetBytes(int64(len(p.body)))
				b.ReportAllocs()
				for b.Loop() {
					if !f() {
						b.Fatal("refused")
					}
				}
			})
		}
		beside("jsontext-strict", func() bool { return jsontext.Value(p.body).IsValid() })
		beside("encoding-json-valid", func() bool { return json.Valid(p.body) })
		beside("jsonparser-walk", func() bool {
			_, err := peers.Walk(p.body)
			return err == nil
		})
		tokens := &fakeTokens{}
		var out []byte
		beside("jsonparser-plain", func() bool {
			var err error
			out, err = peers.Rewrite(out[:0], p.body, p.plan, tokens)
			return err == nil
		})
	}
}
