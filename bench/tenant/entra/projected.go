package entra

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// WriteProjectedToken signs a token and puts it at path the way the kubelet fills a projected volume: the file is a symbolic link
// through "..data", itself a link to a folder that is swapped as a whole, so a reader sees the old token or the new one and never a
// part. The folder of path is made if missing; it holds this one token.
func (i *Issuer) WriteProjectedToken(path, subject, audience string, lifetime time.Duration) error {
	token, err := i.Token(subject, audience, lifetime)
	if err != nil {
		return err
	}
	if err := project(path, []byte(token)); err != nil {
		return fmt.Errorf("writing projected token: %w", err)
	}
	return nil
}

// project follows the writer of kubernetes/pkg/volume/util/atomic_writer.go: new folder, new link beside the old, rename over it.
func project(path string, content []byte) error {
	volume, name := filepath.Split(path)
	if err := os.MkdirAll(volume, 0o755); err != nil {
		return err
	}
	data := filepath.Join(volume, "..data")
	old, err := os.Readlink(data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder := ".." + time.Now().UTC().Format("2006_01_02_15_04_05.") + rand.Text()
	if err := os.Mkdir(filepath.Join(volume, folder), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(volume, folder, name), content, 0o600); err != nil {
		return err
	}
	next := data + "_tmp"
	if err := os.Symlink(folder, next); err != nil {
		return err
	}
	if err := os.Rename(next, data); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join("..data", name), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(volume, old))
}
