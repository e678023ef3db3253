package auth

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Command signs in with an assertion that a program prints, for platforms that no other block knows.
//
// The federated credential has issuer, subject and audience of the token that the program prints: whoever wrote it knows them.
//
// The program is started for each token request, with the folder and the environment of this process but for GRAPHVEIL_…, which may be the
// salt and the key of pseudonyms, no input, and nothing kept of what it writes to standard error. It must end with 0, and print one JWT
// alone. Whatever it leaves running is not waited for.
type Command struct {
	// Argv is the program and its arguments. No shell reads them. A program without a slash is looked up in PATH. Required.
	Argv []string `yaml:"argv"`
	// Timeout is when the program, and what it started, is killed. Zero: 10 seconds. At most 15, which leaves time to ask Entra.
	Timeout time.Duration `yaml:"timeout"`
}

const (
	defaultCommandTimeout = 10 * time.Second
	maxCommandTimeout     = 15 * time.Second
	// commandGrace is how long something that outlives the program may hold its output open.
	commandGrace = time.Second
)

func (c *Command) validate(Cloud) error {
	c.Timeout = cmp.Or(c.Timeout, defaultCommandTimeout)
	switch {
	case len(c.Argv) == 0 || c.Argv[0] == "":
		return errors.New("no argv\nhint: argv is a list, the program and its arguments: [/usr/local/bin/print-token, --audience, x]")
	case c.Timeout < 0 || c.Timeout > maxCommandTimeout:
		return errors.New("timeout is not between 0 and 15 seconds")
	}
	return nil
}

func (c *Command) prover(network, string) (prover, error) {
	return assertions(func(ctx context.Context) (string, error) {
		output, err := c.run(ctx)
		if err != nil {
			return "", err
		}
		return checkAssertion(output)
	}), nil
}

// run returns what the program prints, if that is no longer than an assertion may be.
func (c *Command) run(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	command := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	command.Env = slices.DeleteFunc(command.Environ(), func(v string) bool { return strings.HasPrefix(v, "GRAPHVEIL_") })
	var output limitedOutput
	command.Stdout = &output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = commandGrace
	err := command.Run()
	switch {
	case ctx.Err() != nil:
		return nil, &credentialError{detail: "command_timeout"}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, &credentialError{detail: "command_missing"}
	case output.full:
		return nil, &credentialError{detail: "too_large"}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return nil, &credentialError{detail: "command_failed"}
	}
	return output.buffer.Bytes(), nil
}

// limitedOutput takes no more than an assertion may have. The program then meets a closed pipe. It has a Write alone: a bytes.Buffer
// would be read into without a limit.
type limitedOutput struct {
	buffer bytes.Buffer
	full   bool
}

func (o *limitedOutput) Write(p []byte) (int, error) {
	if o.buffer.Len()+len(p) > maxAssertion {
		o.full = true
		return 0, errTooLarge
	}
	return o.buffer.Write(p)
}
