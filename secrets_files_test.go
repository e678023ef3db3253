package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// What a file of a secret may be. Spaces belong to a secret, as they do for Psoxy, which
// has it in the environment; one end of a line does not, for editors leave it.
func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		file := filepath.Join(dir, "file")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for text, want := range map[string]string{
		"salt": "salt", "salt\n": "salt", "salt\r\n": "salt", "salt\n\n": "salt\n", " salt \n": " salt ", "sa\nlt": "sa\nlt", "sälz\n": "sälz", "\x80\xff\x00": "\x80\xff\x00",
		strings.Repeat("x", maxSecret): strings.Repeat("x", maxSecret),
	} {
		if got, err := secret("", write(text), "k"); err != nil || got != want {
			t.Errorf("%.20q: %.20q, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "is empty", "\n": "is empty", "\r\n": "is empty", "\xef\xbb\xbfsalt": "byte order mark", "\xff\xfes\x00": "byte order mark", "\xfe\xff\x00s": "byte order mark",
		strings.Repeat("x", maxSecret+1): "more than 65536 bytes",
	} {
		if _, err := secret("", write(text), "k"); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "salt") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{dir, fifo, "/dev/zero"} {
		done := make(chan error, 1)
		go func() { _, err := secret("", file, "k"); done <- err }()
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s: %v", file, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: it waits", file)
		}
	}
}

// The warnings of a start. Psoxy takes every salt and key, so a short one is no error.
func TestProcessorWarnings(t *testing.T) {
	t.Setenv("GRAPHVEIL_SALT", "")
	t.Setenv("GRAPHVEIL_KEY", "")
	const long = "0123456789abcdef"
	for _, test := range []struct {
		listen string
		codec  pseudonym.Config
		want   string
	}{
		{"/run/p.sock", pseudonym.Config{Salt: long, Key: long}, ""},
		{"127.0.0.1:9000", pseudonym.Config{Salt: long, Key: long}, "processor_on_tcp"},
		{"/run/p.sock", pseudonym.Config{Salt: "s", Key: long}, "salt_short"},
		{"/run/p.sock", pseudonym.Config{Salt: long, Key: long[1:]}, "key_short"},
		{"/run/p.sock", pseudonym.Config{Salt: long + "\n", Key: " " + long}, "salt_spaces key_spaces"},
		{"/run/p.sock", pseudonym.Config{Salt: long, Key: long, DomainSalt: "s", DomainKey: "k", IPSalt: "s", IPKey: "k"}, "domain_salt_short domain_key_short ip_salt_short ip_key_short"},
	} {
		c := &Config{Processor: ProcessorConfig{Listen: test.listen}}
		var got []string
		for _, w := range c.processorWarnings(secrets{codec: test.codec}) {
			got = append(got, w.Code)
			if strings.Contains(w.Hint, long) {
				t.Errorf("%s: a secret is in the hint", w.Code)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v: %q, want %q", test, got, test.want)
		}
	}
	t.Setenv("GRAPHVEIL_KEY", long)
	for file, want := range map[string]int{"": 0, "key": 1} {
		c := &Config{Processor: ProcessorConfig{Listen: "/run/p.sock"}, Pseudonyms: PseudonymConfig{KeyFile: file, SaltFile: "salt"}}
		if got := c.processorWarnings(secrets{codec: pseudonym.Config{Salt: long, Key: long}}); len(got) != want || want == 1 && got[0].Code != "secret_file_ignored" {
			t.Errorf("key_file %q beside the environment: %+v", file, got)
		}
	}
}

// TestWarningsAreSeen: where an operator looks, and in the runbook.
func TestWarningsAreSeen(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.config.Envoy.Listen = "0.0.0.0:0"
	r := l.start()
	for _, code := range []string{"listen_open", "salt_short", "key_short"} {
		if log := linesWith(r.logs.String(), `"the configuration is risky"`); !strings.Contains(log, `"level":"WARN"`) || !strings.Contains(log, `"code":"`+code+`"`) {
			t.Errorf("the log lacks %s: %s", code, log)
		}
	}
	for _, secret := range []string{labSalt, labKey} {
		if strings.Contains(r.logs.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
	runbook, err := os.ReadFile("docs/runbook.md")
	l.check(err)
	_, section, found := strings.Cut(string(runbook), "\n## Warnings\n")
	codes := []string{"salt_short", "key_short", "salt_spaces", "key_spaces"} // put together, like those of the other salts and keys
	for _, file := range []string{"warnings.go", "envoy/warnings.go"} {
		text, err := os.ReadFile(file)
		l.check(err)
		for _, code := range regexp.MustCompile(`Warning\{(?:Code: )?"([a-z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			codes = append(codes, code[1])
		}
	}
	if len(codes) < 8 {
		t.Fatalf("%d codes", len(codes))
	}
	for _, code := range codes {
		if !found || !strings.Contains(section, "`"+code+"`") {
			t.Errorf("the runbook lacks %s", code)
		}
	}
	_, stderr, exit := command(t, "", "envoy", "config", "--config", l.write("open.yaml", "envoy:\n  listen: 0.0.0.0:8443\n  tls: {cert_file: "+l.pair.CertFile+", key_file: "+l.pair.KeyFile+"}\n"))
	if exit != 0 || !strings.Contains(stderr, "warning: listen_open: ") {
		t.Errorf("envoy config: %d, %s", exit, stderr)
	}
}
