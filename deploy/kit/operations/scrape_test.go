package operations

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/proto"

	"github.com/graphveil/graphveil/bench/tenant"
	"github.com/graphveil/graphveil/bench/tenant/entra"
	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// families are metrics by name, with the names that a histogram's series have.
type families map[string]*dto.MetricFamily

// scraped is what a processor and its Envoy expose after some requests.
func scraped(t *testing.T) (families, error) {
	dir, err := os.MkdirTemp("", "gv-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "graphveil")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the program: %w\n%s", err, out)
	}
	all := families{}
	if err := scrapeDemo(binary, all); err != nil {
		return nil, fmt.Errorf("the demo: %w", err)
	}
	if err := scrapeEnvoy(binary, dir, all); err != nil {
		return nil, fmt.Errorf("an Envoy alone: %w", err)
	}
	if err := scrapeSidecar(t, binary, dir, all); err != nil {
		return nil, fmt.Errorf("a sidecar with more: %w", err)
	}
	return all, nil
}

var once struct {
	sync.Once
	all families
	err error
}

// metrics gives what was scraped, once for all tests.
func metrics(t *testing.T) families {
	t.Helper()
	once.Do(func() { once.all, once.err = scraped(t) })
	if once.err != nil {
		t.Fatal(once.err)
	}
	return once.all
}

// command is the program in the root of the repository, where it finds Envoy.
func command(binary string, args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.Dir = root
	return c
}

func stop(c *exec.Cmd) {
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
}

// scrapeDemo asks the demo's proxy for something that is served and for something
// that is not, and scrapes both processes.
func scrapeDemo(binary string, all families) error {
	c := command(binary, "demo", "--json", "--users", "5", "--messages", "20")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer stop(c)
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return err
	}
	var demo struct {
		Proxy, CA, Metrics string
		EnvoyAdmin         string `json:"envoy_admin"`
	}
	if err := json.Unmarshal(line, &demo); err != nil {
		return err
	}
	authority, err := os.ReadFile(demo.CA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	client := httpsClient(pool)
	for path, want := range map[string]int{"/v1.0/users?$top=2": 200, "/v1.0/nobody": 403} {
		if status, _, err := fetch(client, demo.Proxy+path); err != nil || status != want {
			return fmt.Errorf("asking the proxy: %d, %w", status, err)
		}
	}
	if err := all.scrape(http.DefaultClient, demo.Metrics, "demo"); err != nil {
		return err
	}
	return all.scrape(socketClient(demo.EnvoyAdmin), "http://envoy/stats/prometheus", "demo")
}

// scrapeSidecar scrapes a sidecar that has what is off by default and has metrics of its own: a
// certificate to sign in with, bundles, decision logs, and limits. At first it gets no token, and Graph
// throttles it, answers what the policy does not name, and is fine; then the quota is used up.
func scrapeSidecar(t *testing.T, binary, dir string, all families) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	certificate, err := entra.SelfSigned(key, time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour))
	if err != nil {
		return err
	}
	const client = "22222222-2222-4222-8222-222222222222"
	lab, err := tenant.Start(context.Background(), tenant.Config{
		Graph: graph.Config{Seed: 1, Users: 5},
		Apps:  []entra.App{{ClientID: client, Roles: []string{"User.Read.All", "GroupMember.Read.All"}, Certificates: []*x509.Certificate{certificate}}},
	})
	if err != nil {
		return err
	}
	defer lab.Close()
	lab.Entra.Disable(client) // the first attempt fails
	quota, err := startQuota()
	if err != nil {
		return err
	}
	defer quota.stop()
	own, err := lab.CA.Issue("localhost", "127.0.0.1")
	if err != nil {
		return err
	}
	if _, _, err := tenant.WritePair(dir, "tls", own); err != nil {
		return err
	}
	bundles, signing := opatest.Start(t), opatest.NewKey(t)
	bundles.Set("custom", opatest.Bundle(t, "1", "-- custom.rego --\npackage graphveil.custom\n", signing, "graphveil/custom"))
	files := map[string][]byte{
		"salt": []byte("salt"), "key": []byte("key"), "ca.pem": lab.CA.PEM(), "opa.yaml": []byte(bundles.Config(signing, opatest.BundleSection("custom")+"decision_logs: {console: true}\nstatus: {prometheus: true}\n")),
		"entra.pem": append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
			pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})...),
	}
	files["graphveil.yaml"] = fmt.Appendf(nil, `
pseudonyms: {salt_file: %[1]s/salt, key_file: %[1]s/key}
policy: {paths: [builtin], opa_config: %[1]s/opa.yaml}
tokens:
  tenant: %[2]s
  authority: %[3]s
  ca_file: %[1]s/ca.pem
  skip_instance_discovery: true
  credential: {certificate: {file: %[1]s/entra.pem}}
  connectors: {entra_id: {client_id: %[4]s}}
processor: {listen: %[1]s/p.sock, admin: "127.0.0.1:0", drain_timeout: 1s}
envoy:
  listen: 127.0.0.1:0
  admin: %[1]s/envoy.sock
  workers: 1
  tls: {cert_file: %[1]s/tls.pem, key_file: %[1]s/tls-key.pem}
  upstream: {address: %[5]q, ca_file: %[1]s/ca.pem}
  rate_limit: {service: %[6]q, timeout: 5s}
  local_rate_limit: {requests_per_second: 100}
`, dir, lab.ID(), lab.Authority(), client, lab.GraphAddr, quota.address)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	c := command(binary, "run", "--config", filepath.Join(dir, "graphveil.yaml"))
	log, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer stop(c)
	var admin, url string
	ready := false
	lines := bufio.NewScanner(log)
	for (!ready || url == "") && lines.Scan() {
		var said struct{ Msg, Admin, URL string }
		if json.Unmarshal(lines.Bytes(), &said) != nil {
			continue
		}
		if said.Msg == "acquiring graph token failed" {
			lab.Entra.Enable(client)
		}
		admin, url = cmp.Or(said.Admin, admin), cmp.Or(said.URL, url)
		ready = ready || said.Msg == "processor ready"
	}
	go io.Copy(io.Discard, log) // until it ends
	if url == "" {
		return errors.New("it did not start")
	}
	users := strings.Replace(url, "127.0.0.1", "localhost", 1) + "/v1.0/users?$top=1"
	// A token of the second in which the application was disabled is revoked, too.
	proxy := httpsClient(lab.CA.Pool())
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		status, body, err := fetch(proxy, users)
		if err == nil && status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("asking the proxy: %d, %w %s", status, err, body)
		}
	}
	for _, step := range []struct {
		before func()
		want   int
	}{
		{func() { lab.Graph.Inject(graph.Throttled(1, 1)) }, http.StatusOK}, // Envoy asks again
		{func() {
			lab.Graph.Inject(graph.Fault{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
				Body: graph.Text(`{"value":[{"id":"a","isNew":1,"mail":{"a":1}}]}`)})
		}, http.StatusOK},
		{func() { quota.full.Store(true) }, http.StatusTooManyRequests},
	} {
		step.before()
		if status, body, err := fetch(proxy, users); err != nil || status != step.want {
			return fmt.Errorf("got %d, want %d, %w %s", status, step.want, err, body)
		}
	}
	if err := all.scrape(http.DefaultClient, admin+"/metrics", "more"); err != nil {
		return err
	}
	return all.scrape(socketClient(filepath.Join(dir, "envoy.sock")), "http://envoy/stats/prometheus", "more")
}

// scrapeEnvoy scrapes an Envoy that asks callers for tokens, and cannot fetch the keys to verify
// them with.
func scrapeEnvoy(binary, dir string, all families) error {
	authority, err := tenant.NewCA()
	if err != nil {
		return err
	}
	own, err := authority.Issue("localhost")
	if err != nil {
		return err
	}
	if _, _, err := tenant.WritePair(dir, "alone", own); err != nil {
		return err
	}
	config := fmt.Appendf(nil, `
processor: {listen: %[1]s/nobody.sock}
envoy:
  listen: 127.0.0.1:0
  workers: 1
  tls: {cert_file: %[1]s/alone.pem, key_file: %[1]s/alone-key.pem}
  upstream: {address: "127.0.0.1:1", ca_file: %[1]s/alone.pem}
  jwt: {issuer: "https://issuer.example", audiences: [graphveil], jwks_uri: "https://localhost:1/keys"}
`, dir)
	file := filepath.Join(dir, "alone.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return err
	}
	c := command(binary, "envoy", "run", "--config", file, "--probes", "127.0.0.1:0", "--drain-time", "1s")
	log, err := c.StderrPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer stop(c)
	lines, admin, text := bufio.NewScanner(log), "", ""
	for admin == "" && lines.Scan() {
		var said struct{ Admin string }
		_ = json.Unmarshal(lines.Bytes(), &said)
		admin, text = said.Admin, text+lines.Text()+"\n"
	}
	go io.Copy(io.Discard, log) // until it ends
	if admin == "" {
		return fmt.Errorf("it did not start:\n%s", text)
	}
	return all.scrape(http.DefaultClient, admin+"/metrics", "alone")
}

func httpsClient(authorities *x509.CertPool) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, ServerName: "localhost"}}}
}

// socketClient asks Envoy's admin interface.
func socketClient(path string) *http.Client {
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
}

func fetch(client *http.Client, url string) (int, string, error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// scrape adds the metrics that are exposed under an URL, with the label that Prometheus adds.
func (f families) scrape(client *http.Client, url, instance string) error {
	status, text, err := fetch(client, url)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("scraping: status %d, %w", status, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("scraping: %w", err)
	}
	for name, family := range parsed {
		for _, m := range family.Metric {
			m.Label = append(m.Label, &dto.LabelPair{Name: proto.String("instance"), Value: &instance})
		}
		if known := f[name]; known != nil {
			family.Metric = append(family.Metric, known.Metric...)
		}
		f[name] = family
		if t := family.GetType(); t == dto.MetricType_HISTOGRAM || t == dto.MetricType_SUMMARY {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				f[name+suffix] = family
			}
		}
	}
	return nil
}

// has says whether a series of a metric may have a label.
func (f families) has(metric, label string) bool {
	if label == "job" || strings.HasSuffix(metric, "_bucket") && label == "le" {
		return true
	}
	return len(f.values(metric, label)) > 0
}

// values are those of a label in the series of a metric.
func (f families) values(metric, label string) (values []string) {
	for _, m := range f[metric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				values = append(values, l.GetValue())
			}
		}
	}
	return values
}
