//go:build !linux

package ladder

import (
	"errors"
	"syscall"
	"time"
)

// attributes keep the terminal's Ctrl-C for the harness, which ends all.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// Times and memory of processes are read from Linux's /proc; elsewhere those figures are left out.

func cpuTime(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

func resident(int) (now, peak float64, err error) { return 0, 0, errors.ErrUnsupported }

func resetPeak(int) error { return errors.ErrUnsupported }
