package ladder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/graphveil/graphveil/envoy"
)

// rung is one subject that can be loaded.
type rung struct {
	subject   string
	url       string // of Envoy, without a slash at the end
	envoy     *envoy.Process
	processor *process // nil for Envoy alone
}

// startRung starts a subject, and returns when it can be asked.
func (s *site) startRung(ctx context.Context, subject string) (_ *rung, err error) {
	r := &rung{subject: subject}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting %s: %w", subject, err), r.stop())
		}
	}()
	s.started++
	socket := s.file(fmt.Sprintf("%d.sock", s.started))
	switch subject {
	case noop:
		r.processor, _, err = startChild("noop", socket)
	case graphveil:
		r.processor, _, err = s.startGraphveil(ctx, socket)
	}
	if err != nil {
		return nil, err
	}
	bootstrap, err := s.bootstrap(socket, subject == alone)
	if err != nil {
		return nil, err
	}
	r.envoy, err = envoy.Start(ctx, s.envoy, bootstrap, envoy.Options{Workers: workers(), DrainTime: time.Second})
	if err != nil {
		return nil, err
	}
	r.url = "https://" + r.envoy.Address()
	return r, nil
}

// workers of each Envoy leave half of the cores to the rest.
func workers() int { return max(1, runtime.NumCPU()/2) }

// bootstrap is the one that Graphveil's users have. Without a processor the two filters that are about it are left out.
func (s *site) bootstrap(socket string, alone bool) (*bootstrapv3.Bootstrap, error) {
	b, err := envoy.Render(envoy.Config{
		Listen: "127.0.0.1:0", TLS: s.pair, Processor: socket, AccessLog: os.DevNull,
		Upstream: envoy.Upstream{Address: s.address, CAFile: s.caFile},
		Retry:    envoy.Retry{Count: -1}, // what fails is to be seen
	})
	if err != nil || !alone {
		return b, err
	}
	config := b.StaticResources.Listeners[0].FilterChains[0].Filters[0].GetTypedConfig()
	manager := &hcmv3.HttpConnectionManager{}
	if err := config.UnmarshalTo(manager); err != nil {
		return nil, err
	}
	all := len(manager.HttpFilters)
	manager.HttpFilters = slices.DeleteFunc(manager.HttpFilters, func(f *hcmv3.HttpFilter) bool {
		return f.Name == "envoy.filters.http.ext_proc" || f.Name == "envoy.filters.http.rbac"
	})
	if len(manager.HttpFilters) != all-2 {
		return nil, errors.New("the bootstrap has not the two filters of the processor")
	}
	return b, config.MarshalFrom(manager)
}

// startGraphveil starts `graphveil serve`, and returns when it is ready, which took so long.
func (s *site) startGraphveil(ctx context.Context, socket string) (*process, time.Duration, error) {
	file := socket + ".yaml"
	if err := os.WriteFile(file, []byte(s.serveConfig(socket)), 0o600); err != nil {
		return nil, 0, err
	}
	command := exec.Command(s.binary, "serve", "--config", file)
	// Debuggable, or only root could reset its peak of memory.
	command.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH"), "GRAPHVEIL_DEBUGGABLE=1"}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	began := time.Now()
	p, err := startProcess(graphveil, command, true)
	if err != nil {
		return nil, 0, err
	}
	admin, err := p.untilListening()
	if err == nil {
		go io.Copy(io.Discard, p.output) // its log
		err = untilReady(ctx, admin+"/readyz")
	}
	took := time.Since(began)
	if err != nil {
		return nil, 0, errors.Join(err, p.stop())
	}
	return p, took, nil
}

// untilListening reads the log of `graphveil serve` up to where it says on which URL it tells that it is ready.
func (p *process) untilListening() (string, error) {
	last := ""
	for {
		text, err := p.output.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("it ended: %s", last)
		}
		var line struct{ Msg, Admin string }
		if err := json.Unmarshal([]byte(text), &line); err == nil && line.Msg == "processor listening" {
			return line.Admin, nil
		}
		last = text
	}
}

func untilReady(ctx context.Context, url string) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("waiting until it is ready: %w", err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// pids are those of the rung's processes, by the part that they have.
func (r *rung) pids() map[string]int {
	if r.processor == nil {
		return map[string]int{"envoy": r.envoy.Pid()}
	}
	return map[string]int{"envoy": r.envoy.Pid(), "processor": r.processor.pid()}
}

// running says so, or which process has ended by itself.
func (r *rung) running() error {
	select {
	case <-r.envoy.Done():
		return errors.New("envoy has ended")
	default:
	}
	if r.processor == nil {
		return nil
	}
	return r.processor.running()
}

// stop ends Envoy, then the processor, which waits for Envoy's connections.
func (r *rung) stop() error {
	var err error
	if r.envoy != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = r.envoy.Stop(ctx)
	}
	if r.processor != nil {
		err = errors.Join(err, r.processor.stop())
	}
	return err
}
