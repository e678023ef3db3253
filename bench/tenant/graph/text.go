package graph

import (
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string. Non-ASCII text stays UTF-8, as Graph sends it; bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	return append(appendEscaped(append(b, '"'), s), '"')
}

func appendEscaped(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = append(b, s[start:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			start = i + 1
		}
		i++
	}
	return append(b, s[start:]...)
}

func appendQuotedTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), "2006-01-02T15:04:05Z"), '"')
}

// appendZoned writes a dateTimeTimeZone.
func appendZoned(b []byte, t time.Time) []byte {
	b = append(b, `{"dateTime":"`...)
	b = t.AppendFormat(b, "2006-01-02T15:04:05.0000000")
	return append(b, `","timeZone":"UTC"}`...)
}

func appendInt(b []byte, n int) []byte { return strconv.AppendInt(b, int64(n), 10) }

// appendSentence writes words, a capital first and a full stop last, as JSON string content.
func appendSentence(b []byte, d *dice, words int) []byte {
	for n := range words {
		word := pick(d, vocabulary)
		if n == 0 {
			b = append(b, word[0]&^0x20)
			b = append(b, word[1:]...)
			continue
		}
		b = append(append(b, ' '), word...)
	}
	return append(b, '.')
}

var vocabulary = []string{
	"about", "account", "after", "agenda", "agreed", "already", "approve", "attached", "before", "budget", "build", "call", "change",
	"client", "close", "comments", "contract", "could", "customer", "date", "deadline", "decision", "delivery", "design", "draft",
	"early", "estimate", "figures", "final", "finance", "finish", "follow", "forecast", "from", "have", "hiring", "ideas", "invoice",
	"issue", "later", "launch", "legal", "margin", "market", "meeting", "milestone", "monday", "moving", "need", "next", "notes",
	"numbers", "offer", "order", "other", "partner", "payment", "please", "plan", "price", "product", "progress", "project",
	"proposal", "quarter", "question", "ready", "release", "report", "request", "review", "risk", "salary", "sales", "schedule",
	"scope", "send", "should", "sign", "slides", "status", "supplier", "support", "target", "team", "terms", "their", "this",
	"ticket", "today", "travel", "update", "vendor", "version", "week", "with", "would", "your",
}
