// Package operations checks what operators load into Prometheus and Grafana
// (deploy/operations), and the runbook: the alerts with Prometheus' own parser and
// engine, and every metric against a processor and an Envoy that run.
// It has tests only.
package operations
