package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/psoxy"
)

func newPolicyImport() *cobra.Command {
	c := &cobra.Command{
		Use:   "import",
		Short: "Make a connector of another system's rules",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newImportPsoxy())
	return c
}

func newImportPsoxy() *cobra.Command {
	var out, connector string
	var force bool
	c := &cobra.Command{
		Use:   "psoxy RULES.yaml --out DIR",
		Short: "Make a connector of a Psoxy rules document",
		Long: `Read a Psoxy rules document (YAML or JSON, also in base64 or gzip) and write
DIR/NAME/ with a connector in Rego, its tests and a README. It hides what Psoxy
hides, in the same form: with the same salt and key the same pseudonyms.

What a connector cannot say is refused, all at once, each with line and reason,
and nothing is written. What was imported more narrowly, and what is unsafe in the
rules, is said on standard error and in the README.

An imported connector stands beside no other that serves the same paths, so leave
"builtin" out where it does. docs/psoxy-import.md says how to migrate.

Exit codes: 0 written; 1 refused; 2 the command line is wrong.`,
		Example: `  graphveil policy import psoxy entra-id.yaml --out ./my-policy
  graphveil policy test ./my-policy
  export GRAPHVEIL_SALT=… GRAPHVEIL_KEY=…    # Psoxy's PSOXY_SALT and PSOXY_ENCRYPTION_KEY
  graphveil sanitize --policy ./my-policy --request 'GET /v1.0/users' < users.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || out == "" {
				return &exitError{exitUsage, errors.New("want one rules document and --out\nhint: graphveil policy import psoxy --help")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return &exitError{exitUsage, fmt.Errorf("reading the rules: %w", err)}
			}
			imported, err := psoxy.Import(psoxy.Input{File: filepath.Base(args[0]), Text: text, Connector: connector})
			if err != nil {
				return err
			}
			if err := checkImported(cmd.Context(), imported); err != nil {
				return err
			}
			if err := writeImported(out, imported, force); err != nil {
				return err
			}
			return reportImported(os.Stdout, os.Stderr, out, imported)
		},
	}
	c.Flags().StringVar(&out, "out", "", "the policy `folder` that the connector's own is made in")
	c.Flags().StringVar(&connector, "connector", "", "the connector's `name`, in snake case (default made of the file's name)")
	c.Flags().BoolVar(&force, "force", false, "overwrite files that are there")
	return c
}

// checkImported loads the connector as serve would: what does not load is not
// written.
func checkImported(ctx context.Context, c *psoxy.Connector) error {
	dir, err := os.MkdirTemp("", "graphveil-import-")
	if err != nil {
		return fmt.Errorf("checking the connector: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := writeImported(dir, c, false); err != nil {
		return err
	}
	err = policy.Check(ctx, policy.Config{Paths: []string{dir}})
	var problems policy.Errors
	if !errors.As(err, &problems) {
		return err
	}
	var lines []string
	for _, p := range problems {
		line := fmt.Sprintf("%s: %s", c.Where(p.Path), p.Message)
		if p.Path != "" {
			line += " (" + p.Path + ")"
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// writeImported writes all files or, where one is there already, none.
func writeImported(out string, c *psoxy.Connector, force bool) error {
	dir := filepath.Join(out, c.Name)
	names := slices.Sorted(maps.Keys(c.Files))
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(dir, name)); !force && !errors.Is(err, fs.ErrNotExist) {
			return &exitError{exitUsage, fmt.Errorf("%s is there already\nhint: --force overwrites it, --connector chooses another name", filepath.Join(dir, name))}
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("writing the connector: %w", err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), c.Files[name], 0o666); err != nil {
			return fmt.Errorf("writing the connector: %w", err)
		}
	}
	return nil
}

func reportImported(stdout, stderr io.Writer, out string, c *psoxy.Connector) error {
	for _, w := range c.Warnings {
		fmt.Fprintln(stderr, "warning:", w)
	}
	_, err := fmt.Fprintf(stdout, "%d endpoints in %s, %d warnings\nnext: graphveil policy test %s\n", c.Endpoints, filepath.Join(out, c.Name), len(c.Warnings), out)
	return err
}
