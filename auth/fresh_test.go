package auth

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// A federated credential that an administrator has just created is not known everywhere for a while. Nothing has to be restarted.
func TestFreshFederatedCredentialIsRetriedUntilEntraKnowsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const unknown = 2 * time.Minute
		w := newWorld(t, func(c *entra.Config) { c.Apps[0].FederatedCredentials[0].KnownFrom = time.Now().Add(unknown) })
		m := w.manager()
		stop := w.run(m)
		defer stop()
		time.Sleep(time.Second / 2)
		failure := w.wantError(m, "entra_id", CodeRejected)
		if failure.AADSTS != 70021 {
			t.Errorf("AADSTS%d, want 70021", failure.AADSTS)
		}
		time.Sleep(unknown + maxBackoff*3/2)
		w.wantToken(m, "entra_id", directoryApp)
		w.wantToken(m, "outlook_mail", mailApp)
		if refused := w.entra.Stats().Refused[70021]; refused < 4 || refused > 60 {
			t.Errorf("asked %d times too early, want some", refused)
		}
	})
}
