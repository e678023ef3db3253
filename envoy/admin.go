package envoy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
)

// Paths of Envoy's admin interface.
const (
	adminReady     = "/ready"
	adminListeners = "/listeners"
	adminDrain     = "/drain_listeners"
)

// adminClient talks to the admin interface at address, a socket path or an IP
// address and port.
type adminClient struct {
	address string
	http    http.Client
}

func newAdminClient(address string) *adminClient {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	return &adminClient{address: address, http: http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			},
		},
	}}
}

func (a *adminClient) ask(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := a.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking %s: status %d", path, response.StatusCode)
	}
	return body, nil
}

func (a *adminClient) post(ctx context.Context, path string) error {
	_, err := a.ask(ctx, http.MethodPost, path)
	return err
}

// listener is the address that the listener is bound to.
func (a *adminClient) listener(ctx context.Context) (string, error) {
	body, err := a.ask(ctx, http.MethodGet, adminListeners+"?format=json")
	if err != nil {
		return "", err
	}
	var answer struct {
		Statuses []struct {
			Name  string `json:"name"`
			Local struct {
				Socket struct {
					Address string `json:"address"`
					Port    uint16 `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	for _, s := range answer.Statuses {
		if s.Name == listenerName {
			return net.JoinHostPort(s.Local.Socket.Address, strconv.Itoa(int(s.Local.Socket.Port))), nil
		}
	}
	return "", fmt.Errorf("asking %s: no listener %q", adminListeners, listenerName)
}

// discovered says which of some secrets Envoy has not taken. It starts all the same, and
// says that it is ready: with keys of a kind that it does not support, for one. Then it
// closes every connection.
func (a *adminClient) discovered(ctx context.Context, secrets []string) error {
	body, err := a.ask(ctx, http.MethodGet, "/stats?filter="+url.QueryEscape(`^sds\..*\.update_success$`))
	if err != nil {
		return err
	}
	taken := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			taken[name] = value
		}
	}
	for _, secret := range secrets {
		if n := taken["sds."+secret+".update_success"]; n == "" || n == "0" {
			return fmt.Errorf("it does not take the files of %s", secret)
		}
	}
	return nil
}

// drained says whether the listener is closed and no request is in progress.
func (a *adminClient) drained(ctx context.Context) (bool, error) {
	const stopped, active = "listener_manager.listener_stopped", "http." + listenerName + ".downstream_rq_active"
	body, err := a.ask(ctx, http.MethodGet, "/stats?filter="+url.QueryEscape("^("+stopped+"|"+active+")$"))
	if err != nil {
		return false, err
	}
	counts := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			counts[name] = value
		}
	}
	if counts[stopped] == "" || counts[active] == "" {
		return false, errors.New("asking /stats: no counts of listeners and requests")
	}
	return counts[stopped] != "0" && counts[active] == "0", nil
}

// untilReady waits for the admin interface and for the listener, and learns
// where they are.
func (p *Process) untilReady(ctx context.Context, admin *bootstrapv3.Admin, addressFile string) error {
	for {
		if p.admin == nil {
			p.admin = findAdmin(admin, addressFile)
		}
		if p.admin != nil {
			if _, err := p.admin.ask(ctx, http.MethodGet, adminReady); err == nil {
				p.address, err = p.admin.listener(ctx)
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until it is ready: %w", ctx.Err())
		case <-p.done:
			return fmt.Errorf("it ended: %w", p.err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// findAdmin returns nil while Envoy has not told the port of its admin interface.
func findAdmin(admin *bootstrapv3.Admin, addressFile string) *adminClient {
	if path := admin.GetAddress().GetPipe().GetPath(); path != "" {
		return newAdminClient(path)
	}
	if address, err := os.ReadFile(addressFile); err == nil && len(address) > 0 {
		return newAdminClient(string(address))
	}
	return nil
}
