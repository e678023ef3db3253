package process

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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

// TestSocketComesBack ends the process that took a socket, in order and by force:
// the one before serves its name again, and leaves nothing behind.
func TestSocketComesBack(t *testing.T) {
	for name, end := range map[string]func(*socket) error{
		"closed": (*socket).Close,
		"killed": func(s *socket) error { return s.UnixListener.Close() }, // the name stays
	} {
		t.Run(name, func(t *testing.T) {
			path := socketPath(t)
			open := func() *socket {
				t.Helper()
				l, err := listen(path, true)
				if err != nil {
					t.Fatal(err)
				}
				return l.(*socket)
			}
			first := open()
			second := open()
			if regained, err := first.regain(); regained || err != nil || !first.replaced() {
				t.Errorf("took back what is served: %v, %v", regained, err)
			}
			if err := end(second); err != nil {
				t.Fatal(err)
			}
			if first.replaced() {
				t.Error("replaced by nobody")
			}
			if regained, err := first.regain(); regained != (name == "killed") || err != nil {
				t.Errorf("taken back: %v, %v", regained, err)
			}
			go func() {
				if conn, err := net.Dial("unix", path); err == nil {
					conn.Close()
				}
			}()
			if err := first.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			conn, err := first.Accept()
			if err != nil {
				t.Fatalf("the first socket is not connected to: %v", err)
			}
			conn.Close()
			third := open()
			if err := end(first); err != nil { // the next one's, this time
				t.Fatal(err)
			}
			if third.replaced() || !third.isAt(path) {
				t.Error("the end of the one before took the name along")
			}
			if err := third.Close(); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
				t.Errorf("left in the folder: %v, %v", left, err)
			}
		})
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

// TestSocketIsPrivateFromTheStart takes the umask away, which is the worst case: between
// bind and chmod everybody could connect, and stay connected.
func TestSocketIsPrivateFromTheStart(t *testing.T) {
	path := socketPath(t)
	old := syscall.Umask(0)
	l, err := bind(path)
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" && info.Mode().Perm() != socketMode {
		t.Errorf("the mode is %v before anybody changes it", info.Mode().Perm())
	}
}

// A path of something else, by a slip, does not cost that.
func TestListenReplacesNothingButSockets(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(filepath.Dir(path), "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, there := range []string{path, folder} {
		for _, replace := range []bool{false, true} {
			if l, err := listen(there, replace); err == nil || !strings.Contains(err.Error(), "no socket") {
				t.Errorf("%s: %v", there, err)
				if err == nil {
					l.Close()
				}
			}
		}
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	// A link is replaced itself, not what it leads to.
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	l, err := listen(link, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if text, err := os.ReadFile(path); err != nil || string(text) != "precious" || !isServed(link) {
		t.Errorf("%q, %v", text, err)
	}
}

func TestListenRefusesNamesThatNobodyCanUse(t *testing.T) {
	dir := filepath.Dir(socketPath(t))
	for _, path := range []string{filepath.Join(dir, strings.Repeat("x", maxSocketPath-len(dir))), "@/abstract", "@abstract/x"} {
		if l, err := listen(path, false); err == nil {
			l.Close()
			t.Errorf("%q: listening", path)
		} else if !strings.Contains(err.Error(), "at most 103 bytes") {
			t.Errorf("%q: %v", path, err)
		}
	}
	longest := filepath.Join(dir, strings.Repeat("x", maxSocketPath-len(dir)-1))
	l, err := listen(longest, false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(longest) != maxSocketPath || !isServed(longest) {
		t.Error("the longest path cannot be connected to")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

// Somebody who can read the folder can lock it; that must not hold a start, or an end,
// for ever.
func TestListenDoesNotWaitForALockForEver(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	l, err := listen(path, false)
	if err != nil {
		t.Fatal(err)
	}
	held, err := lockFolder(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close() }) // after both
	for name, try := range map[string]func() error{
		"start": func() error { _, err := listen(path, true); return err },
		"end":   l.Close,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			if err := try(); err == nil || !strings.Contains(err.Error(), "locking ") {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > lockWait+5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A processor that nobody can connect to any more says so, for whoever runs it to start it
// again. As long as another one serves the name nothing is wrong.
func TestKeepPlaceOfARemovedSocket(t *testing.T) {
	t.Parallel()
	path := socketPath(t)
	listening := func() *Listener {
		t.Helper()
		l, err := Listen(path, true)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	first, second, third := listening(), listening(), listening()
	lost := func(l *Listener, want bool) {
		t.Helper()
		_, err := l.Listener.(*socket).regain()
		if errors.Is(err, fs.ErrNotExist) != want {
			t.Errorf("got %v, want lost: %v", err, want)
		}
	}
	for _, l := range []*Listener{first, second, third} {
		lost(l, false)
	}
	if err := third.Listener.(*socket).UnixListener.Close(); err != nil { // killed
		t.Fatal(err)
	}
	lost(first, true) // only the one before has a name
	lost(second, false)
	lost(first, false) // served again
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- second.KeepPlace(t.Context(), slog.New(slog.DiscardHandler)) }()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), path+" was removed") || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing is said of a socket that was removed")
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	lost(second, true)
}

// Whoever connected before the name was another's may not have been accepted yet: a replaced
// process waits for that before it stops accepting.
func TestWaitIdleHandsOver(t *testing.T) {
	path := socketPath(t)
	first, err := Listen(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := first.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if first.WaitIdle(20 * time.Millisecond) {
		t.Error("replaced by nobody")
	}
	second, err := Listen(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if start := time.Now(); !first.WaitIdle(time.Minute) || time.Since(start) < handover {
		t.Errorf("replaced, after %v", time.Since(start))
	}
	accepted.Close()
	if first.WaitIdle(time.Minute) {
		t.Error("it waited for nobody")
	}
}
