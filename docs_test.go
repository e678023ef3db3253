package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	pageLink   = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]+)\)`)
	nameOfTest = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
)

// pages are all pages of the project. What is made for another place, to be compared
// with, is none.
func pages(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, file := range filesOf(t, ".md") {
		if folder := filepath.Dir(file); folder != "bench/report/testdata" && folder != "deploy/setup/testdata" {
			found = append(found, file)
		}
	}
	if len(found) < 40 {
		t.Fatalf("%d pages", len(found))
	}
	return found
}

// filesOf are the files with names that end so, tools and the like apart.
func filesOf(t *testing.T, ending string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && len(path) > 1 && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(path, ending) && d.Type().IsRegular():
			found = append(found, filepath.ToSlash(path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPageLinks follows the links of all pages to files, folders and headings of the
// project.
func TestPageLinks(t *testing.T) {
	links := 0
	for _, page := range pages(t) {
		for _, match := range pageLink.FindAllStringSubmatch(unfenced(readText(t, page)), -1) {
			if strings.Contains(match[2], "://") {
				continue
			}
			links++
			target, anchor, _ := strings.Cut(match[2], "#")
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link to %s: %v", page, match[2], err)
			} else if anchor != "" && !slices.Contains(anchors(readText(t, file)), anchor) {
				t.Errorf("%s: %s has no heading for the link %s", page, file, match[2])
			}
		}
	}
	if links < 300 {
		t.Errorf("%d links", links)
	}
}

// TestPagesNameTests: a test that a page names is there.
func TestPagesNameTests(t *testing.T) {
	there := map[string]bool{}
	for _, file := range filesOf(t, "_test.go") {
		for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(readText(t, file), -1) {
			there[match[1]] = true
		}
	}
	named := 0
	for _, page := range pages(t) {
		for _, name := range nameOfTest.FindAllString(readText(t, page), -1) {
			if named++; !there[name] {
				t.Errorf("%s names %s, which is no test", page, name)
			}
		}
	}
	if named < 100 {
		t.Errorf("%d tests are named", named)
	}
}

// anchors are the headings as links name them.
func anchors(text string) []string {
	var found []string
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(unfenced(text), -1) {
		kept := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(match[1]), "")
		found = append(found, strings.ReplaceAll(kept, " ", "-"))
	}
	return found
}
