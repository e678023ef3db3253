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
func Write(folder string, r result.Results) error { return write(folder, "RESULTS.md", r, Markdown) }

// TargetGroup is the group of figures about what an operator points the load at.
const TargetGroup = "target"

// WriteSummary is Write for figures of that group: SUMMARY.md, which has no
// verdicts, because the targets are about other cases.
func WriteSummary(folder string, r result.Results) error {
	return write(folder, "SUMMARY.md", r, summary)
}

func write(folder, page string, r result.Results, markdown func(result.Results, []Plot) []byte) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	plots, err := Plots(r)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := writePlots(filepath.Join(folder, "plots"), plots); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, page), markdown(r, plots), 0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// writePlots writes each plot to NAME.svg in a folder, which is made if it is not
// there, and removes the other *.svg in it.
func writePlots(folder string, plots []Plot) error {
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
