package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// run starts enter, with the same arguments, in new namespaces, and ends as it does.
func (b box) run(arguments []string) error {
	runtime.LockOSThread() // the death signal is that of this thread
	c := exec.Command("/proc/self/exe", append([]string{"enter"}, arguments...)...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getegid(), Size: 1}},
		// For enter alone, which gives them up.
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP},
		Pdeathsig:   syscall.SIGKILL,
	}
	if os.Geteuid() == 0 {
		c.SysProcAttr.UidMappings[0].HostID, c.SysProcAttr.GidMappings[0].HostID = user, user
		c.SysProcAttr.Credential = &syscall.Credential{Uid: user, Gid: user, NoSetGroups: true}
		if err := syscall.Setgroups(nil); err != nil {
			return err
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := c.Start(); err != nil {
		return fmt.Errorf("making namespaces: %w", err)
	}
	go func() {
		for s := range signals {
			c.Process.Signal(s)
		}
	}()
	err := c.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	}
	return err
}

// enter makes the root, gives up everything, and becomes the program.
func (b box) enter() error {
	runtime.LockOSThread() // capabilities and filters are those of a thread, and exec takes them along
	if len(b.argv) == 0 {
		return errors.New("no program")
	}
	if err := b.mount(); err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	if err := loadFilter(); err != nil { // sets no_new_privs
		return fmt.Errorf("loading the seccomp filter: %w", err)
	}
	return fmt.Errorf("executing %s: %w", b.argv[0], unix.Exec(b.argv[0], b.argv, os.Environ()))
}

// mount makes the folder the root of everything, and it and what is below read-only,
// but for the memory.
func (b box) mount() error {
	var failed error
	mount := func(from, to, kind string, flags uintptr, data string) {
		if failed == nil {
			if err := unix.Mount(from, to, kind, flags, data); err != nil {
				failed = fmt.Errorf("mounting %s: %w", to, err)
			}
		}
	}
	const readOnly = unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NOSUID
	mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	mount(b.root, b.root, "", unix.MS_BIND, "")
	mount("proc", filepath.Join(b.root, "proc"), "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	dev := filepath.Join(b.root, "dev")
	mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0755,size=64k")
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		if failed == nil {
			failed = os.WriteFile(filepath.Join(dev, name), nil, 0o666)
		}
		mount("/dev/"+name, filepath.Join(dev, name), "", unix.MS_BIND, "")
	}
	mount("", dev, "", readOnly|unix.MS_NOEXEC, "")
	for _, pair := range b.binds {
		from, to, _ := strings.Cut(pair, ":")
		mount(from, filepath.Join(b.root, to), "", unix.MS_BIND, "")
		mount("", filepath.Join(b.root, to), "", readOnly|unix.MS_NODEV, "")
	}
	for _, pair := range b.shared {
		from, to, _ := strings.Cut(pair, ":")
		mount(from, filepath.Join(b.root, to), "", unix.MS_BIND, "")
		mount("", filepath.Join(b.root, to), "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	if b.memory != "" {
		mount("tmpfs", filepath.Join(b.root, b.memory), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, fmt.Sprintf("mode=0700,uid=%[1]d,gid=%[1]d,size=16m", user))
	}
	mount("", b.root, "", readOnly|unix.MS_NODEV, "")
	if failed != nil {
		return failed
	}
	if err := unix.Chdir(b.root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("making %s the root: %w", b.root, err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	return unix.Chdir("/")
}

// dropCapabilities empties all five sets.
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err == unix.EINVAL && c > 0 {
			break // past the last one
		} else if err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	var none [2]unix.CapUserData
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
}
