package policy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/graphveil/graphveil/watch"
)

const (
	// settle is how long the files must be quiet before they are read: editors
	// and kubelets write in several steps.
	settle = 100 * time.Millisecond
	// settleAtMost bounds the wait while changes keep coming.
	settleAtMost = 400 * time.Millisecond
	// poll is how often the files are looked at where nothing tells that they changed.
	poll = time.Minute
)

// Watch reloads the policy when its files change, until ctx ends; ctx's
// error is then in the chain. A bad policy is logged and the old one stays in force; every
// further change is tried again.
//
// Folders are watched, not files, with all folders below them: a ConfigMap volume
// changes by the swap of its symbolic link "..data", an editor renames.
func (e *Engine) Watch(ctx context.Context) error {
	if !slices.ContainsFunc(e.config.Paths, func(path string) bool { return path != Builtin }) {
		<-ctx.Done() // no file, so none of the node's few watchers is taken
		return fmt.Errorf("watching the policy: %w", ctx.Err())
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return e.look(ctx, poll, err)
	}
	defer watcher.Close()
	if err := e.watchFolders(watcher); err != nil {
		return e.look(ctx, poll, err)
	}
	// What changed between loading and watching made no event.
	e.reload(ctx)

	err = watch.Settle{Quiet: settle, AtMost: settleAtMost}.Changes(ctx, watcher,
		func(err error) { e.log.Warn("watching the policy", "error", err) },
		func() {
			// New folders first: their files may come while we load.
			if err := e.watchFolders(watcher); err != nil {
				e.log.Warn("watching the policy", "error", err)
			}
			e.reload(ctx)
		})
	return fmt.Errorf("watching the policy: %w", err)
}

// look reloads the policy when it finds other files, until ctx ends. It is for a node
// whose watchers are all taken, which is no reason to end.
func (e *Engine) look(ctx context.Context, every time.Duration, why error) error {
	e.log.Warn("changed policy files are noticed late", "after", every.String(), "error", why)
	last := ""
	watch.Every(ctx, every, func() {
		e.mu.Lock()
		now, err := e.found()
		e.mu.Unlock()
		if err != nil {
			now = err.Error()
		}
		if now != last { // the same mistake is told once
			e.reload(ctx)
		}
		last = now
	})
	return fmt.Errorf("watching the policy: %w", ctx.Err())
}

// found is the revision that the files have now.
func (e *Engine) found() (string, error) {
	s, err := readDelivered(e.config, e.delivery)
	if err != nil {
		return "", err
	}
	return s.revision()
}

// watchFolders watches every folder of the policy that is not watched yet.
func (e *Engine) watchFolders(watcher *fsnotify.Watcher) error {
	add := func(folder string) error {
		if err := watch.Add(watcher, folder); err != nil {
			return fmt.Errorf("watching the policy folder %s: %w", folder, err)
		}
		return nil
	}
	for _, path := range e.config.Paths {
		if path == Builtin {
			continue
		}
		// The parent tells when the folder itself, or a bundle file, is replaced, and those
		// of links above it when one of them is.
		for _, folder := range watch.Folders(path) {
			if err := add(folder); err != nil {
				return err
			}
		}
		if isBundleFile(path) {
			continue
		}
		root, err := filepath.EvalSymlinks(path)
		if err != nil { // gone for now; the parent tells when it comes back
			continue
		}
		err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case !entry.IsDir():
				return nil
			case name != root && strings.HasPrefix(entry.Name(), "."):
				return fs.SkipDir
			}
			return add(name)
		})
		if err != nil {
			return fmt.Errorf("watching the policy: %w", err)
		}
	}
	return nil
}
