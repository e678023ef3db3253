package auth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

func TestEachConnectorHasItsApplication(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	w.cfg.Connectors["calendar"] = Connector{ClientID: strings.ToUpper(mailApp), Credential: fromTokenFile(w.file(mailApp))}
	m := w.manager()
	if err := m.Ready(); err == nil || !strings.Contains(err.Error(), `"entra_id": not yet requested`) {
		t.Errorf("before the first token: Ready() = %v", err)
	}
	directory := w.wantToken(m, "entra_id", directoryApp)
	if err := m.Ready(); err == nil || strings.Contains(err.Error(), "entra_id") || !strings.Contains(err.Error(), "outlook_mail") {
		t.Errorf("with one of two tokens: Ready() = %v", err)
	}
	select {
	case <-m.First():
		t.Error("with one of two tokens: First() is closed")
	default:
	}
	mail := w.wantToken(m, "outlook_mail", mailApp)
	calendar := w.wantToken(m, "calendar", mailApp)
	if mail != calendar || mail == directory {
		t.Error("connectors of one application have different tokens, or those of two have one")
	}
	if err := m.Ready(); err != nil {
		t.Errorf("with all tokens: Ready() = %v", err)
	}
	select {
	case <-m.First():
	default:
		t.Error("with all tokens: First() is not closed")
	}
	if stats := w.entra.Stats(); stats.TokenRequests != 2 || stats.Issued != 2 {
		t.Errorf("stats %+v, want two requests for two applications", stats)
	}
	status := m.Status()
	if names := []string{status[0].Connector, status[1].Connector, status[2].Connector}; !slices.Equal(names, []string{"calendar", "entra_id", "outlook_mail"}) {
		t.Errorf("status of %v", names)
	}
	for _, s := range status {
		if left := time.Until(s.Expiry); s.Refreshes != 1 || s.LastError != nil || len(s.Failures) != len(failureCodes) || left < 58*time.Minute || left > time.Hour || time.Since(s.Acquired) > time.Minute {
			t.Errorf("status %+v", s)
		}
	}
	if _, err := m.Token(t.Context(), "onedrive"); !errors.Is(err, ErrUnknownConnector) || errors.Is(err, ErrUnavailable) {
		t.Errorf("a connector that is not configured: %v", err)
	}
}

func TestDiscoveryAsInProduction(t *testing.T) {
	t.Setenv("MSAL_FORCE_REGION", "westeurope") // MSAL would ask westeurope.login.microsoft.com
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		w.wantToken(m, "entra_id", directoryApp)
		if hosts := w.dialled(); !slices.Equal(hosts, []string{"login.microsoftonline.com:443"}) {
			t.Errorf("dialled %v", hosts)
		}
		if stats := w.entra.Stats(); stats.OtherRequests != 2 { // instance discovery and OpenID configuration
			t.Errorf("%d discovery requests, want 2", stats.OtherRequests)
		}
	})
}

func TestUnknownAuthorityNeedsInstanceDiscoveryOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *entra.Config) { c.Resource = "https://graph.private.example" })
		w.cfg.Authority, w.cfg.Scope = "https://login.private.example", "https://graph.private.example/.default"
		if failure := w.wantError(w.manager(), "entra_id", CodeRejected); failure.AADSTS != 50049 {
			t.Errorf("AADSTS%d, want 50049", failure.AADSTS)
		}
		if !slices.Contains(w.dialled(), "login.microsoftonline.com:443") {
			t.Errorf("dialled %v: Entra was not asked about the authority", w.dialled())
		}
		w.cfg.SkipInstanceDiscovery = true
		w.wantToken(w.manager(), "entra_id", directoryApp)
	})
}

func TestColdCallersMakeOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		w.entra.Break(entra.Fault{Delay: 100 * time.Millisecond}) // slow, so that all wait at once
		const callers = 1000
		tokens := make([]string, callers)
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				var err error
				if tokens[i], err = m.Token(t.Context(), "outlook_mail"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if slices.Sort(tokens); tokens[0] == "" || tokens[0] != tokens[callers-1] {
			t.Error("callers got different tokens")
		}
		if stats := w.entra.Stats(); stats.TokenRequests != 1 {
			t.Errorf("%d token requests for %d callers, want 1", stats.TokenRequests, callers)
		}
	})
}

func TestEndOfTheFirstCallerDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		w.entra.Break(entra.Fault{Delay: time.Second})
		var leader sync.WaitGroup
		leader.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := m.Token(ctx, "entra_id")
			w.checkError(err, CodePending)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the first caller's error does not match its context's: %v", err)
			}
		})
		synctest.Wait() // the first caller's request is at Entra
		w.wantToken(m, "entra_id", directoryApp)
		leader.Wait()
		if stats := w.entra.Stats(); stats.TokenRequests != 1 {
			t.Errorf("%d token requests, want 1", stats.TokenRequests)
		}
		for _, s := range m.Status() {
			for code, count := range s.Failures {
				if count != 0 {
					t.Errorf("%s: %d failures of %s: an impatient caller is none", s.Connector, count, code)
				}
			}
		}
	})
}

func TestTokensAreRefreshedAhead(t *testing.T) {
	for name, test := range map[string]struct {
		refreshIn  time.Duration
		least, max time.Duration // between two requests
	}{
		"at half of the life":            {0, 26 * time.Minute, 30 * time.Minute},
		"when Entra says":                {10 * time.Minute, 9 * time.Minute, 10 * time.Minute},
		"not at once because Entra says": {time.Nanosecond /* sent as 0 */, 30 * time.Second, 31 * time.Second},
		"not after the token is useless": {3 * time.Hour, 53 * time.Minute, 59 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(c *entra.Config) { c.RefreshIn = test.refreshIn })
				m := w.manager()
				stop := w.run(m)
				defer stop()
				synctest.Wait()
				if err := m.Ready(); err != nil {
					t.Fatal(err)
				}
				last, acquired := w.wantToken(m, "outlook_mail", mailApp), time.Now()
				for refreshed := 0; refreshed < 4; {
					time.Sleep(time.Second)
					synctest.Wait()
					held, err := m.Token(t.Context(), "outlook_mail")
					if err != nil {
						t.Fatal(err)
					}
					if held == last {
						continue
					}
					w.wantToken(m, "outlook_mail", mailApp)
					if passed := time.Since(acquired); passed < test.least || passed > test.max+time.Second {
						t.Fatalf("refreshed after %v, want between %v and %v", passed, test.least, test.max)
					}
					last, acquired = held, time.Now()
					refreshed++
				}
			})
		})
	}
}

func TestOutageAndRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		stop := w.run(m)
		defer stop()
		synctest.Wait()
		start := time.Now()
		first := w.wantToken(m, "entra_id", directoryApp)
		w.entra.Break(entra.Fault{Drop: true})

		time.Sleep(58*time.Minute + 58*time.Second) // expires_in is 3599
		if held := w.wantToken(m, "entra_id", directoryApp); held != first {
			t.Error("another token while Entra was down")
		}
		if failures := m.Status()[0].Failures[CodeUnreachable]; failures < 20 {
			t.Errorf("%d failed refreshes in half an hour, want one every 45 seconds at least", failures)
		}
		time.Sleep(time.Second)
		failure := w.wantError(m, "entra_id", CodeUnreachable)
		if failure.RetryAfter() > 46*time.Second || failure.RetryAfter()%time.Second != 0 {
			t.Errorf("retry after %v", failure.RetryAfter())
		}
		if _, err := w.entra.Verify(first); err != nil {
			t.Errorf("the last token was given up after %v, but should be only a minute before its end: %v", time.Since(start), err)
		}
		if err := m.Ready(); err != nil {
			t.Errorf("not ready in an outage: %v", err)
		}

		// An hour of demand in the outage costs what no demand does: attempts are the manager's, not the callers'.
		before := m.Status()[0].Failures[CodeUnreachable]
		for range 3600 {
			time.Sleep(time.Second)
			w.wantError(m, "entra_id", CodeUnreachable)
		}
		if more := m.Status()[0].Failures[CodeUnreachable] - before; more < 75 || more > 245 { // every 15 to 45 s
			t.Errorf("%d attempts in an hour", more)
		}

		w.rotate(directoryApp) // the cluster went on while Entra was down
		w.entra.Repair()
		time.Sleep(46 * time.Second)
		w.wantToken(m, "entra_id", directoryApp)
		if last := m.Status()[0].LastError; last != nil {
			t.Errorf("last error after recovery: %v", last)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, header := range map[string]func() string{
		"seconds": func() string { return "120" },
		"date":    func() string { return time.Now().Add(120 * time.Second).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") },
	} {
		for status, code := range map[int]Code{429: CodeThrottled, 503: CodeUnavailable} {
			t.Run(name+" "+string(code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, nil)
					m := w.manager()
					w.entra.Break(entra.Fault{Status: status, RetryAfter: header()})
					stop := w.run(m)
					defer stop()
					synctest.Wait()
					w.entra.Repair()
					asked := w.entra.Stats()
					failure := w.wantError(m, "entra_id", code)
					if failure.RetryAfter() < 120*time.Second || failure.RetryAfter() > 123*time.Second {
						t.Errorf("retry after %v, want 120 s and a little", failure.RetryAfter())
					}
					time.Sleep(119 * time.Second)
					w.wantError(m, "entra_id", code)
					if now := w.entra.Stats(); now.TokenRequests != asked.TokenRequests || now.OtherRequests != asked.OtherRequests {
						t.Errorf("asked again before the time: %+v, then %+v", asked, now)
					}
					time.Sleep(4 * time.Second)
					w.wantToken(m, "entra_id", directoryApp)
				})
			})
		}
	}
}

func TestHeldTokenCostsNothing(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	ctx := t.Context()
	allocations := testing.AllocsPerRun(1000, func() {
		if _, err := m.Token(ctx, "entra_id"); err != nil {
			t.Fatal(err)
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations for a held token, want 0", allocations)
	}
}

// A caller can find no token, be late for the flight that brings one, and start the next.
func TestLateFlightLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		w.wantToken(m, "entra_id", directoryApp)
		a := m.applications["entra_id"]
		if _, err := a.attempt(); err != nil {
			t.Fatal(err)
		}
		if stats := w.entra.Stats(); stats.TokenRequests != 1 {
			t.Errorf("%d token requests, want 1: there was a fresh token", stats.TokenRequests)
		}
		time.Sleep(time.Hour)
		w.entra.Break(entra.Fault{Status: 500})
		w.wantError(m, "entra_id", CodeUnavailable)
		before := w.entra.Stats()
		_, err := a.attempt()
		w.checkError(err, CodeUnavailable)
		if after := w.entra.Stats(); after.TokenRequests != before.TokenRequests {
			t.Error("asked again at once after a failure")
		}
	})
}
