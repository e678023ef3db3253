package opa

import (
	"context"
	"log/slog"
	"testing"

	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/graphveil/graphveil/policy"
)

// TestAborted: what a transaction has activated that did not commit is not put in
// force by the next one that does.
func TestAborted(t *testing.T) {
	ctx := context.Background()
	engine, err := policy.NewEngine(ctx, policy.Config{Delivered: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStore(ctx, engine, func() []string { return nil })
	if err != nil {
		t.Fatal(err)
	}
	staged, err := engine.Stage(ctx, policy.Delivery{Bundles: []policy.Bundle{{Name: "main", Files: []policy.File{{Name: "custom.rego", Text: []byte("package graphveil.custom\n\ndeny contains \"x\"\n")}}}}})
	if err != nil {
		t.Fatal(err)
	}
	write := func(commit, own bool) {
		t.Helper()
		txn, err := s.NewTransaction(ctx, storage.WriteParams)
		if err != nil {
			t.Fatal(err)
		}
		if own {
			s.pending = &pending{txn: txn.ID(), staged: staged}
		}
		if !commit {
			s.Abort(ctx, txn)
		} else if err := s.Commit(ctx, txn); err != nil {
			t.Fatal(err)
		}
	}
	write(false, true)
	write(true, false)
	if engine.Current() != nil {
		t.Error("what was aborted is in force")
	}
	write(true, true)
	if engine.Current() == nil {
		t.Error("what was committed is not in force")
	}
}
