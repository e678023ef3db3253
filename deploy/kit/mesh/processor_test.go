package mesh

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/policy"
)

const (
	// canary is in all that must not leave.
	canary     = "CANARY"
	graphToken = "a-token-of-graph"

	thingsPolicy = `# METADATA
# title: Things
# description: Things, for tests.
package graphveil.connectors.things

import data.graphveil.shape

permissions := {"Thing.Read.All"}

# METADATA
# title: list
# description: Lists things.
endpoints["list"] := {
	"methods": {"GET"},
	"path": "/v1.0/things",
	"response": {"value": [{"size": shape.keep, "secret": shape.drop}]},
}
`
	// callerPolicy is how an author would tell callers apart.
	callerPolicy = `package graphveil.custom

deny contains "caller_not_known" if not input.caller.spiffe_id == "` + appID + `"
`
	processorEnv = "GRAPHVEIL_TEST_PROCESSOR"
)

// TestMain is also the processor: a process of its own, so that it can be killed.
func TestMain(m *testing.M) {
	if path := os.Getenv(processorEnv); path != "" {
		if err := process(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	// `make envoy` installs it for the sidecar's module, which is not this one.
	if tools, err := filepath.Abs("../../../.tools/envoy-" + envoy.Version + "/envoy"); err == nil && os.Getenv("ENVOY") == "" {
		if _, err := os.Stat(tools); err == nil {
			os.Setenv("ENVOY", tools)
		}
	}
	os.Exit(m.Run())
}

// tokens gives one token, and never another.
type tokens struct{}

func (tokens) Token(context.Context, string) (string, error) { return graphToken, nil }
func (tokens) Rejected(_, _, _ string) (bool, time.Duration) { return false, 0 }

// process serves the project's processor until it is killed.
func process(path string) error {
	dir := filepath.Dir(path)
	if err := os.WriteFile(filepath.Join(dir, "things.rego"), []byte(thingsPolicy), 0o600); err != nil {
		return err
	}
	snapshot, err := policy.Load(context.Background(), policy.Config{Paths: []string{dir}})
	if err != nil {
		return err
	}
	codec, err := pseudonym.New(pseudonym.Config{Salt: "salt", Key: "secret"})
	if err != nil {
		return err
	}
	links, err := pseudonym.NewLinks(pseudonym.DeriveLinkKey("salt", "secret"))
	if err != nil {
		return err
	}
	gateway, err := extproc.NewGateway(extproc.GatewayConfig{
		Policy: func() *policy.Snapshot { return snapshot }, Codec: codec, Links: links, Upstream: "graph.microsoft.com", UserAgent: "graphveil/test",
	})
	if err != nil {
		return err
	}
	server, err := extproc.NewServer(extproc.ServerConfig{
		Gateway: gateway, Tokens: tokens{}, Metrics: extproc.NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return server.NewGRPC().Serve(listener)
}

// startProcessor returns when it serves, and kills it with the test.
func startProcessor(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), processorEnv+"="+path)
	var log strings.Builder
	command.Stderr = &log
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
		if t.Failed() || strings.Contains(log.String(), canary) || strings.Contains(log.String(), graphToken) {
			t.Errorf("the processor's log:\n%s", log.String())
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "serving\n" {
		t.Fatalf("the processor says %q (%v)", line, err)
	}
	return command
}
