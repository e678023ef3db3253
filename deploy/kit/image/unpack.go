package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// unpack writes the files of an image into a new folder, with their modes. They
// belong to who unpacks them.
func unpack(image v1.Image, folder string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	tree := mutate.Extract(image)
	defer tree.Close()
	for r := tar.NewReader(tree); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := unpackOne(h, r, filepath.Join(folder, h.Name)); err != nil {
			return err
		}
	}
}

// unpackForCopy leaves the files of an image in two folders: root, for what belongs to
// root, and user. A COPY gives all that it makes one owner, and a folder that is there
// already keeps its own.
func unpackForCopy(image v1.Image, folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	root, user := filepath.Join(folder, "root"), filepath.Join(folder, "user")
	if err := unpack(image, root); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(user, filepath.Dir(runFolder)), 0o755); err != nil {
		return err
	}
	return os.Rename(filepath.Join(root, runFolder), filepath.Join(user, runFolder))
}

func unpackOne(h *tar.Header, content io.Reader, to string) error {
	if h.Typeflag == tar.TypeDir {
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		return os.Chmod(to, h.FileInfo().Mode().Perm())
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	bytes, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, bytes, 0o644); err != nil {
		return err
	}
	return os.Chmod(to, h.FileInfo().Mode().Perm()) // whatever the umask is
}
