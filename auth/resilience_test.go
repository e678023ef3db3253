package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// An hour of each kind of trouble, from a minute after the first token: that is used until a minute before its end, then callers hear
// what is wrong and when to come again; and who comes at that time after the trouble has ended gets a token.
func TestHourOfTrouble(t *testing.T) {
	const html = "<html><body>Sign in to your account</body></html>"
	for name, test := range map[string]struct {
		fault entra.Fault
		code  Code
		pause time.Duration // between attempts, at least
	}{
		"down":                             {entra.Fault{Drop: true}, CodeUnreachable, 15 * time.Second},
		"silent":                           {entra.Fault{Delay: time.Hour}, CodeUnreachable, 15 * time.Second},
		"503":                              {entra.Fault{Status: 503}, CodeUnavailable, 15 * time.Second},
		"503 for a page":                   {entra.Fault{Status: 503, Body: html}, CodeUnavailable, 15 * time.Second},
		"429":                              {entra.Fault{Status: 429}, CodeThrottled, 15 * time.Second},
		"429, Retry-After of five minutes": {entra.Fault{Status: 429, RetryAfter: "300"}, CodeThrottled, 300 * time.Second},
		"a page":                           {entra.Fault{Body: html}, CodeMalformed, 15 * time.Second},
		"cut":                              {entra.Fault{Body: `{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ`}, CodeMalformed, 15 * time.Second},
		"huge":                             {entra.Fault{Body: `{"x":"` + strings.Repeat("x", 4<<20) + `"}`}, CodeMalformed, 15 * time.Second},
		"wrong types":                      {entra.Fault{Body: `{"token_type":7,"expires_in":{},"access_token":[]}`}, CodeMalformed, 15 * time.Second},
		"refused":                          {entra.Fault{Status: 400, Body: `{"error":"unauthorized_client","error_description":"AADSTS7000112: disabled"}`}, CodeRejected, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				delete(w.cfg.Connectors, "entra_id")
				m := w.manager()
				stop := w.run(m)
				defer stop()
				synctest.Wait()
				start, first := time.Now(), w.wantToken(m, "outlook_mail", mailApp)
				time.Sleep(time.Minute)
				w.entra.Break(test.fault)
				trouble, asked, last := time.Now(), w.requests(), time.Time{}
				for time.Since(trouble) < time.Hour {
					time.Sleep(time.Second)
					synctest.Wait()
					if now := w.requests(); now != asked {
						if passed := time.Since(last); passed < test.pause-time.Second && time.Since(trouble) > 35*time.Minute {
							t.Fatalf("asked again after %v", passed)
						}
						asked, last = now, time.Now()
					}
					if left := 3599*time.Second - time.Since(start); left > expiryMargin {
						if w.wantToken(m, "outlook_mail", mailApp) != first {
							t.Fatal("another token in the trouble")
						}
					}
				}
				if failures := m.Status()[0].Failures[test.code]; failures < 5 {
					t.Errorf("%d failures of %s", failures, test.code)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
				_, err := m.Token(ctx, "outlook_mail")
				cancel()
				var failure *Error
				if !errors.As(err, &failure) || failure.Code != test.code && failure.Code != CodePending {
					t.Fatalf("without a token: %v", err)
				}
				w.checkError(err, failure.Code)
				w.rotate(mailApp) // no assertion was redeemed for an hour
				w.entra.Repair()
				if failure.Code == CodePending { // an attempt was under way
					time.Sleep(attemptTimeout)
					synctest.Wait()
					failure = w.wantError(m, "outlook_mail", test.code)
				}
				time.Sleep(failure.RetryAfter())
				w.wantToken(m, "outlook_mail", mailApp)
				if last := m.Status()[0].LastError; last != nil {
					t.Errorf("last error after recovery: %v", last)
				}
			})
		})
	}
}

// requests are those that reached Entra.
func (w *world) requests() int {
	stats := w.entra.Stats()
	return stats.TokenRequests + stats.OtherRequests
}

// Entra takes 12 seconds for each answer: the first callers are told to come again, and from then on nobody notices.
func TestSlowEntra(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		delete(w.cfg.Connectors, "entra_id")
		m := w.manager()
		w.wantToken(m, "outlook_mail", mailApp) // MSAL knows where to ask
		time.Sleep(time.Hour)
		w.rotate(mailApp)
		w.entra.Break(entra.Fault{Delay: 12 * time.Second})
		before := w.requests()
		var impatient sync.WaitGroup
		for range 50 {
			impatient.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // as the processor waits
				defer cancel()
				_, err := m.Token(ctx, "outlook_mail")
				w.checkError(err, CodePending)
			})
		}
		impatient.Wait()
		time.Sleep(8 * time.Second)
		w.wantToken(m, "outlook_mail", mailApp)
		if asked := w.requests() - before; asked != 1 {
			t.Errorf("%d requests, want 1", asked)
		}
		stop := w.run(m)
		defer stop()
		for range 3 * 3600 {
			time.Sleep(time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			if _, err := m.Token(ctx, "outlook_mail"); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		synctest.Wait()
		for _, s := range m.Status() {
			if s.Connector == "outlook_mail" && (s.LastError != nil || s.Refreshes < 6) {
				t.Errorf("status %+v", s)
			}
		}
		time.Sleep(20 * time.Second) // no request is under way when the test ends
	})
}

// This process's clock is minutes off, before and behind. Nothing depends on it: lives count from when a token came, and a time to come
// again from when Entra said so.
func TestClockSkew(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ours is behind": 11 * time.Minute, "ours is ahead": -11 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *entra.Config) { c.Now = func() time.Time { return time.Now().Add(ahead) } })
				w.ahead = ahead
				w.rotate(mailApp)
				w.rotate(directoryApp)
				m := w.manager()
				stop := w.run(m)
				defer stop()
				synctest.Wait()
				for range 2 * 3600 {
					time.Sleep(time.Second)
					w.wantToken(m, "outlook_mail", mailApp) // Entra's clock finds it valid
				}
				old := w.wantToken(m, "outlook_mail", mailApp)
				wantAgain(t, m, "outlook_mail", old, w.revoke(mailApp, old))
				w.wantToken(m, "outlook_mail", mailApp)

				date := time.Now().Add(ahead + 2*time.Minute).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
				w.entra.Break(entra.Fault{Status: 429, RetryAfter: date})
				old = w.wantToken(m, "outlook_mail", mailApp)
				claims := w.revoke(mailApp, old)
				time.Sleep(workedAWhile)
				m.Rejected("outlook_mail", old, claims)
				failure := w.wantError(m, "outlook_mail", CodeThrottled)
				if failure.RetryAfter() > 3*time.Second {
					t.Errorf("retry after %v: the date is long past, by Entra's clock", failure.RetryAfter())
				}
				w.entra.Repair()
				time.Sleep(failure.RetryAfter())
				w.wantToken(m, "outlook_mail", mailApp)
				synctest.Wait()
			})
		})
	}
}
