package envoy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/proto"
)

// Options are what [Start] needs beside a bootstrap.
type Options struct {
	// Workers is the number of worker threads. Zero: one per hardware thread.
	Workers int

	// AccessLog receives Envoy's standard output, which is the access log
	// unless the bootstrap names a file, line by line. Nil: it is discarded.
	AccessLog io.Writer

	// Log receives Envoy's own log, line by line. It may be the same as
	// AccessLog: lines are not mixed up. Nil: it is discarded.
	Log io.Writer

	// DrainTime is how long Envoy goes on accepting connections after
	// [Process.Drain] began, rounded up to whole seconds. Zero: 5s.
	DrainTime time.Duration
}

// Process is a running Envoy. Whoever started it calls Stop, also after it ended
// by itself.
type Process struct {
	admin   *adminClient
	address string
	command *exec.Cmd
	done    chan struct{}

	// Valid once done is closed.
	err error
}

// Start runs binary with bootstrap b and returns when it accepts connections.
// ctx bounds the start only. If b has no admin interface, one is added on a
// Unix socket in a private directory, which goes away with the process.
//
// The component levels keep Envoy from printing headers, and with them tokens,
// whatever the level of its log. Of the environment, which may hold secrets of this
// process, it gets what finding programs and time zones takes.
func Start(ctx context.Context, binary string, b *bootstrapv3.Bootstrap, o Options) (_ *Process, err error) {
	dir, err := os.MkdirTemp("", "graphveil-envoy-") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("starting envoy: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	if b.GetAdmin() == nil {
		b = proto.CloneOf(b)
		b.Admin = admin(filepath.Join(dir, "admin.sock"))
	}
	watched := watcher{folder: dir, check: true}
	if b, err = watched.bootstrap(b); err != nil {
		return nil, fmt.Errorf("starting envoy: %w", err)
	}
	config, err := JSON(b)
	if err != nil {
		return nil, fmt.Errorf("starting envoy: %w", err)
	}
	configPath, adminPath := filepath.Join(dir, "envoy.json"), filepath.Join(dir, "admin.address")
	if err := os.WriteFile(configPath, config, 0o600); err != nil {
		return nil, fmt.Errorf("starting envoy: %w", err)
	}
	drainTime := o.DrainTime
	fill(&drainTime, 5*time.Second)
	arguments := []string{
		"--config-path", configPath,
		"--admin-address-path", adminPath,
		// No shared memory and no socket through which another Envoy of this
		// machine could take the listener over, or clash with this one.
		"--disable-hot-restart",
		"--log-level", "warning",
		"--component-log-level", "http:info,ext_proc:info",
		"--drain-time-s", strconv.Itoa(int((drainTime + time.Second - 1) / time.Second)),
		"--drain-strategy", "immediate",
	}
	if o.Workers > 0 {
		arguments = append(arguments, "--concurrency", strconv.Itoa(o.Workers))
	}
	p := &Process{command: exec.Command(binary, arguments...), done: make(chan struct{})}
	p.command.Env = environment()
	p.command.SysProcAttr = attributes()
	last := &lastLine{}
	if err := p.run(dir, o, last); err != nil {
		return nil, fmt.Errorf("starting envoy: %w", err)
	}
	err = p.untilReady(ctx, b.GetAdmin(), adminPath)
	if err == nil {
		err = p.admin.discovered(ctx, watched.names)
	}
	if err != nil {
		p.kill()
		if line := last.String(); line != "" {
			return nil, fmt.Errorf("starting envoy: %w: %s", err, line)
		}
		return nil, fmt.Errorf("starting envoy: %w", err)
	}
	return p, nil
}

// environment is what Envoy, or a script that starts it, may need. It is not nil,
// which would mean everything.
func environment() []string {
	kept := []string{}
	for _, name := range []string{"HOME", "LD_LIBRARY_PATH", "PATH", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}

// run starts the process, and the goroutines that end with it.
func (p *Process) run(dir string, o Options, last *lastLine) error {
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := p.command.StderrPipe()
	if err != nil {
		return err
	}
	started := make(chan error)
	go func() {
		// The death signal of attributes is sent when the thread that started
		// the process ends, so the thread has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.command.Start()
		started <- err
		if err != nil {
			return
		}
		var mu sync.Mutex // one line at a time
		var copies sync.WaitGroup
		copies.Go(func() { copyLines(stdout, &mu, o.AccessLog) })
		copies.Go(func() { copyLines(stderr, &mu, last, o.Log) })
		copies.Wait()
		p.err = p.command.Wait()
		os.RemoveAll(dir)
		close(p.done)
	}()
	return <-started
}

// Address is the IP address and port that callers connect to.
func (p *Process) Address() string { return p.address }

// Admin is where the admin interface listens: the path of a socket, or an IP
// address and port.
func (p *Process) Admin() string { return p.admin.address }

// Ready asks Envoy whether it accepts connections.
func (p *Process) Ready(ctx context.Context) error {
	_, err := p.admin.ask(ctx, http.MethodGet, adminReady)
	return err
}

// Metrics are the statistics that Envoy has used, in Prometheus' format.
func (p *Process) Metrics(ctx context.Context) ([]byte, error) {
	return p.admin.ask(ctx, http.MethodGet, "/stats/prometheus?usedonly")
}

// Pid is the id of the process.
func (p *Process) Pid() int { return p.command.Process.Pid }

// Done is closed when the process has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns when the process has ended: nil if it exited with status 0, as it
// does when it is told to stop.
func (p *Process) Wait() error {
	<-p.done
	if p.err != nil {
		return fmt.Errorf("running envoy: %w", p.err)
	}
	return nil
}

// Drain asks callers to close their connections and, after [Options.DrainTime],
// stops accepting new ones. It returns when that has happened and no request is
// in progress, or with an error when ctx is over. Call Stop after it.
func (p *Process) Drain(ctx context.Context) error {
	// Worker threads close their ends one after the other and tell of the first
	// alone, so one look more than seems needed. An Envoy that does not answer is busy,
	// and has requests in progress for all that is known.
	for asked, looks := false, 0; looks < 2; looks++ {
		drained := false
		if !asked {
			asked = p.admin.post(ctx, adminDrain+"?graceful") == nil
		} else {
			drained, _ = p.admin.drained(ctx)
		}
		if !drained {
			looks = -1
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("draining envoy: %w", ctx.Err())
		case <-p.done:
			return errors.New("draining envoy: it ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// Stop ends the process, with the requests that are in progress, and returns
// when it is gone. When ctx is over it is killed.
func (p *Process) Stop(ctx context.Context) error {
	p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.Wait()
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("stopping envoy: killed: %w", ctx.Err())
	}
}

func (p *Process) kill() {
	p.command.Process.Kill()
	<-p.done
}

// copyLines writes each line that r yields to all writers that are not nil. A
// writer that fails is left to itself, since Envoy must not stall on its log.
func copyLines(r io.Reader, mu *sync.Mutex, writers ...io.Writer) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			mu.Lock()
			for _, w := range writers {
				if w != nil {
					w.Write(line)
				}
			}
			mu.Unlock()
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// lastLine keeps the last line of the log, which says why Envoy does not start.
type lastLine struct {
	mu   sync.Mutex
	line []byte
}

func (l *lastLine) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = append(l.line[:0], line...)
	return len(line), nil
}

func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(bytes.TrimSpace(l.line))
}
