package auth

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/tenant/entra"
)

// script writes a program for the shell.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "print-assertion")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func (w *world) runs(argv ...string) {
	w.signInWith(Credential{Command: &Command{Argv: argv}})
}

// The cluster's assertion of an application is good for one use, and replaced after each: a program that prints the file prints a new one
// each time.
func TestCommandSignsIn(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	w.runs(script(t, `printf 'warning: %s\n' "$(cat "$1")" >&2; cat "$1"; echo`), w.file(directoryApp))
	m := w.manager()
	w.wantToken(m, "entra_id", directoryApp)
	w.wantToken(w.manager(), "entra_id", directoryApp)
	w.runs("cat", w.file(mailApp)) // of PATH
	w.wantToken(w.manager(), "outlook_mail", mailApp)
}

// Arguments are handed over as they are, and nobody reads them as commands.
func TestCommandHasNoShell(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	folder := t.TempDir()
	for _, trick := range []string{"$(touch " + folder + "/a)", "`touch " + folder + "/b`", "; touch " + folder + "/c", "*"} {
		w.runs("printf", "%s", trick)
		w.wantDetail("not_a_jwt")
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("a shell was at work: %v, %v", left, err)
	}
}

func TestCommandHasTheEnvironment(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	t.Setenv("ASSERTION_FILE", w.file(directoryApp))
	t.Setenv("GRAPHVEIL_SALT", "the salt")
	t.Setenv("GRAPHVEIL_KEY", "the key")
	w.runs(script(t, `env | grep -q GRAPHVEIL && exit 1; cat "$ASSERTION_FILE"; cat`)) // no input: the second cat ends
	w.wantToken(w.manager(), "entra_id", directoryApp)
}

func TestCommandWrongTrust(t *testing.T) {
	w := newLoopbackWorld(t, trusting(entra.FederatedCredential{Issuer: cluster, Subject: "system:serviceaccount:privacy:other", Audience: entra.Audience, Keys: clusterIssuer().Keys()}))
	w.runs("cat", w.file(directoryApp))
	w.wantRejected(700213)
}

func TestCommandFailures(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	token := w.file(directoryApp)
	notExecutable := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(notExecutable, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		argv   []string
		detail string
	}{
		{[]string{script(t, `cat "$1"; cat "$1" >&2; exit 3`), token}, "command_failed"},
		{[]string{script(t, `cat "$1"; kill -9 $$`), token}, "command_failed"},
		{[]string{"/nowhere/print-assertion"}, "command_missing"},
		{[]string{"print-assertion-that-nobody-has"}, "command_missing"},
		{[]string{notExecutable}, "command_missing"},
		{[]string{"true"}, "empty"},
		{[]string{script(t, `echo '{"token":"'$(cat "$1")'"}'`), token}, "not_a_jwt"},
		{[]string{script(t, `cat "$1"; echo; cat "$1"`), token}, "not_a_jwt"},
		{[]string{script(t, `cat "$1" >&2`), token}, "empty"},
		{[]string{"head", "-c", strconv.Itoa(maxAssertion), "/dev/zero"}, "not_a_jwt"},
		{[]string{"head", "-c", strconv.Itoa(maxAssertion + 1), "/dev/zero"}, "too_large"},
		{[]string{"cat", "/dev/zero"}, "too_large"},
	} {
		t.Run(filepath.Base(test.argv[0])+"_"+test.detail, func(t *testing.T) {
			w.t = t
			w.runs(test.argv...)
			w.wantDetail(test.detail)
		})
	}
	w.t = t
}

// TestCommandIsKilledWithWhatItStarted: the program waits for a child that ignores every request to end.
func TestCommandIsKilledWithWhatItStarted(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	pids := filepath.Join(t.TempDir(), "pids")
	program := script(t, `
trap '' TERM INT HUP
sh -c 'trap "" TERM INT HUP; echo $$ >> "$1"; sleep 60' sh "$1" &
echo $$ >> "$1"
cat "$2"
wait`)
	w.signInWith(Credential{Command: &Command{Argv: []string{program, pids, w.file(directoryApp)}, Timeout: 2 * time.Second}}) // both have begun by then
	start := time.Now()
	w.wantDetail("command_timeout")
	if took := time.Since(start); took > 12*time.Second {
		t.Errorf("took %v", took)
	}
	content, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	written := strings.Fields(string(content))
	if len(written) != 2 {
		t.Fatalf("%d processes wrote their number, want the program and its child", len(written))
	}
	for _, text := range written {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if !gone(pid) {
			t.Errorf("process %d lives on", pid)
		}
	}
}

// gone waits a little for a process to end; one that nobody has waited for yet counts as ended.
func gone(pid int) bool {
	for range 100 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil && syscall.Kill(pid, 0) == syscall.ESRCH || err == nil && strings.Contains(string(stat), ") Z ") {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// Something that a program leaves behind, and that keeps its output open, does not hold up the request.
func TestCommandLeavesSomethingRunning(t *testing.T) {
	w := newLoopbackWorld(t, nil)
	w.runs(script(t, `cat "$1"; sleep 10 &`), w.file(directoryApp))
	start := time.Now()
	w.wantToken(w.manager(), "entra_id", directoryApp)
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("took %v", took)
	}
}
