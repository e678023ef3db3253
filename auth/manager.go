// Package auth gets Microsoft Graph access tokens by federated identity and keeps them fresh, one Entra application per connector. Each
// way to sign in ([Credential]) has a file of its own.
//
// Call [New] with the configuration, [Manager.Run] in a goroutine for as long as the process serves, and [Manager.Token] for each
// request, [Manager.Rejected] when Graph answers 401 to one; [Manager.Ready] and [Manager.First] say when the first tokens are there and [Manager.Status] feeds metrics.
//
// A token is refreshed at half of its life, or when Entra asked for it (refresh_in), but after an hour at the latest. While Entra does not give one, the last is used
// until a minute before it expires; after that callers get an [Error] that says when to come again. However many callers wait, an
// application makes one request at a time, and none while it backs off after a failure.
//
// Tokens take part in continuous access evaluation: they live for up to 28 hours, and Graph may call one back, which Rejected answers.
//
// Nothing here logs or returns as an error any part of a token, of a credential or of what Entra or a platform answered. The package
// keeps nothing on disk.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Manager holds the tokens. All methods are safe for concurrent use.
type Manager struct {
	applications map[string]*application // by connector; connectors with one client id share a value
	http         *http.Client
	first        chan struct{}
}

// New makes a Manager from a configuration. It reads the CA file, but neither a credential nor anything from the network.
func New(cfg Config, logger *slog.Logger) (*Manager, error) {
	return newManager(cfg, logger, network{dial: (&net.Dialer{Timeout: connectTimeout}).DialContext})
}

func newManager(cfg Config, logger *slog.Logger, n network) (*Manager, error) {
	cfg, cloud, err := cfg.Complete()
	if err != nil {
		return nil, fmt.Errorf("checking token configuration: %w", err)
	}
	n.logger = logger
	httpClient, err := n.entra(cfg.CAFile, cloud)
	if err != nil {
		return nil, fmt.Errorf("creating token client: %w", err)
	}
	m := &Manager{applications: make(map[string]*application, len(cfg.Connectors)), http: httpClient, first: make(chan struct{})}
	byClient := make(map[string]*application)
	waiting := new(atomic.Int64)
	for _, name := range slices.Sorted(maps.Keys(cfg.Connectors)) {
		connector := cfg.Connectors[name]
		a, ok := byClient[connector.ClientID]
		if !ok {
			client, err := newMSALClient(cfg, connector, n, httpClient)
			if err != nil {
				return nil, fmt.Errorf("creating token client for connector %q: %w", name, err)
			}
			a = newApplication(connector.ClientID, client, logger)
			a.first = func() {
				if waiting.Add(-1) == 0 {
					close(m.first)
				}
			}
			waiting.Add(1)
			byClient[connector.ClientID] = a
		}
		a.connectors = append(a.connectors, name)
		m.applications[name] = a
	}
	return m, nil
}

// Run fetches the first tokens and then refreshes each ahead of its expiry, until ctx ends. A request that is under way at that
// moment ends by its own time limit of 20 seconds; Run does not wait for it.
func (m *Manager) Run(ctx context.Context) {
	defer m.http.CloseIdleConnections()
	var running sync.WaitGroup
	for a := range m.distinct() {
		running.Go(func() { a.keepFresh(ctx) })
	}
	running.Wait()
}

// Token returns the access token of the connector's application, without the "Bearer " before it. With a valid token held, the normal
// case, it takes no lock and does no I/O. Otherwise it waits for the one running request until ctx ends, or fails at once while the
// application backs off. The error is an [*Error], or has [ErrUnknownConnector] in its chain.
func (m *Manager) Token(ctx context.Context, connector string) (string, error) {
	a, ok := m.applications[connector]
	if !ok {
		return "", fmt.Errorf("getting graph token for connector %q: %w", connector, ErrUnknownConnector)
	}
	return a.token(ctx)
}

// Ready returns nil once every configured connector has had its first token, and stays so: a process whose tokens ran out answers
// with an error that says when to retry, which no restart and no other replica would do better. The error names the connectors that
// wait, and why.
func (m *Manager) Ready() error {
	var waiting []error
	for _, name := range slices.Sorted(maps.Keys(m.applications)) {
		a := m.applications[name]
		if a.held.Load() != nil {
			continue
		}
		reason := "not yet requested"
		if f := a.failed.Load(); f != nil {
			reason = f.err.summary() + ": " + Hint(&f.err)
		}
		waiting = append(waiting, fmt.Errorf("waiting for first token of connector %q: %s", name, reason))
	}
	return errors.Join(waiting...)
}

// First is closed when Ready becomes nil.
func (m *Manager) First() <-chan struct{} { return m.first }

// Status is the state of one connector, for metrics. Connectors that share an application have equal values but for the name.
type Status struct {
	Connector, ClientID string
	// Acquired and Expiry are those of the last token; zero before the first.
	Acquired, Expiry time.Time
	// CertificateExpiry is when the certificate in use to sign in ends; zero before it was read, and without one.
	CertificateExpiry time.Time
	// LastError is the last attempt's failure; nil after a success and before the first attempt.
	LastError *Error
	// RetryAt is when the next attempt follows on LastError, or has followed if it is past and that runs; zero without one.
	RetryAt time.Time
	// Refreshes counts successful token requests.
	Refreshes uint64
	// Failures counts failed attempts by cause; every cause is present.
	Failures map[Code]uint64
	// Rejections counts tokens that Graph answered 401 to, by kind; both kinds are present. A token counts once for each.
	Rejections map[Rejection]uint64
}

// Status returns the state of every connector, sorted by name.
func (m *Manager) Status() []Status {
	all := make([]Status, 0, len(m.applications))
	for _, name := range slices.Sorted(maps.Keys(m.applications)) {
		all = append(all, m.applications[name].status(name))
	}
	return all
}

// distinct yields each application once.
func (m *Manager) distinct() map[*application]bool {
	set := make(map[*application]bool, len(m.applications))
	for _, a := range m.applications {
		set[a] = true
	}
	return set
}
