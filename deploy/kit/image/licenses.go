package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is a Go module of the binary, with the terms that it comes under.
type module struct {
	path, version string
	// licenses are SPDX identifiers.
	licenses []string
	// texts are its licences and notices, by the path below the module.
	texts map[string][]byte
}

// termsFile is the name of a file with a licence or a notice.
var termsFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-.][a-z0-9.-]*)?$`)

// modules are those that the packages of the binary are of, Go's own library
// included, sorted by path. One without a licence is an error: it may not be shipped.
func (s source) modules(ctx context.Context, arch string) ([]module, error) {
	const format = "{{if .Standard}}std\t\t{{.Root}}\t{{.Root}}{{else}}{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}\t{{$.Dir}}{{end}}{{end}}{{end}}"
	list, err := s.goTool(ctx, arch, "list", "-deps", "-f", format, ".")
	if err != nil {
		return nil, fmt.Errorf("listing modules: %w", err)
	}
	all := map[string]module{}
	for line := range strings.Lines(list) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 4 {
			continue
		}
		m, ok := all[fields[0]]
		if !ok {
			m = module{path: fields[0], version: fields[1], texts: map[string][]byte{}}
		}
		// From the package up to the module: parts of others bring their own along.
		for folder := fields[3]; ; folder = filepath.Dir(folder) {
			if err := m.read(fields[2], folder); err != nil {
				return nil, err
			}
			if folder == fields[2] || len(folder) < len(fields[2]) {
				break
			}
		}
		all[m.path] = m
	}
	var sorted []module
	for _, m := range all {
		if err := m.identify(); err != nil {
			return nil, err
		}
		sorted = append(sorted, m)
	}
	slices.SortFunc(sorted, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return sorted, nil
}

// read adds the terms in a folder of the module.
func (m *module) read(root, folder string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(folder, f.Name())
		if f.IsDir() && f.Name() == "licenses" { // all of them
			if err := m.read(root, path); err != nil {
				return err
			}
		}
		if f.IsDir() || filepath.Base(folder) != "licenses" && !termsFile.MatchString(f.Name()) {
			continue
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if m.texts[name], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	return nil
}

// phrases tell licences by what stands in their texts: each line has what must, the
// last field what must not. A module under none of them fails the build; its licence is
// to be read, then added.
var phrases = []struct{ license, has, andHas, hasNot string }{
	{"Apache-2.0", "apache license version 2.0", "", ""},
	{"MIT", "permission is hereby granted, free of charge, to any person obtaining a copy", "", ""},
	{"BSD-3-Clause", "redistribution and use in source and binary forms", "endorse or promote", ""},
	{"BSD-2-Clause", "redistribution and use in source and binary forms", "", "endorse or promote"},
	{"ISC", "permission to use, copy, modify, and", "distribute this software for any purpose", ""},
	{"MPL-2.0", "mozilla public license version 2.0", "", ""},
	{"FTL", "the freetype license, which is similar to the original bsd license", "", ""}, // or GPL-2.0-or-later, of which one may choose
	{"OFL-1.1", "sil open font license version 1.1", "", ""},
	{"CC-BY-4.0", "creative commons attribution 4.0 international", "", ""},
}

// identify names the licences of a module by their texts.
func (m *module) identify() error {
	for _, text := range m.texts {
		words := strings.ToLower(strings.Join(strings.Fields(string(text)), " "))
		words = strings.ReplaceAll(words, "license, version", "license version")
		for _, p := range phrases {
			if strings.Contains(words, p.has) && strings.Contains(words, p.andHas) && (p.hasNot == "" || !strings.Contains(words, p.hasNot)) && !slices.Contains(m.licenses, p.license) {
				m.licenses = append(m.licenses, p.license)
			}
		}
	}
	slices.Sort(m.licenses)
	if len(m.licenses) == 0 {
		return fmt.Errorf("no licence that is known here is found in the module %s %s: read it, then add it to deploy/kit/image/licenses.go", m.path, m.version)
	}
	return nil
}

// notices are the terms of all modules in one text, which goes with the binary: most
// ask for that.
func notices(modules []module) []byte {
	var all bytes.Buffer
	for _, m := range modules {
		fmt.Fprintf(&all, "%s\n%s %s (%s)\n", strings.Repeat("=", 80), m.path, m.version, strings.Join(m.licenses, ", "))
		names := make([]string, 0, len(m.texts))
		for name := range m.texts {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&all, "%s\n%s\n\n%s\n", strings.Repeat("-", 80), name, bytes.TrimSpace(m.texts[name]))
		}
	}
	return all.Bytes()
}
