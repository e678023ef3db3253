package operations

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
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
)

// families are metrics by name, with the names that a histogram's series have.
type families map[string]*dto.MetricFamily

// scraped is what a processor and its Envoy expose after some requests.
var scraped = sync.OnceValues(func() (families, error) {
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
	if err := scrapeCertificate(binary, dir, all); err != nil {
		return nil, fmt.Errorf("a processor with a certificate: %w", err)
	}
	return all, nil
})

// metrics gives what was scraped.
func metrics(t *testing.T) families {
	t.Helper()
	all, err := scraped()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// start runs the program in the root of the repository, where it finds Envoy.
func start(binary string, args ...string) (*exec.Cmd, *bufio.Reader, error) {
	c := exec.Command(binary, args...)
	c.Dir, c.Stderr = root, os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	return c, bufio.NewReader(out), c.Start()
}

func stop(c *exec.Cmd) {
	_ = c.Process.Signal(syscall.SIGTERM)
	_ = c.Wait()
}

// scrapeDemo asks the demo's proxy for something that is served and for something
// that is not, and scrapes both processes.
func scrapeDemo(binary string, all families) error {
	c, out, err := start(binary, "demo", "--json", "--users", "5", "--messages", "20")
	if err != nil {
		return err
	}
	defer stop(c)
	line, err := out.ReadBytes('\n')
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
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}
	for path, want := range map[string]int{"/v1.0/users?$top=2": 200, "/v1.0/nobody": 403} {
		if status, _, err := get(&client, demo.Proxy+path); err != nil || status != want {
			return fmt.Errorf("asking the proxy: %d, %w", status, err)
		}
	}
	admin := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", demo.EnvoyAdmin)
	}}}
	if err := all.scrape(http.DefaultClient, demo.Metrics); err != nil {
		return err
	}
	return all.scrape(&admin, "http://envoy/stats/prometheus")
}

// scrapeCertificate scrapes a processor that signs in with a certificate, of which
// it tells when it ends. Entra is not there; that is said on standard error.
func scrapeCertificate(binary, dir string, all families) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	admin := listener.Addr().String()
	listener.Close()
	file := filepath.Join(dir, "certificate.pem")
	if err := writeCertificate(file); err != nil {
		return err
	}
	config := fmt.Sprintf(`
pseudonyms: {salt_file: %[1]s, key_file: %[1]s}
tokens:
  tenant: 11111111-1111-4111-8111-111111111111
  authority: https://127.0.0.1:1
  skip_instance_discovery: true
  credential: {certificate: {file: %[1]s}}
  connectors: {entra_id: {client_id: 22222222-2222-4222-8222-222222222222}}
processor: {listen: %[2]s, admin: %[3]q, drain_timeout: 1s}
`, file, filepath.Join(dir, "p.sock"), admin)
	configFile := filepath.Join(dir, "graphveil.yaml")
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		return err
	}
	c, _, err := start(binary, "serve", "--config", configFile)
	if err != nil {
		return err
	}
	defer stop(c)
	const wanted = "graphveil_token_certificate_expiry_timestamp_seconds"
	for end := time.Now().Add(30 * time.Second); all[wanted] == nil; time.Sleep(100 * time.Millisecond) {
		if err := all.scrape(http.DefaultClient, "http://"+admin+"/metrics"); err != nil && time.Now().After(end) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("no %s", wanted)
		}
	}
	return nil
}

func writeCertificate(file string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "graphveil"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	return os.WriteFile(file, text, 0o600)
}

func get(client *http.Client, url string) (int, string, error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// scrape adds the metrics that are exposed under an URL.
func (f families) scrape(client *http.Client, url string) error {
	status, text, err := get(client, url)
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("scraping: status %d, %w", status, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("scraping: %w", err)
	}
	for name, family := range parsed {
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
	if label == "job" || label == "instance" || strings.HasSuffix(metric, "_bucket") && label == "le" {
		return true
	}
	for _, m := range f[metric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				return true
			}
		}
	}
	return false
}
