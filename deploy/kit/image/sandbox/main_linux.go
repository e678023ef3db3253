// Command sandbox runs a program the way a container engine does that grants
// nothing: in user, mount and process namespaces of its own, on a read-only root, as a
// user without a name on this machine, without capabilities, without new privileges and
// behind Docker's default seccomp profile. The network is the machine's.
//
//	sandbox run -root FOLDER [-memory PATH] [-bind FROM:TO]... [-shared FROM:TO]... -- PROGRAM ARGUMENTS
//	sandbox probe
//
// The root has to have the folders proc and dev, and those that are mounted on. Run by root, the
// program's user is 65532 on the machine, too; by somebody else, it is that user.
// probe tries, inside, what must not work, and prints what it found as JSON.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

// user is whom programs run as.
const user = 65532

// box is what a program is shut in.
type box struct {
	root   string
	memory string   // where memory is mounted, the only thing that is writable
	binds  []string // from:to, read-only
	shared []string // from:to, writable, as what two containers of a Pod share
	argv   []string
}

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(1)
	}
}

func dispatch(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("neither run nor probe")
	}
	var b box
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.StringVar(&b.root, "root", "", "`folder` that is the root")
	flags.StringVar(&b.memory, "memory", "", "`path` that is writable memory")
	pairs := func(to *[]string) func(string) error {
		return func(s string) error {
			if !strings.Contains(s, ":") {
				return errors.New("it has no colon")
			}
			*to = append(*to, s)
			return nil
		}
	}
	flags.Func("bind", "`from:to` to mount read-only", pairs(&b.binds))
	flags.Func("shared", "`from:to` to mount writable", pairs(&b.shared))
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	b.argv = flags.Args()
	switch arguments[0] {
	case "run":
		return b.run(arguments[1:])
	case "enter":
		return b.enter()
	case "probe":
		return probe(os.Stdout)
	}
	return fmt.Errorf("neither run nor probe, but %q", arguments[0])
}
