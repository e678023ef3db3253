package wan

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/graphveil/graphveil/bench/tenant"
)

// sidecar is a `graphveil run` with one setting of envoy.upstream.compression.
type sidecar struct {
	command    *exec.Cmd
	url, admin string
	done       chan error
	lengths    map[string]int64 // of its answers, by URL
}

const (
	salt = "salt of the benchmark"
	key  = "key of the benchmark"

	connector = "outlook_mail"
	clientID  = "7f9c3c0e-1a39-4a53-9d0b-5d1d4ad6a201"
)

// startSidecar starts the binary and returns when its Envoy listens.
func startSidecar(ctx context.Context, binary, folder string, t *tenant.Tenant, graph, compression string) (*sidecar, error) {
	file := func(name string) string { return filepath.Join(folder, name) }
	config := fmt.Sprintf(`
pseudonyms: {salt_file: %s, key_file: %s}
tokens:
  tenant: %s
  authority: %s
  ca_file: %s
  skip_instance_discovery: true
  credential: {file: {path: %s}}
  connectors: {%s: {client_id: %s}}
processor: {listen: %s, admin: "127.0.0.1:0"}
envoy:
  listen: 127.0.0.1:0
  tls: {cert_file: %s, key_file: %s}
  upstream: {address: "%s", ca_file: %s, compression: %s}
  access_log: /dev/null
`, file("salt"), file("key"), t.ID(), t.Authority(), file("ca.pem"), file("assertion"), connector, clientID, file(compression+".sock"),
		file("sidecar.pem"), file("sidecar-key.pem"), graph, file("ca.pem"), compression)
	if err := os.WriteFile(file(compression+".yaml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	s := &sidecar{command: exec.Command(binary, "run", "--config", file(compression+".yaml")), done: make(chan error, 1), lengths: map[string]int64{}}
	logs, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { s.command.Process.Signal(syscall.SIGTERM) })
	defer stop()
	var last string
	lines := bufio.NewScanner(logs)
	for s.url == "" && lines.Scan() {
		var l struct{ Msg, Admin, URL string }
		if last = lines.Text(); json.Unmarshal(lines.Bytes(), &l) == nil && (l.Msg == "processor listening" || l.Msg == "sidecar listening") {
			s.admin, s.url = s.admin+l.Admin, l.URL
		}
	}
	go func() {
		_, err := io.Copy(io.Discard, logs)
		s.done <- errors.Join(err, s.command.Wait())
	}()
	if s.url == "" {
		return nil, fmt.Errorf("starting %s run: it ended: %s", binary, last)
	}
	return s, nil
}

// cpuTime is what the processor has used, Envoy apart.
func (s *sidecar) cpuTime() (time.Duration, error) {
	response, err := http.Get(s.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "process_cpu_seconds_total "); ok {
			seconds, err := strconv.ParseFloat(value, 64)
			return time.Duration(seconds * float64(time.Second)), err
		}
	}
	return 0, errors.New("reading the processor's time: it does not say")
}

// stop ends it and waits until it has ended.
func (s *sidecar) stop() error {
	s.command.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.done:
		return err
	case <-time.After(10 * time.Second):
		s.command.Process.Kill()
		return errors.Join(errors.New("stopping graphveil run: killed after 10s"), <-s.done)
	}
}

// check asks for all targets once, and keeps how long the answers are.
func (s *sidecar) check(client *http.Client, targets []string) error {
	for _, target := range targets {
		response, err := client.Get(s.url + target)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), `"t~`) {
			return fmt.Errorf("checking an answer: status %d, %d bytes, %v", response.StatusCode, len(body), err)
		}
		s.lengths[s.url+target] = int64(len(body))
	}
	return nil
}
