package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/bench/result"
)

// The command measures a sidecar with all that it does, over both protocols, and
// writes nothing of what it asked for.
func TestBenchMeasuresASidecar(t *testing.T) {
	l := newLab(t, nil)
	r := l.start()
	for _, test := range []struct {
		name, situation string
		args            []string
	}{
		{"h2, as many as possible", "h2/16 workers", nil},
		{"h1, at a rate", "h1/50 requests a second", []string{"--http1", "--rate", "50"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := t.TempDir()
			args := append([]string{
				"bench", "--ca", l.caFile, "--target", r.url() + l.sentPath(1) + "?$top=10", "--header", "X-Secret: hush", "--duration", "1s", "--warm-up", "500ms", "--out", out,
			}, test.args...)
			stdout, stderr, exit := command(t, "", args...)
			if exit != 0 || !strings.Contains(stdout, "statuses   200: ") || !strings.Contains(stdout, "p99.9 ") || !strings.Contains(stderr, "0 failed") {
				t.Fatalf("exit %d\n%s%s", exit, stdout, stderr)
			}
			results, err := result.Read(filepath.Join(out, "results.json"))
			if err != nil {
				t.Fatal(err)
			}
			f, ok := results.Find("target", test.situation, "target", "req/s")
			if !ok || f.Median() < 10 || len(results.Histograms) != 1 {
				t.Errorf("%+v", results)
			}
			plots, err := filepath.Glob(filepath.Join(out, "plots", "latency-*.svg"))
			if err != nil || len(plots) != 1 {
				t.Fatalf("plots %v, %v", plots, err)
			}
			page, err := os.ReadFile(filepath.Join(out, "SUMMARY.md"))
			if err != nil || !strings.Contains(string(page), "plots/"+filepath.Base(plots[0])) {
				t.Errorf("SUMMARY.md %v does not show %s:\n%s", err, plots[0], page)
			}
			for _, name := range []string{"results.json", "SUMMARY.md", "plots/" + filepath.Base(plots[0])} {
				text, err := os.ReadFile(filepath.Join(out, name))
				if err != nil {
					t.Fatal(err)
				}
				checkSaysNothing(t, name, string(text))
			}
			checkSaysNothing(t, "standard output", stdout)
			checkSaysNothing(t, "standard error", stderr)
		})
	}
}

// checkSaysNothing finds what was asked for.
func checkSaysNothing(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range []string{"localhost", "127.0.0.1", "/v1.0", "p~", "$top", "Secret", "hush"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has %q:\n%s", where, secret, text)
		}
	}
}

// What fails is counted, and the exit code says so.
func TestBenchCountsFailures(t *testing.T) {
	asked := 0
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked%2 == 0 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	stdout, stderr, exit := command(t, "", "bench", "--ca", ca, "--target", s.URL+"/v1.0/p~x", "--workers", "1", "--warm-up", "0", "--duration", "200ms", "--out", out)
	if exit != exitFailed || !strings.Contains(stdout, ", 429: ") || !strings.Contains(stderr, "requests failed, the first: status 429") {
		t.Errorf("exit %d\n%s%s", exit, stdout, stderr)
	}
	checkSaysNothing(t, "standard error", stderr)
	if results, err := result.Read(filepath.Join(out, "results.json")); err != nil {
		t.Error(err)
	} else if _, ok := results.Find("target", "h2/1 workers/status 429", "target", "requests"); !ok {
		t.Errorf("the results do not count status 429: %+v", results.Figures)
	}
	stdout, stderr, exit = command(t, "", "bench", "--target", s.URL, "--warm-up", "0", "--duration", "100ms")
	if exit != exitFailed || !strings.Contains(stderr, "certificate is not trusted") || strings.Contains(stdout, "latency") {
		t.Errorf("without --ca: exit %d\n%s%s", exit, stdout, stderr)
	}
}

func TestBenchUsage(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const target = "https://127.0.0.1:1/p~hush" // nobody listens there
	for want, args := range map[string][]string{
		"--target is missing":           nil,
		"--target 2 must be":            {"--target", target, "--target", "/p~hush"},
		"without user name":             {"--target", "https://hush:hush@127.0.0.1:1/"},
		`scheme "ftp"`:                  {"--target", "ftp://127.0.0.1:1/p~hush"},
		"only --http1":                  {"--target", "http://127.0.0.1:1/p~hush"},
		"--rate must":                   {"--target", target, "--rate", "-1"},
		"--duration and":                {"--target", target, "--duration", "0s"},
		"--connections at least":        {"--target", target, "--connections", "0"},
		"--header 1 must":               {"--target", target, "--header", "p~hush"},
		"--header 2 must":               {"--target", target, "--header", "A: b", "--header", "A: p~\x01hush"},
		"reading --ca: open":            {"--target", target, "--ca", "no-such-file"},
		"has no certificate":            {"--target", target, "--ca", empty},
		"invalid argument \"fast\" for": {"--target", target, "--rate", "fast"},
	} {
		stdout, stderr, exit := command(t, "", append([]string{"bench"}, args...)...)
		if exit != exitUsage || stdout != "" || !strings.Contains(stderr, want) || !strings.Contains(stderr, "hint: graphveil bench --help") {
			t.Errorf("%s: exit %d\n%s%s", want, exit, stdout, stderr)
		}
		if strings.Contains(stderr, "hush") {
			t.Errorf("%s: repeats its argument: %s", want, stderr)
		}
	}
}
