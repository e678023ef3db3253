package auth

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// revoke makes Graph refuse the tokens of an application, and returns what its challenge asks for.
func (w *world) revoke(application, token string) (claims string) {
	w.t.Helper()
	w.entra.Revoke(application)
	return w.challenge(token)
}

// challenge is what Graph would answer to a revoked token.
func (w *world) challenge(token string) (claims string) {
	w.t.Helper()
	_, err := w.entra.Verify(token)
	var revoked *entra.RevokedError
	if !errors.As(err, &revoked) || revoked.Claims == "" {
		w.t.Fatalf("the token is not revoked, or of a client without CP1: %v", err)
	}
	w.secret(revoked.Claims)
	return revoked.Claims
}

// held is the token that is handed out, which Graph need not accept.
func (w *world) held(m *Manager, connector string) string {
	w.t.Helper()
	value, err := m.Token(w.t.Context(), connector)
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

func wantAgain(t *testing.T, m *Manager, connector, token, claims string) {
	t.Helper()
	if again, after := m.Rejected(connector, token, claims); !again || after != time.Second {
		t.Errorf("again %v after %v, want true after 1s", again, after)
	}
}

func wantNotAgain(t *testing.T, m *Manager, connector, token, claims string, least, most time.Duration) {
	t.Helper()
	if again, after := m.Rejected(connector, token, claims); again || after < least || after > most {
		t.Errorf("again %v after %v, want false after %v to %v", again, after, least, most)
	}
}

// The application declares that its tokens can be called back, so Entra lets them live for a day and more (here six hours): that is how long an outage
// can be. They are refreshed every hour all the same, for what is granted meanwhile.
func TestTokensOutlastALongOutage(t *testing.T) {
	for name, refreshIn := range map[string]time.Duration{"plain": 0, "when Entra says later": 3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *entra.Config) { c.CAELifetime, c.RefreshIn = 6*time.Hour, refreshIn })
				m := w.manager()
				stop := w.run(m)
				defer stop()
				synctest.Wait()
				first := w.wantToken(m, "entra_id", directoryApp)
				time.Sleep(53 * time.Minute)
				if w.wantToken(m, "entra_id", directoryApp) != first {
					t.Error("refreshed within 53 minutes")
				}
				time.Sleep(8 * time.Minute)
				second := w.wantToken(m, "entra_id", directoryApp)
				if second == first {
					t.Error("not refreshed within an hour")
				}
				w.entra.Break(entra.Fault{Drop: true})
				time.Sleep(5*time.Hour + 50*time.Minute)
				if w.wantToken(m, "entra_id", directoryApp) != second {
					t.Error("another token while Entra was down")
				}
				time.Sleep(10 * time.Minute)
				w.wantError(m, "entra_id", CodeUnreachable)
			})
		})
	}
}

// A hundred callers find out that the token is revoked, come again, and wait for the one that answers the challenge.
func TestRevokedTokenIsReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		for round := range 3 {
			old := w.wantToken(m, "outlook_mail", mailApp)
			claims := w.revoke(mailApp, old)
			before := w.entra.Stats()
			w.entra.Break(entra.Fault{Delay: 3 * time.Second})
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					wantAgain(t, m, "outlook_mail", old, claims)
					start := time.Now()
					if w.wantToken(m, "outlook_mail", mailApp) == old {
						t.Error("the revoked token is still handed out")
					}
					if time.Since(start) != 3*time.Second {
						t.Errorf("waited %v for the new token", time.Since(start))
					}
				})
			}
			all.Wait()
			w.entra.Repair()
			wantAgain(t, m, "outlook_mail", old, claims) // a caller who was away
			time.Sleep(time.Minute)
			if after := w.entra.Stats(); after.TokenRequests != before.TokenRequests+1 {
				t.Errorf("round %d: %d token requests for one revocation", round, after.TokenRequests-before.TokenRequests)
			}
			time.Sleep(workedAWhile)
		}
		for _, s := range m.Status() {
			want := map[Rejection]uint64{RejectionChallenge: 0, RejectionPlain: 0}
			if s.Connector == "outlook_mail" {
				want[RejectionChallenge] = 3
			}
			if !maps.Equal(s.Rejections, want) || s.LastError != nil || !s.RetryAt.IsZero() {
				t.Errorf("status %+v", s)
			}
		}
		if logs := w.logs.String(); strings.Count(logs, `msg="graph rejected the token"`) != 3 || !strings.Contains(logs, "code=token_rejected kind=challenge") {
			t.Errorf("logs:\n%s", logs)
		}
	})
}

// Without a challenge a 401 may be about something else: the token stays in use until there is another.
func TestPlainRejectionKeepsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		old, before := w.wantToken(m, "outlook_mail", mailApp), w.entra.Stats()
		w.entra.Break(entra.Fault{Delay: 5 * time.Second})
		for range 100 {
			wantAgain(t, m, "outlook_mail", old, "")
		}
		time.Sleep(4 * time.Second)
		if w.wantToken(m, "outlook_mail", mailApp) != old {
			t.Error("another token before Entra answered")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if w.wantToken(m, "outlook_mail", mailApp) == old {
			t.Error("still the token that was rejected")
		}
		wantAgain(t, m, "outlook_mail", old, "")
		time.Sleep(time.Minute)
		if after := w.entra.Stats(); after.TokenRequests != before.TokenRequests+1 {
			t.Errorf("%d token requests for 101 reports", after.TokenRequests-before.TokenRequests)
		}
	})
}

func TestRejectionWhileEntraIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		mail, directory := w.wantToken(m, "outlook_mail", mailApp), w.wantToken(m, "entra_id", directoryApp)
		w.entra.Break(entra.Fault{Status: 429, RetryAfter: "120"})
		wantAgain(t, m, "outlook_mail", mail, "")
		wantAgain(t, m, "entra_id", directory, w.revoke(directoryApp, directory))
		synctest.Wait()
		asked := w.entra.Stats().TokenRequests
		w.entra.Repair()

		// The one stays in use, the other is gone; both know when Entra is asked again, and that it is not before.
		wantNotAgain(t, m, "outlook_mail", mail, "", 120*time.Second, 122*time.Second)
		wantNotAgain(t, m, "entra_id", directory, w.challenge(directory), 120*time.Second, 122*time.Second)
		if w.wantToken(m, "outlook_mail", mailApp) != mail {
			t.Error("the doubted token is given up")
		}
		w.wantError(m, "entra_id", CodeThrottled)
		claims := w.revoke(mailApp, mail) // now for certain
		wantNotAgain(t, m, "outlook_mail", mail, claims, 120*time.Second, 122*time.Second)
		w.wantError(m, "outlook_mail", CodeThrottled)
		time.Sleep(119 * time.Second)
		if now := w.entra.Stats().TokenRequests; now != asked {
			t.Errorf("asked %d times before Retry-After was over", now-asked)
		}
		time.Sleep(4 * time.Second)
		w.wantToken(m, "outlook_mail", mailApp)
		w.wantToken(m, "entra_id", directoryApp)
		if now := w.entra.Stats().TokenRequests; now != asked+2 {
			t.Errorf("%d token requests for two tokens", now-asked)
		}
	})
}

// Graph answers 401 whatever the token: an hour of demand costs some token requests, and callers are told that there is no hope.
func TestRejectionsInVainAreNoLoop(t *testing.T) {
	for name, claims := range map[string]func(i int) string{
		"plain":     func(int) string { return "" },
		"challenge": func(int) string { return `{"access_token":{"nbf":{"essential":true,"value":"1"}}}` },
		"in turns": func(i int) string {
			if i%2 == 0 {
				return ""
			}
			return `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`
		},
		"with claims that Entra refuses": func(int) string { return `{"access_token":{"nbf":{"essential":true,"value":"soon"}}}` },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				m := w.manager()
				stop := w.run(m)
				defer stop()
				synctest.Wait()
				before := w.entra.Stats().TokenRequests
				hopeless := 0
				for i := range 36_000 { // ten in a second
					time.Sleep(100 * time.Millisecond)
					value, err := m.Token(t.Context(), "entra_id")
					if err != nil {
						w.mayFail(err, CodeTokenRejected, CodeRejected)
						hopeless++
						continue
					}
					if again, _ := m.Rejected("entra_id", value, claims(i)); !again {
						hopeless++
					}
				}
				// Pauses of 10, 20, 40, ... 600 s make 12 in the first hour; two kinds, or refusals of Entra, may double it.
				if asked := w.entra.Stats().TokenRequests - before; asked < 6 || asked > 30 {
					t.Errorf("%d token requests in an hour", asked)
				}
				if hopeless < 35_000 {
					t.Errorf("%d of 36000 callers were told that there is no hope", hopeless)
				}
				logged := strings.Count(w.logs.String(), `msg="graph rejected the token"`)
				if logged < 6 || logged > 30 {
					t.Errorf("%d log lines in an hour", logged)
				}

				// It ends by itself when Graph is well again.
				time.Sleep(maxPause + time.Second)
				held := w.wantToken(m, "entra_id", directoryApp)
				if last := m.Status()[0].LastError; last != nil {
					t.Errorf("last error %v", last)
				}
				time.Sleep(workedAWhile)
				if w.held(m, "entra_id") == held {
					wantAgain(t, m, "entra_id", held, claims(0)) // without a pause, for the last one worked
				}
				synctest.Wait()
			})
		})
	}
}

// mayFail is for a caller who gets no token for one of some reasons.
func (w *world) mayFail(err error, codes ...Code) {
	w.t.Helper()
	var failure *Error
	if !errors.As(err, &failure) {
		w.t.Fatalf("error is %T", err)
	}
	for _, code := range codes {
		if failure.Code == code {
			return
		}
	}
	w.t.Fatalf("code %s", failure.Code)
}

// What a caller learns in a pause, with a token that is dead and one that is not.
func TestPauseBetweenRejections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		for _, pause := range []time.Duration{0, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
			held := w.held(m, "entra_id")
			claims := w.revoke(directoryApp, held)
			if pause == 0 {
				wantAgain(t, m, "entra_id", held, claims)
				synctest.Wait()
				continue
			}
			wantNotAgain(t, m, "entra_id", held, claims, pause, pause)
			time.Sleep(pause / 2)
			wantNotAgain(t, m, "entra_id", held, claims, pause/2, pause/2)
			failure := w.wantError(m, "entra_id", CodeTokenRejected)
			wantDetail(t, failure, "challenge")
			if failure.RetryAfter() != pause/2 {
				t.Errorf("retry after %v in the middle of %v", failure.RetryAfter(), pause)
			}
			if s := m.Status()[0]; s.LastError.Code != CodeTokenRejected || time.Until(s.RetryAt) != pause/2 || s.Failures[CodeTokenRejected] != 0 {
				t.Errorf("status %+v", s)
			}
			time.Sleep(pause / 2)
			synctest.Wait()
		}
		w.wantToken(m, "entra_id", directoryApp)
		for _, pause := range []time.Duration{0, 10 * time.Second, 20 * time.Second} {
			held := w.wantToken(m, "outlook_mail", mailApp)
			if pause == 0 {
				wantAgain(t, m, "outlook_mail", held, "")
			} else {
				wantNotAgain(t, m, "outlook_mail", held, "", pause, pause)
				if w.wantToken(m, "outlook_mail", mailApp) != held {
					t.Error("another token before the pause is over")
				}
			}
			time.Sleep(pause)
			synctest.Wait()
			if w.wantToken(m, "outlook_mail", mailApp) == held {
				t.Errorf("no other token after the pause of %v", pause)
			}
		}
		time.Sleep(workedAWhile)
		wantAgain(t, m, "outlook_mail", w.wantToken(m, "outlook_mail", mailApp), "") // it worked, so no pause
		synctest.Wait()
	})
}

// A bad endpoint has made for a pause; then the token is really revoked, and is replaced at once.
func TestChallengeEndsThePauseOfOtherRejections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		for _, pause := range []time.Duration{0, firstPause, 2 * firstPause} {
			m.Rejected("entra_id", w.wantToken(m, "entra_id", directoryApp), "")
			time.Sleep(pause)
			synctest.Wait()
		}
		held := w.wantToken(m, "entra_id", directoryApp)
		wantNotAgain(t, m, "entra_id", held, "", 4*firstPause, 4*firstPause)
		wantAgain(t, m, "entra_id", held, w.revoke(directoryApp, held))
		if w.wantToken(m, "entra_id", directoryApp) == held {
			t.Error("the revoked token is handed out")
		}
		synctest.Wait()
	})
}

// Tokens of ten minutes, the shortest that a policy of Entra allows, end before the longest pause does: doubts alone keep nobody waiting.
func TestDoubtsNeverOutliveTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *entra.Config) { c.TokenLifetime = 10 * time.Minute })
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		before := w.entra.Stats().TokenRequests
		for range 3 * 3600 {
			m.Rejected("outlook_mail", w.wantToken(m, "outlook_mail", mailApp), "")
			time.Sleep(time.Second)
		}
		if asked := w.entra.Stats().TokenRequests - before; asked > 80 { // the other application's included
			t.Errorf("%d token requests in three hours", asked)
		}
	})
}

func TestDisabledApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		old := w.wantToken(m, "entra_id", directoryApp)
		w.entra.Disable(directoryApp)
		wantAgain(t, m, "entra_id", old, w.challenge(old))
		if failure := w.wantError(m, "entra_id", CodeRejected); failure.AADSTS != 7000112 {
			t.Errorf("AADSTS%d, want 7000112", failure.AADSTS)
		}
		if s := m.Status()[0]; s.LastError == nil || s.LastError.AADSTS != 7000112 || s.Failures[CodeRejected] != 1 {
			t.Errorf("status %+v", s)
		}
		time.Sleep(time.Hour)
		w.wantError(m, "entra_id", CodeRejected)
		if refused := w.entra.Stats().Refused[7000112]; refused > 245 {
			t.Errorf("asked %d times in an hour", refused)
		}
		w.entra.Enable(directoryApp)
		time.Sleep(46 * time.Second)
		// The claims were given up when Entra refused. This Graph, stricter than need be, asks for them anew.
		next := w.held(m, "entra_id")
		if _, err := w.entra.Verify(next); err != nil {
			m.Rejected("entra_id", next, w.challenge(next))
			time.Sleep(firstPause)
		}
		w.wantToken(m, "entra_id", directoryApp)
	})
}

// Nothing but a rejection of the token that is held does anything.
func TestRejectedOfSomethingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		if again, _ := m.Rejected("entra_id", "a token", ""); !again {
			t.Error("no hope before the first token was asked for")
		}
		held := w.wantToken(m, "entra_id", directoryApp)
		for _, token := range []string{"", "a token", held[:len(held)-1], w.wantToken(m, "outlook_mail", mailApp)} {
			wantAgain(t, m, "entra_id", token, "")
			wantAgain(t, m, "entra_id", token, `{"access_token":{}}`)
		}
		if again, after := m.Rejected("onedrive", held, ""); again || after != 0 {
			t.Errorf("of a connector that is not configured: again %v after %v", again, after)
		}
		if w.wantToken(m, "entra_id", directoryApp) != held {
			t.Error("another token is held")
		}
		for _, s := range m.Status() {
			if s.Rejections[RejectionChallenge]+s.Rejections[RejectionPlain] != 0 {
				t.Errorf("status %+v", s)
			}
		}
		// Without Run the next caller asks.
		wantAgain(t, m, "entra_id", held, w.revoke(directoryApp, held))
		if w.wantToken(m, "entra_id", directoryApp) == held {
			t.Error("the revoked token is handed out")
		}
	})
}

func TestRejectionCostsCallersNothing(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	m := w.manager()
	held := w.wantToken(m, "entra_id", directoryApp)
	wantAgain(t, m, "entra_id", held, "")
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = m.Token(ctx, "entra_id") }); n != 0 {
		t.Errorf("%v allocations for a doubted token, want 0", n)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = m.Rejected("entra_id", held, "") }); n != 0 {
		t.Errorf("%v allocations for a report that was made before, want 0", n)
	}
	if text := fmt.Sprintf("%+v", m.Status()); strings.Contains(text, held) {
		t.Error("the token is in the status")
	}
}
