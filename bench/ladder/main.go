package ladder

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// child in the environment makes a program that calls [Main] be one of the ladder's own processes.
const child = "GRAPHVEIL_BENCH_CHILD"

// children are those processes. Each writes one line when it can be used.
var children = map[string]func(argument string) error{
	"upstream": serveUpstream,
	"noop":     serveNoop,
}

// Main must be called first by programs and tests that call [Run]. It returns, unless the process was started to be one of the ladder's own:
// the upstream, or the processor that does nothing.
func Main() {
	name, ok := os.LookupEnv(child)
	if !ok {
		return
	}
	serve := children[name]
	if serve == nil || len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "%s is for the harness alone\n", child)
		os.Exit(2)
	}
	// Ended by the harness, never by a Ctrl-C that is for it; and with it, however it dies.
	signal.Ignore(syscall.SIGINT)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
