package envoy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config says where Envoy listens, whom it trusts and how long it waits. The
// zero value of every field but the certificate is usable; [Config.Validate]
// names the key of a field that is not.
//
// File names are given to Envoy as they are: relative ones are relative to the
// directory that Envoy runs in.
type Config struct {
	// Listen is the IP address and port that callers connect to; [::] takes those of
	// IPv4, too. Port 0 takes a free one, see [Process.Address]. Zero: 127.0.0.1:8443.
	Listen string `yaml:"listen"`

	// TLS is what callers see of Envoy and what Envoy asks of callers.
	TLS TLS `yaml:"tls"`

	// JWT asks callers for tokens of their own.
	JWT JWT `yaml:"jwt"`

	// Processor is where `graphveil serve` listens: the absolute path of a Unix
	// socket, or a loopback IP address and port. Graph tokens travel over it in
	// clear, so nothing but loopback is accepted.
	// Zero: /run/graphveil/processor.sock.
	Processor string `yaml:"processor"`

	// Upstream is Microsoft Graph.
	Upstream Upstream `yaml:"upstream"`

	// Retry is about requests that Graph asks to repeat later.
	Retry Retry `yaml:"retry"`

	// RateLimit lets many sidecars keep one quota.
	RateLimit RateLimit `yaml:"rate_limit"`

	// LocalRateLimit bounds what this Envoy alone sends to Graph.
	LocalRateLimit LocalRateLimit `yaml:"local_rate_limit"`

	// Tracing is where the processor sends its spans too, so it is no key of its own.
	Tracing Tracing `yaml:"-"`

	// Timeouts bound how long each part of an exchange may take.
	Timeouts Timeouts `yaml:"timeouts"`

	// Limits bound what Envoy takes on at one time.
	Limits Limits `yaml:"limits"`

	// Admin is where Envoy's admin interface listens: the absolute path of a
	// Unix socket, or a loopback IP address and port. Only readiness, statistics
	// and draining are served there. Whoever reaches it can drain the listener,
	// so prefer a socket where other programs share the loopback device.
	// Zero: no admin interface, except that [Start] makes one for itself.
	Admin string `yaml:"admin"`

	// AccessLog is the file that one JSON line per exchange is appended to.
	// Zero: Envoy's standard output.
	AccessLog string `yaml:"access_log"`

	// Workers is the number of worker threads. It is no part of a bootstrap: it
	// is for [Options.Workers], or the flag --concurrency.
	// Zero: one per hardware thread.
	Workers int `yaml:"workers"`
}

// TLS is the downstream side: minimum version 1.2, HTTP/2 and HTTP/1.1 by ALPN.
type TLS struct {
	// CertFile is the PEM file of the certificate chain. Required.
	CertFile string `yaml:"cert_file"`

	// KeyFile is the PEM file of its private key. Required.
	KeyFile string `yaml:"key_file"`

	// ClientCAFile is the PEM file of the authorities that client certificates
	// are verified against. The SPIFFE id and the subject of a verified one
	// reach the processor as the request attributes
	// connection.uri_san_peer_certificate and
	// connection.subject_peer_certificate.
	// Zero: client certificates are not asked for.
	ClientCAFile string `yaml:"client_ca_file"`

	// ClientCertificate is `required` or `optional`. An optional one that does
	// not verify still fails the handshake. Zero: required, if there is a
	// ClientCAFile.
	ClientCertificate string `yaml:"client_certificate"`
}

// Upstream says which Graph to talk to. The name in Host is sent as SNI and as
// Host header, and the certificate must be for it.
type Upstream struct {
	// Host is a host name with an optional port; national clouds have other
	// names. Zero: graph.microsoft.com:443.
	Host string `yaml:"host"`

	// Address is the host and port to connect to instead of Host, which changes
	// neither the name sent nor the name checked. Zero: Host.
	Address string `yaml:"address"`

	// CAFile is the PEM file of the authorities that the upstream certificate is
	// verified against. Envoy has no built-in set. Zero: the system bundle of
	// Debian, Alpine, Arch and distroless images,
	// /etc/ssl/certs/ca-certificates.crt. Elsewhere name the system's own:
	// /etc/pki/tls/certs/ca-bundle.crt (Red Hat, Fedora), /etc/ssl/ca-bundle.pem
	// (SUSE), /etc/ssl/cert.pem (macOS).
	CAFile string `yaml:"ca_file"`

	// Compression is what Graph is asked for: `gzip`, which the processor inflates,
	// or `none`, which saves it about a tenth of its time where the line to Graph is
	// as fast as a local network (bench/wan). Answers that come in gzip are read
	// either way. Zero: gzip.
	Compression string `yaml:"compression"`
}

// Retry is about answers that carry Retry-After in seconds, as Graph sends with
// 429 and often with 503 and 504. Envoy waits that long, up to half as long
// again, and repeats the request. Answers without Retry-After, or with one
// longer than MaxWait, go to the caller, who then knows when to come back.
type Retry struct {
	// Count is how often one request is repeated. Zero: 2. -1: never.
	Count int `yaml:"count"`

	// MaxWait is the longest Retry-After that Envoy waits for itself, in whole
	// seconds, at most 300s; twice that must fit into Timeouts.Idle, during
	// which nothing moves. Zero: 20s.
	MaxWait time.Duration `yaml:"max_wait"`
}

// Timeouts are written as in 1m30s.
type Timeouts struct {
	// Request is how long a caller may take to send a request. Zero: 10s.
	Request time.Duration `yaml:"request"`

	// Processor is how long the processor may take to decide a request. It does
	// not cover responses: Envoy runs no such timer in the body mode used, so
	// the processor has deadlines of its own and Idle is Envoy's. Zero: 5s.
	Processor time.Duration `yaml:"processor"`

	// Connect is how long a connection to Graph may take, TLS included. Zero: 5s.
	Connect time.Duration `yaml:"connect"`

	// Idle is how long an exchange may go on without a byte moving in either
	// direction, whoever is to blame. Zero: 60s.
	Idle time.Duration `yaml:"idle"`

	// Exchange is how long an exchange may take altogether. Zero: 15m.
	Exchange time.Duration `yaml:"exchange"`
}

// Limits are numbers per Envoy process unless they say otherwise.
type Limits struct {
	// Connections is the number of caller connections; more are closed at once.
	// Zero: 4096.
	Connections int `yaml:"connections"`

	// Streams is the number of concurrent requests on one HTTP/2 connection.
	// Zero: 100.
	Streams int `yaml:"streams"`

	// Requests is the number of concurrent requests; more are answered 503.
	// Zero: 4096.
	Requests int `yaml:"requests"`

	// HeadersKB is the size of all headers of one request, or of one response,
	// in KiB, at most 8192. Zero: 60.
	HeadersKB int `yaml:"headers_kb"`

	// Headers is the number of headers of one request, or of one response.
	// Zero: 100.
	Headers int `yaml:"headers"`
}

// DefaultHost is the API of the global cloud.
const DefaultHost = "graph.microsoft.com"

const (
	defaultListen    = "127.0.0.1:8443"
	defaultProcessor = "/run/graphveil/processor.sock"
	defaultPort      = "443"
	defaultCAFile    = "/etc/ssl/certs/ca-certificates.crt"

	compressionGzip = "gzip"
	compressionNone = "none"

	clientCertificateRequired = "required"
	clientCertificateOptional = "optional"

	// maxRetryAfter is the longest wait for which a Retry-After is honoured.
	maxRetryAfter = 300 * time.Second

	// maxSocketPath is what sockaddr_un holds on macOS, which has the smaller
	// one of 104 bytes, less the final NUL.
	maxSocketPath = 103
)

// filled returns c with the defaults in place of zeros.
func (c Config) filled() Config {
	fill(&c.Listen, defaultListen)
	fill(&c.Processor, defaultProcessor)
	fill(&c.Upstream.Host, DefaultHost)
	fill(&c.Upstream.CAFile, defaultCAFile)
	fill(&c.Upstream.Compression, compressionGzip)
	if c.TLS.ClientCAFile != "" {
		fill(&c.TLS.ClientCertificate, clientCertificateRequired)
	}
	fill(&c.Retry.Count, 2)
	fill(&c.Retry.MaxWait, 20*time.Second)
	c.RateLimit = c.RateLimit.filled()
	c.LocalRateLimit = c.LocalRateLimit.filled()
	fill(&c.Timeouts.Request, 10*time.Second)
	fill(&c.Timeouts.Processor, 5*time.Second)
	fill(&c.Timeouts.Connect, 5*time.Second)
	fill(&c.Timeouts.Idle, 60*time.Second)
	fill(&c.Timeouts.Exchange, 15*time.Minute)
	fill(&c.Limits.Connections, 4096)
	fill(&c.Limits.Streams, 100)
	fill(&c.Limits.Requests, 4096)
	fill(&c.Limits.HeadersKB, 60)
	fill(&c.Limits.Headers, 100)
	return c
}

// fill sets *field to value if it is zero.
func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns all that is wrong with c, each with the key it is about, or
// nil. It opens no file.
func (c Config) Validate() error {
	c = c.filled()
	var errs []error
	check := func(key string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("checking %s: %w", key, err))
		}
	}
	check("listen", second(netip.ParseAddrPort(c.Listen)))
	check("tls.cert_file", required(c.TLS.CertFile))
	check("tls.key_file", required(c.TLS.KeyFile))
	check("tls.client_certificate", c.TLS.checkClientCertificate())
	c.JWT.validate(check)
	check("processor", checkLocal(c.Processor))
	check("upstream.host", c.Upstream.checkHost())
	if c.Upstream.Address != "" {
		_, _, err := splitHostPort(c.Upstream.Address)
		check("upstream.address", err)
	}
	check("upstream.compression", c.Upstream.checkCompression())
	if c.Admin != "" {
		check("admin", checkLocal(c.Admin))
	}
	check("retry.count", within(c.Retry.Count, -1, 10))
	check("retry.max_wait", c.checkMaxWait())
	c.RateLimit.validate(check)
	c.LocalRateLimit.validate(check)
	c.Tracing.validate(check)
	check("timeouts.request", duration(c.Timeouts.Request))
	check("timeouts.processor", duration(c.Timeouts.Processor))
	check("timeouts.connect", duration(c.Timeouts.Connect))
	check("timeouts.idle", duration(c.Timeouts.Idle))
	check("timeouts.exchange", duration(c.Timeouts.Exchange))
	check("limits.connections", within(c.Limits.Connections, 1, 1<<20))
	check("limits.streams", within(c.Limits.Streams, 1, 1<<16))
	check("limits.requests", within(c.Limits.Requests, 1, 1<<20))
	check("limits.headers_kb", within(c.Limits.HeadersKB, 1, 8192))
	check("limits.headers", within(c.Limits.Headers, 10, 10000))
	check("workers", within(c.Workers, 0, 1024))
	return errors.Join(errs...)
}

func (t TLS) checkClientCertificate() error {
	switch t.ClientCertificate {
	case "":
		return nil
	case clientCertificateRequired, clientCertificateOptional:
		if t.ClientCAFile == "" {
			return errors.New("needs tls.client_ca_file")
		}
		return nil
	default:
		return fmt.Errorf("want %q or %q", clientCertificateRequired, clientCertificateOptional)
	}
}

func (u Upstream) checkHost() error {
	host, _, err := u.hostPort()
	if err != nil {
		return err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return errors.New("want a host name, not an address: the certificate is checked for it; see upstream.address")
	}
	if strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != "" {
		return errors.New("want a host name with an optional port")
	}
	return nil
}

func (u Upstream) checkCompression() error {
	if u.Compression != compressionGzip && u.Compression != compressionNone {
		return fmt.Errorf("want %q or %q", compressionGzip, compressionNone)
	}
	return nil
}

// acceptEncoding is the Accept-Encoding of requests to Graph.
func (u Upstream) acceptEncoding() string {
	if u.Compression == compressionNone {
		return "identity"
	}
	return compressionGzip
}

// hostPort splits Host, whose port is 443 if it has none.
func (u Upstream) hostPort() (host string, port uint16, err error) {
	if !strings.Contains(u.Host, ":") {
		u.Host = net.JoinHostPort(u.Host, defaultPort)
	}
	return splitHostPort(u.Host)
}

// authority is the Host header: the port is there only if it is not the
// default, as clients of Graph write it.
func (u Upstream) authority() string {
	return strings.TrimSuffix(u.Host, ":"+defaultPort)
}

func (c Config) checkMaxWait() error {
	wait := c.Retry.MaxWait
	switch {
	case wait < time.Second || wait > maxRetryAfter || wait%time.Second != 0:
		return fmt.Errorf("want whole seconds from 1s to %s", maxRetryAfter)
	case c.Retry.Count > 0 && 2*wait > c.Timeouts.Idle:
		return errors.New("twice this wait does not fit into timeouts.idle")
	}
	return nil
}

// checkLocal accepts what only this machine can reach.
func checkLocal(address string) error {
	if strings.HasPrefix(address, "/") {
		if len(address) > maxSocketPath {
			return fmt.Errorf("a socket path has at most %d bytes", maxSocketPath)
		}
		if filepath.Clean(address) != address {
			return errors.New("want a clean socket path")
		}
		return nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !ap.Addr().IsLoopback() {
		return errors.New("want an absolute socket path, or a loopback IP address and port")
	}
	return nil
}

func splitHostPort(s string) (host string, port uint16, err error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", 0, errors.New("want host:port")
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, errors.New("want a port from 1 to 65535")
	}
	return host, uint16(n), nil
}

func second[T any](_ T, err error) error {
	if err != nil {
		return errors.New("want an IP address and a port")
	}
	return nil
}

func required(s string) error {
	if s == "" {
		return errors.New("is required")
	}
	return nil
}

func duration(d time.Duration) error {
	if d < 10*time.Millisecond || d > 24*time.Hour {
		return errors.New("want a duration from 10ms to 24h")
	}
	return nil
}

func within(n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("want a number from %d to %d", least, most)
	}
	return nil
}
