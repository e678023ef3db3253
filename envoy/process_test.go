package envoy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/envoy/envoytest"
)

// adminGet asks the admin interface and returns the status.
func adminGet(t *testing.T, address, method, path string) int {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	request, err := http.NewRequest(method, "http://envoy"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// The admin interface could otherwise print tokens, change settings, or end
// Envoy.
func TestAdminServesLittle(t *testing.T) {
	t.Parallel()
	for name, admin := range map[string]string{"of its own": "", "on a port": "127.0.0.1:0", "on a socket": envoytest.Socket(t)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, &stub{}, hello, func(c *envoy.Config) { c.Admin = admin })
			for path, want := range map[string]int{
				"/ready":                    200,
				"/stats?usedonly":           200,
				"/stats/prometheus":         200,
				"/listeners?format=json":    200,
				"/server_info":              200,
				"/":                         403,
				"/config_dump":              403,
				"/certs":                    403,
				"/clusters":                 403,
				"/readyx":                   403,
				"/stats/recentlookups":      403,
				"/runtime":                  403,
				"/logging?level=debug":      403,
				"/runtime_modify?a=b":       403,
				"/quitquitquit":             403,
				"/cpuprofiler?enable=y":     403,
				"/reset_counters":           403,
				"/healthcheck/fail":         403,
				"/drain_listenersx":         403,
				"/ready/../logging":         403,
				"/logging?paths=http:debug": 403,
			} {
				method := "GET"
				if want == 403 {
					method = "POST"
				}
				if got := adminGet(t, r.Admin(), method, path); got != want {
					t.Errorf("%s: got %d, want %d", path, got, want)
				}
			}
			if strings.HasPrefix(r.Admin(), "/") {
				info, err := os.Stat(r.Admin())
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("the socket has mode %v (%v)", info.Mode(), err)
				}
			}
		})
	}
}

func TestDrainThenStop(t *testing.T) {
	t.Parallel()
	hold, arrived := make(chan struct{}), make(chan struct{})
	r := newRig(t, &stub{}, func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/held" {
			close(arrived)
			<-hold
		}
		hello(w, q)
	})
	client := r.Client(t, true)
	held := make(chan int, 1)
	go func() {
		response, err := client.Get(r.URL + "/held")
		if err != nil {
			t.Error(err)
			held <- 0
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != `{"VALUE":"HELLO"}` {
			t.Errorf("the held request got %q, %v", body, err)
		}
		held <- response.StatusCode
	}()
	<-arrived
	drained := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		drained <- r.Drain(ctx)
	}()
	// Connections are accepted for a while, and answered with the wish to close
	// them.
	var closing bool
	for deadline := time.Now().Add(10 * time.Second); !closing && time.Now().Before(deadline); {
		response, err := r.Client(t, false).Get(r.URL + "/")
		if err != nil {
			t.Fatal("refused before a caller could know: ", err)
		}
		response.Body.Close()
		closing = response.Close
	}
	if !closing {
		t.Error("callers are not asked to close their connections")
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", r.Address())
		if err != nil {
			break
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the listener stays open")
		}
	}
	select {
	case err := <-drained:
		t.Fatalf("drained with a request in progress: %v", err)
	default:
	}
	close(hold)
	if status := <-held; status != 200 {
		t.Errorf("the held request got %d", status)
	}
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := r.Wait(); err != nil {
		t.Error(err)
	}
}

func TestDrainGivesUp(t *testing.T) {
	t.Parallel()
	hold, arrived := make(chan struct{}), make(chan struct{})
	r := newRig(t, &stub{}, func(w http.ResponseWriter, q *http.Request) {
		close(arrived)
		<-hold
	})
	defer close(hold)
	go func() {
		if response, err := r.Client(t, true).Get(r.URL + "/"); err == nil {
			response.Body.Close()
		}
	}()
	<-arrived
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := r.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// An Envoy that answers nothing for longer than its admin interface is waited for, as on a
// machine without time for it, is drained all the same.
func TestDrainWaitsForOneThatIsBusy(t *testing.T) {
	t.Parallel()
	for name, told := range map[string]bool{"before it is told": false, "after it was told": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hold, arrived := make(chan struct{}), make(chan struct{})
			r := newRig(t, &stub{}, func(w http.ResponseWriter, q *http.Request) {
				close(arrived)
				<-hold
				hello(w, q)
			})
			held := make(chan int, 1)
			go func() {
				response, err := r.Client(t, true).Get(r.URL + "/")
				if err != nil {
					held <- 0
					return
				}
				response.Body.Close()
				held <- response.StatusCode
			}()
			<-arrived
			stop := func() {
				if err := syscall.Kill(r.Pid(), syscall.SIGSTOP); err != nil {
					t.Error(err)
				}
			}
			if !told {
				stop()
			}
			drained := make(chan error, 1)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				drained <- r.Drain(ctx)
			}()
			if told {
				time.Sleep(500 * time.Millisecond)
				stop()
			}
			select {
			case err := <-drained:
				t.Errorf("given up with a request in progress: %v", err)
				drained <- err
			case <-time.After(6 * time.Second): // more than the 5 of the admin client
			}
			if err := syscall.Kill(r.Pid(), syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			close(hold)
			if status := <-held; status != http.StatusOK {
				t.Errorf("the held request got %d", status)
			}
			if err := <-drained; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stub{}, hello)
	if err := syscall.Kill(r.Pid(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := r.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	<-r.Done()
	if err := r.Wait(); err == nil {
		t.Error("a killed process counts as well ended")
	}
	if err := r.Stop(t.Context()); err == nil {
		t.Error("stopping it again does not tell how it ended")
	}
}

func TestEndIsNoticed(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stub{}, hello)
	dir := filepath.Dir(r.Admin())
	if _, err := os.Stat(dir); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(r.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("not noticed")
	}
	if err := r.Wait(); err == nil {
		t.Error("a killed process counts as well ended")
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func TestStartTellsWhy(t *testing.T) {
	t.Parallel()
	binary := envoytest.Binary(t)
	a := envoytest.NewAuthority(t)
	own := a.Issue(t, "localhost")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, test := range map[string]struct {
		change func(*envoy.Config)
		want   string
	}{
		"no certificate file": {func(c *envoy.Config) { c.TLS.CertFile = "absent.crt" }, "absent.crt"},
		"port taken":          {func(c *envoy.Config) { c.Listen = taken.Addr().String() }, "Address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			config := envoy.Config{
				Listen:    "127.0.0.1:0",
				TLS:       envoy.TLS{CertFile: own.CertFile, KeyFile: own.KeyFile},
				Processor: envoytest.Socket(t),
				Upstream:  envoy.Upstream{Address: "127.0.0.1:1", CAFile: a.File},
			}
			test.change(&config)
			bootstrap, err := envoy.Render(config)
			if err != nil {
				t.Fatal(err)
			}
			_, err = envoy.Start(t.Context(), binary, bootstrap, envoy.Options{})
			if err == nil || !strings.HasPrefix(err.Error(), "starting envoy: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want a word about %q", err, test.want)
			}
		})
	}
	t.Run("no such binary", func(t *testing.T) {
		bootstrap, err := envoy.Render(envoy.Config{TLS: envoy.TLS{CertFile: "a", KeyFile: "b"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := envoy.Start(t.Context(), "/absent/envoy", bootstrap, envoy.Options{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

// Two run side by side, which they would not with Envoy's defaults.
func TestTwoAtATime(t *testing.T) {
	t.Parallel()
	first, second := newRig(t, &stub{}, hello), newRig(t, &stub{}, hello)
	for _, r := range []*rig{first, second} {
		if got := send(t, r.Client(t, true), "GET", r.URL+"/"); got.status != 200 {
			t.Errorf("got %d", got.status)
		}
	}
}
