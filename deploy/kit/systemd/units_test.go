package systemd

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const folder = "../../systemd"

// units are the files, and what each is called when it runs.
var units = map[string]string{"graphveil@.service": "graphveil@blue.service", "graphveil-envoy.service": "graphveil-envoy.service"}

// restrictions are what both units must have.
const restrictions = `CapabilityBoundingSet=
KeyringMode=private
LimitCORE=0
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateIPC=yes
PrivateTmp=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
Restart=on-failure
RestartForceExitStatus=SIGPIPE
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
UMask=0077
`

// lines are the settings of a unit.
func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line[0] != '[' {
			all = append(all, line)
		}
	}
	return all
}

// TestRestrictions compares each unit with what it must and must not have.
func TestRestrictions(t *testing.T) {
	own := map[string][]string{
		"graphveil@.service": {
			"Type=notify", "User=graphveil", "Group=graphveil", "RuntimeDirectory=graphveil", "RuntimeDirectoryMode=0710", "RuntimeDirectoryPreserve=yes",
			"ExecStart=/usr/local/bin/graphveil serve --replace --config /etc/graphveil/graphveil.yaml",
		},
		"graphveil-envoy.service": {
			"Type=notify", "User=graphveil-envoy", "Group=graphveil-envoy", "SupplementaryGroups=graphveil", "KillMode=mixed",
			"ExecStart=/usr/local/bin/graphveil envoy run --config /etc/graphveil/graphveil.yaml",
		},
	}
	for name := range units {
		have := lines(t, name)
		for _, want := range append(strings.Fields(strings.ReplaceAll(restrictions, " ", "\x00")), own[name]...) {
			if want = strings.ReplaceAll(want, "\x00", " "); !slices.Contains(have, want) {
				t.Errorf("%s does not say %s", name, want)
			}
		}
		for _, line := range have {
			key, value, _ := strings.Cut(line, "=")
			for _, loose := range []string{"AmbientCapabilities", "ReadWritePaths", "BindPaths", "PermissionsStartOnly", "ExecStartPre", "DynamicUser"} {
				if key == loose {
					t.Errorf("%s has %s", name, line)
				}
			}
			if key == "SystemCallFilter" && !strings.Contains(restrictions, "\n"+line+"\n") || strings.HasPrefix(key, "Exec") && strings.ContainsAny(value[:1], "+!") {
				t.Errorf("%s has %s", name, line)
			}
		}
	}
	files, err := filepath.Glob(folder + "/*.service")
	if err != nil || len(files) != len(units) {
		t.Errorf("units %q, %v", files, err)
	}
}

// TestAnalyze asks systemd's own tool, where there is one.
func TestAnalyze(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("NOT RUN: there is no systemd-analyze here, so the units were only read")
	}
	root := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("usr/local/bin/graphveil", "#!/bin/sh\n", 0o755)
	for _, target := range []string{"sysinit", "basic", "shutdown", "network-online", "multi-user"} {
		write("usr/lib/systemd/system/"+target+".target", "[Unit]\nDescription="+target+"\n", 0o644)
	}
	for _, slice := range []string{"system", "-", `system-graphveil`} {
		write("usr/lib/systemd/system/"+slice+".slice", "[Unit]\nDescription="+slice+"\n", 0o644)
	}
	for name := range units {
		write("etc/systemd/system/"+name, raw(t, name), 0o644)
	}
	verify := func() (string, error) {
		out, err := exec.Command(tool, append([]string{"verify", "--man=no", "--recursive-errors=yes", "--root=" + root}, slices.Sorted(maps.Values(units))...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := verify(); err != nil || out != "" {
		t.Errorf("verify: %v\n%s", err, out)
	}
	for _, name := range units {
		out, err := exec.Command(tool, "security", "--offline=true", "--threshold=20", "--no-pager", "--root="+root, name).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Overall exposure level") {
			t.Errorf("security: %v\n%s", err, out)
		}
	}
	write("etc/systemd/system/graphveil-envoy.service", raw(t, "graphveil-envoy.service")+"\n[Service]\nProtectSytem=strict\n", 0o644)
	if out, _ := verify(); !strings.Contains(out, "ProtectSytem") {
		t.Errorf("verify does not see a wrong key: %s", out)
	}
}

func raw(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
