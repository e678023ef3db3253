package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/http/httpguts"

	loading "github.com/graphveil/graphveil/bench/load"
)

// benchFlags say what to ask, how, and where the results go.
type benchFlags struct {
	targets, headers          []string
	rate                      float64
	duration, warmUp, timeout time.Duration
	workers, connections      int
	http1                     bool
	ca, out                   string
	verified                  loading.Config
	situation                 string
}

func newBench() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure a deployment: throughput and latency of GET requests",
		Long: `Ask a running sidecar (or anything that answers GET) for a while, and say how many
requests a second it answered and how long they took.

Without --rate, --workers requests are in flight at any time: that finds the most
that the deployment can do. With --rate, requests are sent at that rate whether
answers come or not, and the latency of each counts from when it was due: that is
what clients see at that load. Measure the most first, then half of it.

The client takes CPU too. Run it on another machine than the sidecar, or take the
results for less than they could be. Requests reach Microsoft Graph, which throttles:
watch for status 429, and ask your own upstream where you can.

A summary goes to standard output, progress to standard error. --out writes the same
as results.json, SUMMARY.md and plots/*.svg. No file and no message holds a target, a
header field or anything that was answered, only counts, sizes and times.

The exit code is 1 if a request failed: without an answer, with a status other than
2xx, or with a body that broke off.`,
		Example: `  graphveil bench --ca ca.pem --target 'https://localhost:8443/v1.0/users?$top=100'
  graphveil bench --ca ca.pem --target 'https://localhost:8443/v1.0/users?$top=100' --rate 200 --duration 60s --out bench-out
  graphveil bench --http1 --workers 32 --header 'Prefer: outlook.body-content-type="text"' --target https://sidecar.example/v1.0/users/p~…/events`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.verify(); err != nil {
				return &exitError{exitUsage, fmt.Errorf("%w\nhint: graphveil bench --help", err)}
			}
			return f.run(cmd.Context(), os.Stdout, os.Stderr)
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&f.targets, "target", nil, "`URL` to ask for; repeatable, then they are asked for in turn")
	flags.Float64Var(&f.rate, "rate", 0, "`requests` a second; 0: as many as --workers get answered")
	flags.DurationVar(&f.duration, "duration", 30*time.Second, "how long to measure")
	flags.DurationVar(&f.warmUp, "warm-up", 2*time.Second, "how long to ask before that")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "how long one request may take")
	flags.IntVar(&f.workers, "workers", 0, "requests in flight, with --rate at most (default 16, with --rate 1000)")
	flags.IntVar(&f.connections, "connections", 1, "HTTP/2 connections; HTTP/1.1 has one for each worker")
	flags.BoolVar(&f.http1, "http1", false, "speak HTTP/1.1, else HTTP/2")
	flags.StringVar(&f.ca, "ca", "", "PEM `file` with the authorities to trust; default: those of the system")
	flags.StringArrayVar(&f.headers, "header", nil, "header field to send, as `'Name: value'`; repeatable")
	flags.StringVar(&f.out, "out", "", "`folder` to write results, summary and plots to")
	return c
}

// verify makes the configuration of the load. Its errors hold no part of a target
// but its scheme, and no value of a header field.
func (f *benchFlags) verify() error {
	switch {
	case len(f.targets) == 0:
		return errors.New("--target is missing")
	case f.rate < 0:
		return errors.New("--rate must not be negative")
	case f.duration <= 0 || f.warmUp < 0 || f.timeout <= 0:
		return errors.New("--duration and --timeout must be positive, --warm-up not negative")
	case f.workers < 0 || f.connections < 1:
		return errors.New("--workers must not be negative, --connections at least 1")
	}
	for i, target := range f.targets {
		u, err := url.Parse(target)
		switch {
		case err != nil || u.Host == "" || u.User != nil:
			return fmt.Errorf("--target %d must be an absolute URL without user name: https://HOST/PATH", i+1)
		case u.Scheme != "https" && u.Scheme != "http":
			return fmt.Errorf("--target %d has the scheme %q, want https or http", i+1, u.Scheme)
		case u.Scheme == "http" && !f.http1:
			return fmt.Errorf("--target %d is http, over which only --http1 is spoken", i+1)
		}
	}
	header := make(http.Header)
	for i, field := range f.headers {
		name, value, ok := strings.Cut(field, ":")
		if value = strings.TrimSpace(value); !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("--header %d must be 'Name: value'", i+1)
		}
		header.Add(name, value)
	}
	roots, err := readAuthorities(f.ca)
	if err != nil {
		return err
	}
	f.verified = loading.Config{
		URLs: f.targets, HTTP2: !f.http1, Roots: roots, Header: header, Workers: f.workers, Connections: f.connections,
		Rate: f.rate, WarmUp: f.warmUp, Duration: f.duration, Timeout: f.timeout,
	}
	protocol := "h2"
	if f.http1 {
		protocol = "h1"
	}
	if f.rate > 0 {
		f.situation = fmt.Sprintf("%s/%g requests a second", protocol, f.rate)
	} else {
		if f.verified.Workers == 0 {
			f.verified.Workers = 16
		}
		f.situation = fmt.Sprintf("%s/%d workers", protocol, f.verified.Workers)
	}
	return nil
}

// readAuthorities reads a PEM file; nil stands for the system's authorities.
func readAuthorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading --ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("reading --ca: the file has no certificate in PEM")
	}
	return pool, nil
}

// run measures, and says what came of it.
func (f *benchFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	c := f.verified
	c.Progress = func(p loading.Progress) {
		fmt.Fprintf(stderr, "%3.0fs of %.0fs: %d requests, %d failed\n", p.Elapsed.Seconds(), p.Total.Seconds(), p.Requests, p.Failed)
	}
	measure := loading.Max
	if f.rate > 0 {
		measure = loading.Fixed
	}
	started := time.Now()
	r, err := measure(ctx, c)
	if err != nil {
		return err
	}
	if r.Requests() == 0 {
		return errors.New("no request was sent: --duration is too short for --rate")
	}
	writeBench(stdout, r)
	if f.out != "" {
		if err := f.save(started, r); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "written: results.json, SUMMARY.md and plots in %s\n", f.out)
	}
	if failed := r.Failed(); failed > 0 {
		return fmt.Errorf("%d of %d requests failed, the first: %s", failed, r.Requests(), r.FirstFailure)
	}
	return nil
}
