package watch

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Folders are those in which something happens when a path gets to mean another file or
// folder: that which it is in, and those of the symbolic links on the way to it, all by
// the names that they have without links. Those that are not there are left out.
func Folders(path string) []string {
	var folders []string
	path = filepath.Clean(path)
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if at == path || err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if folder, err := filepath.EvalSymlinks(filepath.Dir(at)); err == nil && !slices.Contains(folders, folder) {
				folders = append(folders, folder)
			}
		}
		if filepath.Dir(at) == at {
			return folders
		}
	}
}

// Add watches a folder, if it is there and not watched yet.
func Add(watcher *fsnotify.Watcher, folder string) error {
	if slices.Contains(watcher.WatchList(), folder) {
		return nil
	}
	if err := watcher.Add(folder); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Every calls look each time when so much time has passed, until ctx ends.
func Every(ctx context.Context, interval time.Duration, look func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			look()
		}
	}
}

// Look calls changed when a look at the files, every so often, finds others than the look
// before, until ctx ends. It is for what no event tells: a folder that was made anew, file
// systems without events, a node whose watchers are all taken.
func Look(ctx context.Context, every time.Duration, files []string, changed func()) {
	look := func() []fs.FileInfo {
		all := make([]fs.FileInfo, len(files))
		for i, file := range files {
			all[i], _ = os.Stat(file) // nil if there is none
		}
		return all
	}
	same := func(a, b fs.FileInfo) bool {
		if a == nil || b == nil {
			return a == nil && b == nil
		}
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
	}
	last := look()
	Every(ctx, every, func() {
		now := look()
		if !slices.EqualFunc(now, last, same) {
			changed()
		}
		last = now
	})
}
