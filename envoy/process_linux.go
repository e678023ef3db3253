package envoy

import "syscall"

// attributes let Envoy end with its parent, however that dies, and keep the
// terminal's Ctrl-C for the parent, which drains first.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
