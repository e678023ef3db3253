//go:build !linux

package envoy

import "syscall"

// attributes keep the terminal's Ctrl-C for the parent, which drains first.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
