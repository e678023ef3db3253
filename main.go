// Command graphveil is a privacy sidecar for Microsoft Graph: Envoy's external
// processor, which decides each request by policy, sets the access token, and
// lets only what the policy names out of each response.
//
// This folder wires; one file is one command. What the commands do is in the
// packages below.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of all commands.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitDenied  = 3 // sanitize: the policy denies the request
	exitRefused = 4 // sanitize: the body is refused
	exitMissing = 5 // setup check: something is not granted
	exitExcess  = 6 // setup check --strict: more is granted than is needed
)

// exitError carries an exit code. The error inside may be nil: nothing more is
// to be printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as by nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:]))
}

// execute runs one command line and returns the exit code. Tests call it too.
func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.err != nil {
			fmt.Fprintln(os.Stderr, "graphveil:", exit.err)
		}
		return exit.code
	}
	fmt.Fprintln(os.Stderr, "graphveil:", err)
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "graphveil",
		Short: "A privacy sidecar for Microsoft Graph",
		Long: `Graphveil sits between a workload and Microsoft Graph. Envoy terminates TLS and
routes; Graphveil is Envoy's external processor: it decides each request by an
OPA Rego policy, sets an access token that the workload never sees, and lets
only what the policy names out of each response, pseudonymized where it says so.

To see it work, with a synthetic tenant and no account anywhere:

  graphveil demo

To see what the shipped policy serves, and what it makes of a response:

  graphveil policy list
  graphveil sanitize --request 'GET /v1.0/users/p~…/messages/AAMk…' < message.json`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &exitError{exitUsage, fmt.Errorf("%w\nhint: %s --help", err, c.CommandPath())}
	})
	root.AddCommand(newServe(), newRun(), newDemo(), newSanitize(), newPolicy(), newSetup(), newEnvoy(), newBench())
	for _, c := range root.Commands() {
		refuseUnknown(c)
	}
	return root
}

// refuseUnknown lets a group of commands refuse a name that it does not have. By
// itself cobra would print the group's help and exit with 0, and a script that asks
// for `envoy chek` would take its configuration for a good one.
func refuseUnknown(group *cobra.Command) {
	for _, c := range group.Commands() {
		refuseUnknown(c)
	}
	if !group.HasSubCommands() || group.Runnable() {
		return
	}
	group.Args, group.SuggestionsMinimumDistance = cobra.ArbitraryArgs, 2
	group.FParseErrWhitelist.UnknownFlags = true // they are the other command's
	group.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		hint := c.CommandPath() + " --help"
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = "did you mean " + near[0] + "?"
		}
		return &exitError{exitUsage, fmt.Errorf("unknown command %q for %q\nhint: %s", args[0], c.CommandPath(), hint)}
	}
}
