package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// Each way in which Entra can refuse, against the verifying server: it refuses for the very reason, and the caller learns the number.
func TestRefusals(t *testing.T) {
	stranger, err := entra.NewIssuer(cluster) // same name, other key
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := entra.NewIssuer(cluster + "/")
	if err != nil {
		t.Fatal(err)
	}
	assertion := func(issuer *entra.Issuer, subject, audience string, lifetime time.Duration) func(*world) {
		return func(w *world) {
			if err := issuer.WriteProjectedToken(w.file(directoryApp), subject, audience, lifetime); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	const strangeApp = "aaaaaaaa-0000-0000-0000-00000000000f"
	for _, test := range []struct {
		name   string
		change func(*world)
		aadsts int
	}{
		{"tenant", func(w *world) { w.cfg.Tenant = "99999999-2222-3333-4444-555555555555" }, 90002},
		{"application", func(w *world) {
			w.cfg.Connectors["entra_id"] = Connector{ClientID: strangeApp, Credential: fromTokenFile(w.file(directoryApp))}
		}, 700016},
		{"scope of another cloud", func(w *world) { w.cfg.Scope = "https://graph.microsoft.us/.default" }, 500011},
		{"issuer", assertion(renamed, subject, entra.Audience, time.Hour), 700211},
		{"audience", assertion(clusterIssuer(), subject, "https://kubernetes.default.svc", time.Hour), 700212},
		{"subject", assertion(clusterIssuer(), "system:serviceaccount:default:graphveil", entra.Audience, time.Hour), 700213},
		{"subject in another case", assertion(clusterIssuer(), "system:serviceaccount:Privacy:graphveil", entra.Audience, time.Hour), 700213},
		{"key", assertion(stranger, subject, entra.Audience, time.Hour), 50013},
		{"expired", assertion(clusterIssuer(), subject, entra.Audience, -time.Minute), 700024},
		{"signature", func(w *world) {
			content, err := os.ReadFile(w.file(directoryApp))
			if err != nil {
				w.t.Fatal(err)
			}
			forged := content[:len(content)-8]
			forged = append(forged, "AAAAAAAA"...)
			if err := os.WriteFile(w.file(directoryApp), forged, 0o600); err != nil {
				w.t.Fatal(err)
			}
		}, 700027},
		{"replay", func(w *world) {
			content, err := os.ReadFile(w.file(directoryApp))
			if err != nil {
				w.t.Fatal(err)
			}
			w.wantToken(w.manager(), "entra_id", directoryApp)
			if err := os.WriteFile(w.file(directoryApp), content, 0o600); err != nil {
				w.t.Fatal(err)
			}
		}, 70002},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newLoopbackWorld(t, nil)
			test.change(w)
			m := w.manager()
			failure := w.wantError(m, "entra_id", CodeRejected)
			if failure.AADSTS != test.aadsts {
				t.Errorf("AADSTS%d, want %d", failure.AADSTS, test.aadsts)
			}
			if want := fmt.Sprintf("getting graph token: entra_rejected (AADSTS%d)", test.aadsts); failure.Error() != want {
				t.Errorf("error %q, want %q", failure, want)
			}
			if refused := w.entra.Stats().Refused; !maps.Equal(refused, map[int]int{test.aadsts: 1}) {
				t.Errorf("server refused %v", refused)
			}
			if !strings.Contains(w.logs.String(), fmt.Sprintf("code=entra_rejected aadsts=%d", test.aadsts)) {
				t.Errorf("the log does not say why:\n%s", w.logs)
			}
			// While it backs off, callers get the same at once and Entra hears nothing.
			w.wantError(m, "entra_id", CodeRejected)
			if refused := w.entra.Stats().Refused; refused[test.aadsts] != 1 {
				t.Errorf("asked again at once: server refused %v", refused)
			}
			if ready := m.Ready(); ready == nil || !strings.Contains(ready.Error(), fmt.Sprintf("AADSTS%d", test.aadsts)) {
				t.Errorf("Ready() = %v", ready)
			}
		})
	}
}

func TestGarbageFromEntra(t *testing.T) {
	const canary = "Canary-3f9a1c"
	for name, test := range map[string]struct {
		fault  entra.Fault
		cold   Code // as the answer to discovery
		warm   Code // as the answer to a token request
		detail string
	}{
		"html":          {entra.Fault{Body: "<html>" + canary + "</html>"}, CodeMalformed, CodeMalformed, "not_json"},
		"cut json":      {entra.Fault{Body: `{"access_token":"` + canary}, CodeMalformed, CodeMalformed, "not_json"},
		"empty object":  {entra.Fault{Body: `{}`}, CodeMalformed, CodeMalformed, ""},
		"null":          {entra.Fault{Body: `null`}, CodeMalformed, CodeMalformed, ""},
		"array":         {entra.Fault{Body: `["` + canary + `"]`}, CodeMalformed, CodeMalformed, ""},
		"string":        {entra.Fault{Body: `"` + canary + `"`}, CodeMalformed, CodeMalformed, ""},
		"deep":          {entra.Fault{Body: strings.Repeat(`{"a":`, 30_000)}, CodeMalformed, CodeMalformed, ""},
		"too large":     {entra.Fault{Body: `{"x":"` + strings.Repeat(canary, 1<<16) + `"}`}, CodeMalformed, CodeMalformed, "too_large"},
		"types":         {entra.Fault{Body: `{"access_token":["` + canary + `"],"expires_in":"soon"}`}, CodeMalformed, CodeMalformed, ""},
		"no token":      {entra.Fault{Body: `{"token_type":"Bearer","expires_in":3599}`}, CodeMalformed, CodeMalformed, ""},
		"no expiry":     {entra.Fault{Body: `{"token_type":"Bearer","access_token":"` + canary + `"}`}, CodeMalformed, CodeMalformed, ""},
		"expired":       {entra.Fault{Body: `{"expires_in":0,"access_token":"` + canary + `"}`}, CodeMalformed, CodeMalformed, ""},
		"negative life": {entra.Fault{Body: `{"expires_in":-3599,"access_token":"` + canary + `"}`}, CodeMalformed, CodeMalformed, ""},
		"line break":    {entra.Fault{Body: `{"expires_in":3599,"access_token":"` + canary + `\r\nx-evil: 1"}`}, CodeMalformed, CodeMalformed, ""},
		"long token":    {entra.Fault{Body: `{"expires_in":3599,"access_token":"` + strings.Repeat("a", maxAccessToken+1) + `"}`}, CodeMalformed, CodeMalformed, ""},
		"redirect":      {entra.Fault{Status: 307, Body: canary}, CodeMalformed, CodeMalformed, ""},
		"no content":    {entra.Fault{Status: 204}, CodeMalformed, CodeMalformed, ""},
		"plain 500":     {entra.Fault{Status: 500, Body: canary}, CodeUnavailable, CodeUnavailable, ""},
		"plain 403":     {entra.Fault{Status: 403, Body: canary}, CodeRejected, CodeRejected, ""},
		"error and 200": {entra.Fault{Body: `{"error":"invalid_client","error_description":"AADSTS700016: ` + canary + `"}`}, CodeMalformed, CodeMalformed, ""},
		"plain token endpoint": {entra.Fault{Body: `{"authorization_endpoint":"https://login.microsoftonline.com/a",
			"issuer":"https://login.microsoftonline.com/i","token_endpoint":"http://login.microsoftonline.com/t"}`}, CodeMalformed, CodeMalformed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.secret(canary)
				m := w.manager()
				w.wantToken(m, "outlook_mail", mailApp)
				w.entra.Break(test.fault)
				w.wantError(m, "entra_id", test.cold)
				time.Sleep(time.Hour)
				failure := w.wantError(m, "outlook_mail", test.warm)
				if test.detail != "" && failure.Detail != test.detail {
					t.Errorf("detail %q, want %q", failure.Detail, test.detail)
				}
				w.rotate(directoryApp)
				w.rotate(mailApp)
				w.entra.Repair()
				time.Sleep(time.Minute)
				w.wantToken(m, "outlook_mail", mailApp)
				w.wantToken(m, "entra_id", directoryApp)
			})
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Run("refused connection", func(t *testing.T) {
		w := newLoopbackWorld(t, nil)
		gone, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w.cfg.Authority = "https://" + gone.Addr().String()
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		wantDetail(t, w.wantError(w.manager(), "entra_id", CodeUnreachable), "connection")
	})
	t.Run("certificate nobody trusts", func(t *testing.T) {
		w := newLoopbackWorld(t, nil)
		w.cfg.CAFile = ""
		wantDetail(t, w.wantError(w.manager(), "entra_id", CodeUnreachable), "tls")
		if stats := w.entra.Stats(); stats.OtherRequests+stats.TokenRequests != 0 {
			t.Errorf("a server without a trusted certificate was asked: %+v", stats)
		}
	})
	t.Run("certificate of another name", func(t *testing.T) {
		w := newLoopbackWorld(t, nil)
		w.cfg.Authority = strings.Replace(w.cfg.Authority, "127.0.0.1", "localhost", 1)
		wantDetail(t, w.wantError(w.manager(), "entra_id", CodeUnreachable), "tls")
	})
	t.Run("name", func(t *testing.T) {
		w := newLoopbackWorld(t, nil)
		w.cfg.Authority = "https://login.private.example"
		w.dial = func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "login.private.example", IsNotFound: true}}
		}
		wantDetail(t, w.wantError(w.manager(), "entra_id", CodeUnreachable), "dns")
	})
	t.Run("silence", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			w.entra.Break(entra.Fault{Delay: time.Hour})
			start := time.Now()
			wantDetail(t, w.wantError(w.manager(), "entra_id", CodeUnreachable), "timeout")
			if took := time.Since(start); took > attemptTimeout {
				t.Errorf("gave up after %v, want %v at most", took, attemptTimeout)
			}
		})
	})
}

func wantDetail(t *testing.T, failure *Error, detail string) {
	t.Helper()
	if failure.Detail != detail {
		t.Errorf("detail %q, want %q", failure.Detail, detail)
	}
}

func TestAssertionFileTroubleIsNamedAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		m := w.manager()
		if err := os.Remove(w.file(directoryApp)); err != nil {
			t.Fatal(err)
		}
		wantDetail(t, w.wantError(m, "entra_id", CodeCredential), "missing")
		if requests := w.entra.Stats().TokenRequests; requests != 0 {
			t.Errorf("%d token requests without an assertion", requests)
		}
		w.rotate(directoryApp)
		time.Sleep(2 * time.Second)
		w.wantToken(m, "entra_id", directoryApp)
	})
}

func TestReadAssertion(t *testing.T) {
	const assertion = "aGVhZGVy.Y2xhaW1z.c2lnbmF0dXJl"
	for name, test := range map[string]struct{ content, detail string }{
		"plain":        {assertion, ""},
		"line break":   {"\n" + assertion + "\r\n", ""},
		"empty":        {"", "empty"},
		"blank":        {" \n", "empty"},
		"two parts":    {"aGVhZGVy.Y2xhaW1z", "not_a_jwt"},
		"four parts":   {assertion + ".x", "not_a_jwt"},
		"two lines":    {assertion + "\n" + assertion, "not_a_jwt"},
		"empty part":   {"aGVhZGVy..c2lnbmF0dXJl", "not_a_jwt"},
		"pem":          {"-----BEGIN CERTIFICATE-----", "not_a_jwt"},
		"just fits":    {"a.b." + strings.Repeat("c", maxAssertion-4), ""},
		"a byte more":  {"a.b." + strings.Repeat("c", maxAssertion-3), "too_large"},
		"blanks count": {assertion + strings.Repeat("\n", maxAssertion), "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir() + "/token"
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := fromFile(path)(t.Context())
			var unreadable *credentialError
			switch {
			case test.detail == "" && (err != nil || got != strings.TrimSpace(test.content)):
				t.Errorf("got %q, %v", got, err)
			case test.detail != "" && (got != "" || !errors.As(err, &unreadable) || unreadable.detail != test.detail):
				t.Errorf("got %q, %v, want %s", got, err, test.detail)
			}
		})
	}
	if _, err := fromFile(t.TempDir())(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "not_a_file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"-7":                            0,
		"7.5":                           0,
		"soon":                          0,
		"86400":                         maxRetryAfter,
		"99999999999999999999":          0,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT": 0,
		"Mon, 02 Mar 2026 12:00:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	for date, want := range map[string]time.Duration{
		"Sun, 01 Mar 2026 12:05:00 GMT": 30 * time.Second, // the server's clock is five minutes ahead
		"Sun, 01 Mar 2026 11:55:00 GMT": 10*time.Minute + 30*time.Second,
		"Sun, 01 Mar 2026 12:06:00 GMT": 0,
		"soon":                          5*time.Minute + 30*time.Second,
	} {
		header := http.Header{"Retry-After": {"Sun, 01 Mar 2026 12:05:30 GMT"}, "Date": {date}}
		if got := retryAfter(header, now); got != want {
			t.Errorf("said at %s: %v, want %v", date, got, want)
		}
	}
}

func TestErrorRetryAfterIsWholeSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{
		-time.Second:            time.Second,
		0:                       time.Second,
		time.Nanosecond:         time.Second,
		time.Second:             time.Second,
		1001 * time.Millisecond: 2 * time.Second,
	} {
		if got := (&Error{retryAfter: wait}).RetryAfter(); got != want {
			t.Errorf("%v: %v, want %v", wait, got, want)
		}
	}
}

func TestBoundedBodyFailsRatherThanEnds(t *testing.T) {
	for length, fails := range map[int]bool{0: false, 9: false, 10: false, 11: true, 100: true} {
		body := &boundedBody{io.NopCloser(strings.NewReader(strings.Repeat("x", length))), 10}
		got, err := io.ReadAll(body)
		if errors.Is(err, errTooLarge) != fails || !fails && len(got) != length {
			t.Errorf("%d bytes: read %d, %v", length, len(got), err)
		}
	}
}
