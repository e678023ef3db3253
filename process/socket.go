package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// nextSocket is the name, in the socket's folder, of a socket that is not in its
	// place yet.
	nextSocket = ".next"
	// socketMode is who may connect.
	socketMode = 0o660
	// maxSocketPath is that of the envoy package: a longer name can be given to a
	// socket by a rename, and then nobody can connect.
	maxSocketPath = 103
	// lockWait is how long another process may hold the folder of the socket.
	lockWait = 5 * time.Second
)

// listen opens what Listen counts the connections of.
func listen(address string, replace bool) (net.Listener, error) {
	if strings.ContainsAny(address, "/") {
		return openSocket(address, replace)
	}
	if replace {
		return nil, errors.New("listening on processor.listen: --replace works with a Unix socket only")
	}
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("listening on processor.listen: %q is neither a path nor an IP address of loopback with a port\nhint: use a socket, /run/graphveil/processor.sock; whoever can connect gets access tokens", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on processor.listen: %w", err)
	}
	return l, nil
}

// socket is a Unix socket that another process may take the place of: Envoy's
// connections to this one stay, its next ones go there. Should that process end
// first, however it does, this one gets its place back.
//
// The name is never free in between, for a socket comes to its place by a rename.
// Whoever changes the name holds the lock of the folder, so that nobody removes a
// socket that another has just put there.
type socket struct {
	*net.UnixListener
	path  string
	file  fs.FileInfo
	close func() error // once: another file may have its number then
}

func openSocket(path string, replace bool) (_ *socket, err error) {
	if len(path) > maxSocketPath || strings.HasPrefix(path, "@") { // abstract sockets have no mode
		return nil, fmt.Errorf("listening on processor.listen: want the path of a file, of at most %d bytes", maxSocketPath)
	}
	folder, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listening on processor.listen: %w\nhint: the folder %s must exist and be writable", err, filepath.Dir(path))
	}
	defer folder.Close()
	if there, err := os.Lstat(path); err == nil && there.Mode()&(fs.ModeSocket|fs.ModeSymlink) == 0 {
		return nil, fmt.Errorf("listening on processor.listen: %s is there and is no socket\nhint: is it the path of something else?", path)
	}
	if !replace && isServed(path) {
		return nil, fmt.Errorf("listening on processor.listen: another process serves %s\nhint: --replace takes its place", path)
	}
	if isServed(path) {
		// Without it the other one gets nothing back; it goes on with what is connected.
		_ = replaceLink(path, asidePath(path))
	}
	next := filepath.Join(filepath.Dir(path), nextSocket)
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listening on processor.listen: %w", err)
	}
	l, err := bind(next)
	if err != nil {
		return nil, fmt.Errorf("listening on processor.listen: %w\nhint: the folder %s must exist and be writable", err, filepath.Dir(path))
	}
	defer func() {
		if err != nil {
			l.Close() // removes it
		}
	}()
	if err := os.Chmod(next, socketMode); err != nil {
		return nil, fmt.Errorf("restricting the socket of processor.listen: %w", err)
	}
	file, err := os.Lstat(next)
	if err != nil {
		return nil, fmt.Errorf("listening on processor.listen: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return nil, fmt.Errorf("putting the socket of processor.listen in its place: %w", err)
	}
	l.SetUnlinkOnClose(false) // Close does, if it is still this one
	s := &socket{UnixListener: l, path: path, file: file}
	s.close = sync.OnceValue(s.leave)
	return s, nil
}

// bind makes a socket that nobody else can connect to, whatever the umask: a connection
// that is made before a chmod stays. Linux gives the file the mode of the socket that
// it is bound to; elsewhere this changes nothing.
func bind(path string) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), socketMode) })
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// isServed says whether a process listens, be it one that accepts nothing.
func isServed(path string) bool {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return errors.Is(err, syscall.EAGAIN) // its queue is full
	}
	conn.Close()
	return true
}

// asidePath is the second name of the socket whose place another one has taken.
func asidePath(path string) string { return path + "~" }

// replaceLink gives a file a second name, which another file may have had.
func replaceLink(path, name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(path, name)
}

// isAt says whether a name is that of this socket.
func (s *socket) isAt(name string) bool {
	file, err := os.Lstat(name)
	return err == nil && os.SameFile(file, s.file)
}

// replaced says whether another process listens in the place of this one.
func (s *socket) replaced() bool { return !s.isAt(s.path) && isServed(s.path) }

// regain takes its place back from a process that is gone, and says whether it did. The error
// is fs.ErrNotExist when there is no way back: it has no name, and the place is free.
func (s *socket) regain() (bool, error) {
	if s.isAt(s.path) || isServed(s.path) {
		return false, nil
	}
	folder, err := lockFolder(filepath.Dir(s.path))
	if err != nil {
		return false, err
	}
	defer folder.Close()
	switch {
	case s.isAt(s.path) || isServed(s.path): // another process was faster
		return false, nil
	case !s.isAt(asidePath(s.path)):
		return false, fs.ErrNotExist
	}
	return true, os.Rename(asidePath(s.path), s.path)
}

// Close implements net.Listener. It removes the socket, but none that is in its
// place; a process whose place it took, and that still listens, gets it back.
func (s *socket) Close() error { return s.close() }

func (s *socket) leave() error {
	folder, err := lockFolder(filepath.Dir(s.path))
	if err != nil {
		return errors.Join(err, s.UnixListener.Close())
	}
	defer folder.Close()
	// Before it is closed, after which another file may get its number.
	aside := asidePath(s.path)
	switch {
	case s.isAt(s.path) && isServed(aside):
		err = os.Rename(aside, s.path)
	case s.isAt(s.path):
		err = os.Remove(s.path)
		if gone := os.Remove(aside); !errors.Is(gone, fs.ErrNotExist) { // of a process that was killed
			err = errors.Join(err, gone)
		}
	case s.isAt(aside):
		err = os.Remove(aside)
	}
	return errors.Join(err, s.UnixListener.Close())
}

// lockFolder waits until nobody else changes names in a folder, but not for ever:
// everybody who can read it can lock it. Closing what it returns ends that.
func lockFolder(folder string) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(5 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if err != syscall.EWOULDBLOCK && err != syscall.EINTR || time.Now().After(end) {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", folder, err)
		}
	}
}
