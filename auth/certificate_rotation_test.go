package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// An application whose certificate was replaced signs in with the new one from the next token request on, however the files were put
// there. The old one ends after two hours, so a Manager that kept it would be found out.
func TestCertificateRotation(t *testing.T) {
	for name, replace := range map[string]func(w *world, pair madePair){
		"moved into place": func(w *world, pair madePair) { w.put("tls.crt", pair.certificatePEM()+pair.pkcs8()) },
		"written over": func(w *world, pair madePair) {
			if err := os.WriteFile(w.path("tls.crt"), []byte(pair.certificatePEM()+pair.pkcs8()), 0o600); err != nil {
				w.t.Error(err)
			}
		},
		"as Kubernetes does": kubernetesSwap,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := lasting(2*time.Hour), lasting(48*time.Hour)
				w := certificateWorld(t, newWorld, nil, old, fresh)
				replace(w, old)
				m := w.manager()
				stop := w.run(m)
				defer stop()
				w.wantToken(m, "entra_id", directoryApp)
				time.Sleep(90 * time.Minute)
				replace(w, fresh)
				for range 10 {
					time.Sleep(time.Hour)
					w.wantToken(m, "entra_id", directoryApp)
				}
				if refused := w.entra.Stats().Refused; len(refused) != 0 {
					t.Errorf("refused %v", refused)
				}
				if count := strings.Count(w.logs.String(), `msg="certificate read"`); count != 2 {
					t.Errorf("%d certificates were read, want 2:\n%s", count, w.logs)
				}
				if status := m.Status()[0]; !status.CertificateExpiry.Equal(fresh.certificate.NotAfter) {
					t.Errorf("certificate expiry %v, want %v", status.CertificateExpiry, fresh.certificate.NotAfter)
				}
			})
		})
	}
}

// kubernetesSwap does as the kubelet: a new folder, and a symbolic link that is moved over the one to the old folder.
func kubernetesSwap(w *world, pair madePair) {
	w.t.Helper()
	folder := w.path(fmt.Sprintf("..%d", time.Now().UnixNano()))
	if err := os.Mkdir(folder, 0o700); err != nil {
		w.t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "tls.crt"), []byte(pair.certificatePEM()+pair.pkcs8()), 0o600); err != nil {
		w.t.Error(err)
	}
	if err := os.Symlink(filepath.Base(folder), w.path("..data_tmp")); err != nil {
		w.t.Error(err)
	}
	if err := os.Rename(w.path("..data_tmp"), w.path("..data")); err != nil {
		w.t.Error(err)
	}
	if err := os.Symlink(filepath.Join("..data", "tls.crt"), w.path("tls.crt")); err != nil && !errors.Is(err, os.ErrExist) {
		w.t.Error(err)
	}
}

// While a replacement is under way, or went wrong, the certificate read before stays in use, and the log says why.
func TestCertificateReadBeforeStaysInUse(t *testing.T) {
	for name, test := range map[string]struct {
		damage func(w *world, old, fresh madePair)
		detail string
	}{
		"certificate replaced, key not yet": {func(w *world, _, fresh madePair) { w.put("tls.crt", fresh.certificatePEM()) }, "key_mismatch"},
		"key cut":                           {func(w *world, _, fresh madePair) { w.put("tls.key", fresh.pkcs8()[:300]) }, "no_private_key"},
		"key emptied":                       {func(w *world, _, _ madePair) { w.put("tls.key", "") }, "no_private_key"},
		"certificate removed":               {func(w *world, _, _ madePair) { w.remove("tls.crt") }, "missing"},
		"expired": {func(w *world, _, _ madePair) {
			pair := lasting(-time.Second)
			w.put("tls.crt", pair.certificatePEM())
			w.put("tls.key", pair.pkcs8())
		}, "certificate_expired"},
		"not yet valid": {func(w *world, _, _ madePair) {
			pair := makePair(time.Now().Add(time.Hour), time.Now().Add(48*time.Hour))
			w.put("tls.crt", pair.certificatePEM())
			w.put("tls.key", pair.pkcs8())
		}, "certificate_not_yet_valid"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := lasting(48*time.Hour), lasting(72*time.Hour)
				w := certificateWorld(t, newWorld, nil, old, fresh)
				w.use(Credential{Certificate: &Certificate{File: w.path("tls.crt"), KeyFile: w.path("tls.key")}})
				w.put("tls.crt", old.certificatePEM())
				w.put("tls.key", old.pkcs8())
				m := w.manager()
				stop := w.run(m)
				defer stop()
				first := w.wantToken(m, "entra_id", directoryApp)
				test.damage(w, old, fresh)
				time.Sleep(50 * time.Minute)
				if second := w.wantToken(m, "entra_id", directoryApp); second == first {
					t.Error("no token was acquired meanwhile")
				}
				w.wantLog("level=WARN", "stays in use", "client_id="+directoryApp, "detail="+test.detail, "days_left=1")
				if failures := m.Status()[0].Failures[CodeCredential]; failures != 0 {
					t.Errorf("%d failures", failures)
				}
				w.put("tls.crt", fresh.certificatePEM())
				w.put("tls.key", fresh.pkcs8())
				time.Sleep(50 * time.Minute)
				w.wantToken(m, "entra_id", directoryApp)
				if end := m.Status()[0].CertificateExpiry; !end.Equal(fresh.certificate.NotAfter) {
					t.Errorf("certificate expiry %v, want %v", end, fresh.certificate.NotAfter)
				}
			})
		})
	}
}

func (w *world) remove(name string) {
	if err := os.Remove(w.path(name)); err != nil {
		w.t.Error(err)
	}
}

// A new certificate that starts later is taken when it starts, with its files in place all the time.
func TestCertificateIsTakenWhenItStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := lasting(48*time.Hour), makePair(time.Now().Add(3*time.Hour), time.Now().Add(72*time.Hour))
		w := certificateWorld(t, newWorld, nil, old, next)
		w.put("tls.crt", old.certificatePEM()+old.pkcs8())
		m := w.manager()
		stop := w.run(m)
		defer stop()
		w.wantToken(m, "entra_id", directoryApp)
		w.put("tls.crt", next.certificatePEM()+next.pkcs8())
		for hour := range 6 {
			time.Sleep(time.Hour)
			w.wantToken(m, "entra_id", directoryApp)
			want := old.certificate.NotAfter
			if hour >= 3 {
				want = next.certificate.NotAfter
			}
			if end := m.Status()[0].CertificateExpiry; hour != 2 && !end.Equal(want) {
				t.Errorf("after %d hours: certificate expiry %v, want %v", hour+1, end, want)
			}
		}
		if refused := w.entra.Stats().Refused; len(refused) != 0 {
			t.Errorf("refused %v", refused)
		}
	})
}

// The new certificate is in place hours before somebody registers it. The one before goes on serving, the new one is tried first each time,
// and is in use as soon as Entra takes it. The old one ends after five hours.
func TestCertificateBeforeServesUntilEntraTakesTheNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, fresh := lasting(5*time.Hour), lasting(48*time.Hour)
		w := certificateWorld(t, newWorld, nil, old)
		w.keySecrets(fresh)
		w.put("tls.crt", old.certificatePEM()+old.pkcs8())
		m := w.manager()
		stop := w.run(m)
		defer stop()
		w.wantToken(m, "entra_id", directoryApp)
		w.put("tls.crt", fresh.certificatePEM()+fresh.pkcs8())
		wantEnd := func(want madePair) {
			t.Helper()
			if end := m.Status()[0].CertificateExpiry; !end.Equal(want.certificate.NotAfter) {
				t.Errorf("certificate expiry %v, want %v", end, want.certificate.NotAfter)
			}
		}
		for range 3 {
			time.Sleep(time.Hour)
			w.wantToken(m, "entra_id", directoryApp)
			wantEnd(old)
		}
		stats := w.entra.Stats()
		if refused := stats.Refused[700027]; refused < 4 || refused > stats.Issued || len(stats.Refused) != 1 {
			t.Errorf("stats %+v, want one refusal before each token", stats)
		}
		w.wantLog("level=WARN", "acquiring graph token failed", "aadsts=700027")
		w.wantLog("level=WARN", "refused by Entra, so the one that it took before is tried", "client_id="+directoryApp)

		w.entra.Register(directoryApp, fresh.certificate)
		for range 10 {
			time.Sleep(time.Hour)
			w.wantToken(m, "entra_id", directoryApp)
			wantEnd(fresh)
		}
		if after := w.entra.Stats(); after.Refused[700027] != stats.Refused[700027] {
			t.Errorf("refused %v, %v before", after.Refused, stats.Refused)
		}
	})
}

// Somebody took the old certificate away before the new one was registered. Both are tried in turn, so that whichever comes back first ends it,
// while the token that is held serves.
func TestCertificatesAreTriedInTurnWhenEntraTakesNone(t *testing.T) {
	for _, comesBack := range []string{"old", "new"} {
		t.Run(comesBack, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, fresh := lasting(48*time.Hour), lasting(72*time.Hour)
				w := certificateWorld(t, newWorld, nil, old, lasting(time.Hour))
				w.keySecrets(fresh)
				w.put("tls.crt", old.certificatePEM()+old.pkcs8())
				m := w.manager()
				stop := w.run(m)
				defer stop()
				held := w.wantToken(m, "entra_id", directoryApp)
				w.put("tls.crt", fresh.certificatePEM()+fresh.pkcs8())
				w.entra.Unregister(directoryApp, old.certificate)
				time.Sleep(45 * time.Minute)
				if w.wantToken(m, "entra_id", directoryApp) != held || w.entra.Stats().Refused[700027] < 10 {
					t.Errorf("stats %+v, want no other token yet", w.entra.Stats())
				}
				pair := map[string]madePair{"old": old, "new": fresh}[comesBack]
				w.entra.Register(directoryApp, pair.certificate)
				time.Sleep(4 * maxBackoff)
				if w.wantToken(m, "entra_id", directoryApp) == held || !m.Status()[0].CertificateExpiry.Equal(pair.certificate.NotAfter) {
					t.Errorf("not tried in two minutes: %+v", m.Status()[0])
				}
			})
		})
	}
}

// A thousand callers read tokens while the files change again and again and each token lives for minutes only: nobody sees any of it.
func TestCertificateRotationUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pairs := []madePair{lasting(48 * time.Hour), lasting(48 * time.Hour), lasting(48 * time.Hour)}
		w := certificateWorld(t, newWorld, func(c *entra.Config) { c.TokenLifetime = 4 * time.Minute }, pairs...)
		w.use(Credential{Certificate: &Certificate{File: w.path("tls.crt"), KeyFile: w.path("tls.key")}})
		w.put("tls.crt", pairs[0].certificatePEM())
		w.put("tls.key", pairs[0].pkcs8())
		m := w.manager()
		stop := w.run(m)
		defer stop()
		w.wantToken(m, "entra_id", directoryApp)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				for ctx.Err() == nil {
					if _, err := m.Token(t.Context(), "entra_id"); err != nil {
						t.Error("a caller saw the replacement: ", err)
						return
					}
					time.Sleep(13 * time.Second)
				}
			})
		}
		for i := range 30 {
			next := pairs[(i+1)%len(pairs)]
			w.put("tls.crt", next.certificatePEM())
			time.Sleep(35 * time.Second) // some token requests meet halves of two pairs
			w.put("tls.key", next.pkcs8())
			time.Sleep(55 * time.Second)
		}
		cancel()
		callers.Wait()
		stats := w.entra.Stats()
		if len(stats.Refused) != 0 || stats.Issued < 15 {
			t.Errorf("stats %+v", stats)
		}
		if failures := m.Status()[0].Failures; slices.Max(slices.Collect(maps.Values(failures))) != 0 {
			t.Errorf("failures %v", failures)
		}
		w.wantLog("stays in use", "detail=key_mismatch")
		if reads := strings.Count(w.logs.String(), `msg="certificate read"`); reads < 10 {
			t.Errorf("%d certificates were read", reads)
		}
	})
}
