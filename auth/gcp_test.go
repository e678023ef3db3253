package auth

import (
	"context"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/platform"
)

var (
	googleIssuer   = signingIssuer(platform.GCPIssuer)
	machineAccount = platform.GCPServiceAccount{UniqueID: "107517467455664443766", Email: "graphveil@synthetic.iam.gserviceaccount.com"}
	otherAccount   = platform.GCPServiceAccount{UniqueID: "117000000000000000042", Email: "other@synthetic.iam.gserviceaccount.com"}
)

// googleTrust is the federated credential that an administrator creates. Google signs by the second, so that two requests in one have the
// same token.
func googleTrust() entra.FederatedCredential {
	return entra.FederatedCredential{Issuer: platform.GCPIssuer, Subject: machineAccount.UniqueID, Audience: entra.Audience, Keys: googleIssuer().Keys(), Reusable: true}
}

func onGCP(t *testing.T, trust entra.FederatedCredential, credential GCP) (*world, *platform.GCP) {
	t.Setenv("GCE_METADATA_HOST", "")
	w := newLoopbackWorld(t, trusting(trust))
	machine := platform.NewGCP(googleIssuer(), machineAccount, otherAccount)
	w.place(metadataAddress, machine)
	w.guard(machine.Issued)
	w.signInWith(Credential{GCP: &credential})
	return w, machine
}

func TestGCPSignsIn(t *testing.T) {
	w, machine := onGCP(t, googleTrust(), GCP{})
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	w.wantToken(m, "outlook_mail", mailApp)
	w.wantToken(w.manager(), "entra_id", directoryApp)
	if machine.Requests() != 3 || len(machine.Issued()) != 3 {
		t.Errorf("%d requests and %d tokens for three token requests", machine.Requests(), len(machine.Issued()))
	}
}

func TestGCPFollowsItsVariable(t *testing.T) {
	w, _ := onGCP(t, googleTrust(), GCP{ServiceAccount: machineAccount.Email})
	w.place("metadata.example:80", platform.NewGCP(googleIssuer(), otherAccount, machineAccount))
	t.Setenv("GCE_METADATA_HOST", "metadata.example")
	w.wantToken(w.manager(), "entra_id", directoryApp)
}

func TestGCPSubjectIsTheNumber(t *testing.T) {
	trust := googleTrust()
	trust.Subject = machineAccount.Email
	w, _ := onGCP(t, trust, GCP{})
	w.wantRejected(700213)
}

func TestGCPOtherAccountAndAudience(t *testing.T) {
	w, _ := onGCP(t, googleTrust(), GCP{ServiceAccount: otherAccount.Email})
	w.wantRejected(700213)
	w, _ = onGCP(t, googleTrust(), GCP{Audience: "https://other.example"})
	w.wantRejected(700212)
	trust := googleTrust()
	trust.Issuer += "/"
	w, _ = onGCP(t, trust, GCP{})
	w.wantRejected(700211)
}

func TestGCPWithoutTheAccount(t *testing.T) {
	w, machine := onGCP(t, googleTrust(), GCP{ServiceAccount: "nobody@synthetic.iam.gserviceaccount.com"})
	w.wantDetail("gcp_no_service_account")
	if machine.Requests() != 1 {
		t.Errorf("%d requests, want one: what is not there does not come", machine.Requests())
	}
}

// TestGCPFailures has a clock of its own, because Google's client waits between its attempts.
func TestGCPFailures(t *testing.T) {
	t.Setenv("GCE_METADATA_HOST", "")
	for _, test := range []struct {
		name     string
		fault    platform.Fault
		detail   string
		requests int
		within   time.Duration
	}{
		{"fails for ever", platform.Fault{Status: http.StatusServiceUnavailable, Body: "backend eyJhbGciOi", Times: 100}, "gcp_unavailable", 6, 4 * time.Second},
		{"throttles for ever", platform.Fault{Status: http.StatusTooManyRequests, Times: 100}, "gcp_throttled", 6, 4 * time.Second},
		{"refuses", platform.Fault{Status: http.StatusForbidden, Body: "eyJhbGciOi", Times: 100}, "gcp_refused", 1, time.Second},
		{"redirects", platform.Fault{Status: http.StatusFound, Times: 100}, "gcp_refused", 1, time.Second},
		{"says nothing", platform.Fault{Times: 100}, "gcp_unreachable", 1, metadataTimeout},
		{"answers with a page", platform.Fault{Status: http.StatusOK, Body: "<html>eyJhbGciOi</html>", Times: 1}, "not_a_jwt", 1, time.Second},
		{"answers with nothing", platform.Fault{Status: http.StatusOK, Times: 1}, "empty", 1, time.Second},
		{"answers for ever", platform.Fault{Status: http.StatusOK, Body: strings.Repeat("a", maxResponseBody+1), Times: 1}, "too_large", 1, time.Second},
		{"answers with too much", platform.Fault{Status: http.StatusOK, Body: strings.Repeat("a", maxAssertion+1), Times: 1}, "too_large", 1, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, trusting(googleTrust()))
				machine := platform.NewGCP(googleIssuer(), machineAccount)
				w.placeInMemory(metadataAddress, machine)
				w.signInWith(Credential{GCP: &GCP{}})
				machine.Break(test.fault)
				start := time.Now()
				w.wantDetail(test.detail)
				if took := time.Since(start); took > test.within || machine.Requests() != test.requests {
					t.Errorf("%d requests in %v, want %d within %v", machine.Requests(), took, test.requests, test.within)
				}
			})
		})
	}
}

func TestGCPComesBack(t *testing.T) {
	t.Setenv("GCE_METADATA_HOST", "")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, trusting(googleTrust()))
		machine := platform.NewGCP(googleIssuer(), machineAccount)
		w.placeInMemory(metadataAddress, machine)
		w.guard(machine.Issued)
		w.signInWith(Credential{GCP: &GCP{}})
		machine.Break(platform.Fault{Status: http.StatusServiceUnavailable, Times: 3})
		w.wantToken(w.manager(), "entra_id", directoryApp)
		if machine.Requests() != 4 {
			t.Errorf("%d requests, want the three that failed and one", machine.Requests())
		}
	})
}

// TestGCPOutsideOfGoogle: nothing listens at the address, or nothing answers.
func TestGCPOutsideOfGoogle(t *testing.T) {
	t.Setenv("GCE_METADATA_HOST", "")
	for name, refuse := range map[string]func(context.Context) error{
		"refused":    func(context.Context) error { return syscall.ECONNREFUSED },
		"blackholed": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				w.signInWith(Credential{GCP: &GCP{}})
				elsewhere := w.dial
				w.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					if address != metadataAddress {
						return elsewhere(ctx, network, address)
					}
					return nil, &net.OpError{Op: "dial", Net: network, Err: refuse(ctx)}
				}
				start := time.Now()
				w.wantDetail("gcp_unreachable")
				if took := time.Since(start); took > metadataTimeout {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestGCPAsksForEachTokenRequest: over hours no assertion is used longer than it lives.
func TestGCPAsksForEachTokenRequest(t *testing.T) {
	t.Setenv("GCE_METADATA_HOST", "")
	synctest.Test(t, func(t *testing.T) {
		trust := googleTrust()
		trust.Reusable = false
		w := newWorld(t, trusting(trust))
		machine := platform.NewGCP(googleIssuer(), machineAccount)
		w.placeInMemory(metadataAddress, machine)
		w.guard(machine.Issued)
		w.cfg.Connectors = map[string]Connector{"entra_id": {ClientID: directoryApp, Credential: &Credential{GCP: &GCP{}}}}
		m := w.manager()
		stop := w.run(m)
		time.Sleep(5 * time.Hour)
		w.wantToken(m, "entra_id", directoryApp)
		stop()
		asked, signed := machine.Requests(), w.entra.Stats().TokenRequests
		if asked != signed || asked < 9 || w.entra.Stats().Issued != signed {
			t.Errorf("%d assertions for %d token requests, of which %d gave a token", asked, signed, w.entra.Stats().Issued)
		}
	})
}
