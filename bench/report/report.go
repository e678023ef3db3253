// Package report makes what people read of results: a page of Markdown with the
// verdict on each target and every figure, and plots. Call [Write].
//
// It imports a plotting library, whose start costs a process about a millisecond
// (GODEBUG=inittrace=1); fonts are parsed when a plot is drawn.
package report

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/graphveil/graphveil/bench/result"
)

// Write makes RESULTS.md and plots/*.svg in a folder from its results. Plots of an
// earlier run are removed.
func Write(folder string, r result.Results) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	plots, err := Plots(r)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := WritePlots(filepath.Join(folder, "plots"), plots); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "RESULTS.md"), Markdown(r, plots), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// WritePlots writes each plot to NAME.svg in a folder, which is made if it is not
// there, and removes the other *.svg in it.
func WritePlots(folder string, plots []Plot) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	for _, p := range plots {
		if err := os.WriteFile(filepath.Join(folder, p.Name+".svg"), p.SVG, 0o644); err != nil {
			return err
		}
	}
	return nil
}
