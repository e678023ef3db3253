package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is whom the images run as, in number and by name.
const (
	user     = 65532
	userName = "graphveil"
)

// file is one file of an image. All belong to root, and nobody may change them: the
// root of a container is mounted read-only.
type file struct {
	path    string // without the leading slash
	content []byte
	program bool
}

// runFolder is where the socket is, on memory that is mounted there.
const runFolder = "run/graphveil"

// layer is a layer with the files and the folders on the way to them, the same
// bytes for the same files.
func layer(created time.Time, files []file, folders ...string) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	headers := map[string]*tar.Header{}
	contents := map[string][]byte{}
	add := func(name string, kind byte, mode int64, content []byte) {
		headers[name] = &tar.Header{Name: name, Typeflag: kind, Mode: mode, Size: int64(len(content)), ModTime: created, Format: tar.FormatUSTAR}
		contents[name] = content
	}
	parents := func(name string) {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			add(folder+"/", tar.TypeDir, 0o755, nil)
		}
	}
	for _, f := range files {
		parents(f.path)
		mode := int64(0o644)
		if f.program {
			mode = 0o755
		}
		add(f.path, tar.TypeReg, mode, f.content)
	}
	for _, name := range folders {
		parents(name)
		add(name+"/", tar.TypeDir, 0o700, nil)
		headers[name+"/"].Uid, headers[name+"/"].Gid = user, user
	}
	sorted := make([]*tar.Header, 0, len(headers))
	for _, h := range headers {
		sorted = append(sorted, h)
	}
	slices.SortFunc(sorted, func(a, b *tar.Header) int { return cmp.Compare(a.Name, b.Name) })
	for _, h := range sorted {
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(contents[h.Name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// baseFiles are what a process needs beside its program: names for the user's
// number, the authorities of certificates, and the licence of the whole.
func baseFiles(license []byte) []file {
	passwd := fmt.Sprintf("root:x:0:0:root:/:/sbin/nologin\n%[2]s:x:%[1]d:%[1]d:%[2]s:/:/sbin/nologin\n", user, userName)
	group := fmt.Sprintf("root:x:0:\n%[2]s:x:%[1]d:\n", user, userName)
	return []file{
		{path: "etc/passwd", content: []byte(passwd)},
		{path: "etc/group", content: []byte(group)},
		{path: "etc/ssl/certs/ca-certificates.crt", content: authorities()},
		{path: "usr/share/doc/" + userName + "/LICENSE", content: license},
	}
}

// paths are the paths of files, for the history of an image.
func paths(files []file) string {
	var all []string
	for _, f := range files {
		all = append(all, "/"+f.path)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
