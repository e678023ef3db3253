package ladder

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is one that the ladder started, and ends.
type process struct {
	name    string
	command *exec.Cmd
	stdin   io.Closer
	output  *bufio.Reader // what it writes; whoever starts it reads it to the end
	done    chan struct{}
}

// startProcess starts command and returns the process with its standard output, or with its standard error if there is none.
func startProcess(name string, command *exec.Cmd, useError bool) (*process, error) {
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	pipe := command.StdoutPipe
	if useError {
		pipe = command.StderrPipe
	}
	output, err := pipe()
	if err != nil {
		return nil, err
	}
	command.SysProcAttr = attributes()
	p := &process{name: name, command: command, stdin: stdin, output: bufio.NewReader(output), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The death signal of attributes is sent when the thread that started the process ends, so the thread has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			command.Process.Wait() // not command.Wait, which closes the pipe under who reads it
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// startChild starts this program as one of its children, and returns the first line that it writes.
func startChild(name, argument string) (*process, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	command := exec.Command(self, argument)
	command.Env = append(os.Environ(), child+"="+name)
	command.Stderr = os.Stderr
	p, err := startProcess(name, command, false)
	if err != nil {
		return nil, "", err
	}
	line, err := p.output.ReadString('\n')
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("starting %s: it ended", name), p.stop())
	}
	return p, strings.TrimSpace(line), nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// running says so, or that the process has ended by itself.
func (p *process) running() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s has ended", p.name)
	default:
		return nil
	}
}

// stop ends the process and returns when it is gone.
func (p *process) stop() error {
	p.stdin.Close()
	p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		p.command.Process.Kill()
		<-p.done
		return fmt.Errorf("stopping %s: killed after 10s", p.name)
	}
}

// findBinary is the full path of the program to measure. Where there is none it says what to do.
func findBinary(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("no program at %q\nhint: make envoy build", name)
	}
	return filepath.Abs(name)
}

// until waits for a moment that what runs in between can be told by; it is false when ctx is over.
func until(ctx context.Context, moment time.Time) bool {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
