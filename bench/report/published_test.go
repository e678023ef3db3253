package report

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/bench/result"
)

// What is published is what the results give: nobody edits a number. With -update it
// is made anew from them, for a change of the page's form.
func TestPublishedIsGenerated(t *testing.T) {
	r, err := result.Read("../results.json")
	if err != nil {
		t.Fatal(err)
	}
	if r.Quick {
		t.Error("results.json is of a smoke run")
	}
	if *update {
		if err := Write("..", r); err != nil {
			t.Fatal(err)
		}
	}
	plots, err := Plots(r)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(page, Markdown(r, plots)) {
		t.Error("RESULTS.md is not what results.json gives: make bench, or go test ./bench/report -update")
	}
	var want []string
	for _, p := range plots {
		want = append(want, filepath.Join("..", "plots", p.Name+".svg"))
	}
	slices.Sort(want)
	have, err := filepath.Glob("../plots/*")
	if err != nil || !slices.Equal(have, want) {
		t.Errorf("plots are %q, results.json gives %q (%v)", have, want, err)
	}
}

var section = regexp.MustCompile(`(?s)\n## How fast\n.*?\n## `)

// The README shows plots and has no numbers of its own, which would grow old.
func TestReadmeShowsPlots(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := section.FindString(string(readme))
	plots := regexp.MustCompile(`\]\((bench/plots/[^)]*)\)`).FindAllStringSubmatch(text, -1)
	if len(plots) < 2 || !strings.Contains(text, "(bench/RESULTS.md)") {
		t.Errorf("the section shows %d plots:\n%s", len(plots), text)
	}
	for _, p := range plots {
		if _, err := os.Stat(filepath.Join("..", "..", p[1])); err != nil {
			t.Error(err)
		}
	}
	if found := regexp.MustCompile(`\d+(\.\d+)? ?(×|MB/s|µs|ms|req/s|requests)`).FindString(text); found != "" {
		t.Errorf("the section has a number of its own: %q", found)
	}
}
