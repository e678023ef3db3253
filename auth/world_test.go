package auth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/internal/testlog"
)

const (
	tenantID     = "11111111-2222-3333-4444-555555555555"
	directoryApp = "aaaaaaaa-0000-0000-0000-000000000001"
	mailApp      = "aaaaaaaa-0000-0000-0000-000000000002"
	subject      = "system:serviceaccount:privacy:graphveil"
	cluster      = "https://oidc.example/cluster"
)

// clusterIssuer is made once: keys are slow.
var clusterIssuer = sync.OnceValue(func() *entra.Issuer {
	issuer, err := entra.NewIssuer(cluster)
	if err != nil {
		panic(err)
	}
	return issuer
})

// world is a synthetic Entra, a cluster's token files, and a Manager between them. An application's token file is rewritten after each
// of its token requests and assertions are good for one use, so a Manager that keeps an old assertion is found out at once.
//
// When the test ends, everything logged and every error it met is searched for all that was secret.
type world struct {
	t      *testing.T
	entra  *entra.Server
	folder string
	cfg    Config
	dial   dialer
	roots  *x509.CertPool // of platforms
	logs   *testlog.Buffer
	issuer *entra.Issuer
	ahead  time.Duration // of this process's clock: the cluster's and, if a test sees to it, Entra's

	mu      sync.Mutex
	secrets map[string]bool
	hosts   []string // dialled
}

// newWorld starts the tenant on an in-memory network under the name login.microsoftonline.com, so that a test in a synctest bubble
// has a clock of its own and MSAL's discovery runs as in production. adjust may change the tenant.
func newWorld(t *testing.T, adjust func(*entra.Config)) *world {
	t.Helper()
	w := prepareWorld(t, adjust)
	listener := &pipeListener{accept: make(chan net.Conn), closed: make(chan struct{})}
	w.serve(listener)
	w.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
		w.mu.Lock()
		w.hosts = append(w.hosts, address)
		w.mu.Unlock()
		return listener.dial(ctx)
	}
	return w
}

// newLoopbackWorld is the same on a TCP port, as a private cloud.
func newLoopbackWorld(t *testing.T, adjust func(*entra.Config)) *world {
	t.Helper()
	w := prepareWorld(t, adjust)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.serve(listener)
	w.cfg.Authority = "https://" + listener.Addr().String() + "/"
	w.cfg.SkipInstanceDiscovery = true
	w.dial = (&net.Dialer{}).DialContext
	return w
}

func prepareWorld(t *testing.T, adjust func(*entra.Config)) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir(), logs: &testlog.Buffer{}, issuer: clusterIssuer(), secrets: make(map[string]bool)}
	trust := []entra.FederatedCredential{{Issuer: cluster, Subject: subject, Audience: entra.Audience, Keys: clusterIssuer().Keys()}}
	cfg := entra.Config{
		TenantID: tenantID,
		Apps: []entra.App{
			{ClientID: directoryApp, Roles: []string{"User.Read.All"}, FederatedCredentials: trust},
			{ClientID: mailApp, Roles: []string{"Mail.ReadBasic.All"}, FederatedCredentials: trust},
		},
	}
	if adjust != nil {
		adjust(&cfg)
	}
	server, err := entra.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.entra = server
	w.cfg = Config{
		Tenant: tenantID,
		CAFile: filepath.Join(w.folder, "ca.pem"),
		Connectors: map[string]Connector{
			"entra_id":     {ClientID: directoryApp, Credential: fromTokenFile(w.file(directoryApp))},
			"outlook_mail": {ClientID: mailApp, Credential: fromTokenFile(w.file(mailApp))},
		},
	}
	if err := os.WriteFile(w.cfg.CAFile, serverCertificate().pem, 0o600); err != nil {
		t.Fatal(err)
	}
	w.rotate(directoryApp)
	w.rotate(mailApp)
	return w
}

func fromTokenFile(path string) *Credential { return &Credential{File: &File{Path: path}} }

// file is where the cluster puts the assertions of an application.
func (w *world) file(application string) string {
	return filepath.Join(w.folder, application, "entra-token")
}

func (w *world) serve(listener net.Listener) {
	server := &http.Server{Handler: http.HandlerFunc(w.handle), ErrorLog: log.New(io.Discard, "", 0)}
	config := &tls.Config{Certificates: []tls.Certificate{serverCertificate().pair}}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(tls.NewListener(listener, config)) })
	w.t.Cleanup(func() {
		if err := server.Close(); err != nil {
			w.t.Error(err)
		}
		running.Wait()
		w.searchForSecrets()
	})
}

// handle notes the secrets of an exchange and gives the cluster a new token after it.
func (w *world) handle(out http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.entra.ServeHTTP(out, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Error(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		w.t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := httptest.NewRecorder()
	w.entra.ServeHTTP(answer, r)
	var content struct {
		Token       string `json:"access_token"`
		Description string `json:"error_description"`
	}
	_ = json.Unmarshal(answer.Body.Bytes(), &content) // a fault's body need not be JSON
	w.secret(content.Token)
	w.secret(form.Get("claims"))
	w.secret(content.Description)
	w.secret(form.Get("client_assertion"))
	w.secret(form.Get("client_secret"))
	w.rotate(form.Get("client_id"))
	for name, values := range answer.Header() {
		out.Header()[name] = values
	}
	out.WriteHeader(answer.Code)
	_, _ = out.Write(answer.Body.Bytes())
}

// rotate puts a new assertion into the application's token file.
func (w *world) rotate(application string) {
	w.t.Helper()
	if err := w.issuer.WriteProjectedToken(w.file(application), subject, entra.Audience, time.Hour); err != nil {
		w.t.Error(err)
		return
	}
	if w.ahead != 0 {
		now := time.Now().Add(w.ahead).Unix()
		assertion, err := w.issuer.Sign(map[string]any{"iss": cluster, "sub": subject, "aud": entra.Audience, "jti": rand.Text(), "nbf": now, "iat": now, "exp": now + 3600})
		if err != nil {
			w.t.Error(err)
		}
		if err := os.WriteFile(w.file(application), []byte(assertion), 0o600); err != nil {
			w.t.Error(err)
		}
	}
	assertion, err := os.ReadFile(w.file(application))
	if err != nil {
		w.t.Error(err)
	}
	w.secret(string(assertion))
}

func (w *world) secret(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text != "" {
		w.secrets[text] = true
	}
}

func (w *world) searchForSecrets() {
	w.mu.Lock()
	defer w.mu.Unlock()
	logs := w.logs.String()
	for secret := range w.secrets {
		for _, part := range strings.Split(secret, ".") { // of a JWT, no part either
			if len(part) > 8 && strings.Contains(logs, part) {
				w.t.Errorf("a secret of %d bytes is in logs or errors:\n%s", len(secret), logs)
				return
			}
		}
	}
	for _, mark := range []string{"eyJ", "Trace ID", "error_description"} {
		if strings.Contains(logs, mark) {
			w.t.Errorf("%q is in logs or errors:\n%s", mark, logs)
		}
	}
}

func (w *world) manager() *Manager {
	w.t.Helper()
	m, err := newManager(w.cfg, slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), network{dial: w.dial, roots: w.roots})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(m.http.CloseIdleConnections)
	return m
}

// run keeps the manager's tokens fresh until the test ends or stop is called.
func (w *world) run(m *Manager) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// wantToken gets a token that the tenant's Graph would accept for the application.
func (w *world) wantToken(m *Manager, connector, application string) string {
	w.t.Helper()
	value, err := m.Token(w.t.Context(), connector)
	if err != nil {
		w.t.Fatal(err)
	}
	claims, err := w.entra.Verify(value)
	if err != nil {
		w.t.Fatal(err)
	}
	if claims.AppID != application {
		w.t.Fatalf("connector %s got a token of application %s, want %s", connector, claims.AppID, application)
	}
	return value
}

// wantError gets no token, and the error has this code.
func (w *world) wantError(m *Manager, connector string, code Code) *Error {
	w.t.Helper()
	value, err := m.Token(w.t.Context(), connector)
	if value != "" {
		w.t.Fatal("got a token, want an error")
	}
	return w.checkError(err, code)
}

func (w *world) checkError(err error, code Code) *Error {
	w.t.Helper()
	var failure *Error
	if !errors.As(err, &failure) || !errors.Is(err, ErrUnavailable) {
		w.t.Fatalf("error is %T, want an *Error that matches ErrUnavailable", err)
	}
	_, _ = io.WriteString(w.logs, err.Error()+"\n")
	if failure.Code != code {
		w.t.Errorf("code %s (AADSTS%d, %s), want %s", failure.Code, failure.AADSTS, failure.Detail, code)
	}
	if failure.RetryAfter() < time.Second {
		w.t.Errorf("retry after %v, want a second at least", failure.RetryAfter())
	}
	return failure
}

func (w *world) dialled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Sorted(slices.Values(w.hosts)))
}

// certificate is good for the loopback and Entra's name, from before the clock of a synctest bubble (2000) on.
type certificate struct {
	pair tls.Certificate
	pem  []byte
}

var serverCertificate = sync.OnceValue(func() certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "synthetic entra"},
		NotBefore:    time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		DNSNames: []string{"login.microsoftonline.com", "login.windows.net", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.private.example",
			"*.eu-central-1.amazonaws.com", "cognito-identity.amazonaws.com", "*.tokens.sts.global.api.aws"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return certificate{
		pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
})

// pipeListener is a network of one server, in memory.
type pipeListener struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accept <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accept:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }
