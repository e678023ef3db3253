package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// socketPath is short enough for the name of a socket.
func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gv-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "p.sock")
}

func TestListenRefusesALivingProcess(t *testing.T) {
	path := socketPath(t)
	first, err := listen(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(path, false); err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("a second process: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket after its end: %v", err)
	}
	if _, err := listen("127.0.0.1:0", true); err == nil {
		t.Error("an address was replaced")
	}
	if _, err := listen(filepath.Join(path, "missing", "p.sock"), false); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("without a folder: %v", err)
	}
}

// A socket whose process was killed is left behind.
func TestListenReplacesADeadSocket(t *testing.T) {
	path := socketPath(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	next, err := listen(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestReplaceSocket replaces sockets while their processes close them: none
// removes another's.
func TestReplaceSocket(t *testing.T) {
	path := socketPath(t)
	current, err := listen(path, false)
	if err != nil {
		t.Fatal(err)
	}
	var closing sync.WaitGroup
	for i := range 300 {
		old := current
		closing.Go(func() {
			if err := old.Close(); err != nil {
				t.Error(err)
			}
		})
		if current, err = listen(path, true); err != nil {
			t.Fatal(err)
		}
		closing.Wait()
		if !isServed(path) || current.(*socket).replaced() {
			t.Fatalf("nobody serves the socket after %d replacements", i+1)
		}
	}
	next, err := listen(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if !current.(*socket).replaced() {
		t.Error("a replaced socket does not know it")
	}
	for _, l := range []net.Listener{current, next} {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// Whoever connects gets tokens, so nobody from another machine may.
func TestListenTakesLoopbackOnly(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:9000", "localhost:0", "example:80", "nonsense", ""} {
		l, err := listen(address, false)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "use a socket") {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := listen(address, false)
		if err != nil && strings.Contains(err.Error(), "use a socket") {
			t.Errorf("%q: %v", address, err)
		}
		if err == nil {
			l.Close()
		}
	}
}
