package process

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
)

// A process that accepts nothing any more, and whose queue is full, still has the name: it
// is replaced only when that is asked for.
func TestListenRefusesALivingProcessWithAFullQueue(t *testing.T) {
	path := socketPath(t)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		conn, err := net.Dial("unix", path)
		if errors.Is(err, syscall.EAGAIN) {
			break
		}
		if err != nil || i > 10 {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
	}
	if l, err := listen(path, false); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("got %v", err)
		if err == nil {
			l.Close()
		}
	}
	l, err := listen(path, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
