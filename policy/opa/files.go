package opa

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/open-policy-agent/opa/v1/plugins/bundle"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/watch"
)

// settle is how long a folder must be quiet before its bundles are read: they are
// written, or swapped by a kubelet, in several steps. Others may write beside them
// without end, so the wait is bounded.
var settle = watch.Settle{Quiet: 100 * time.Millisecond, AtMost: 400 * time.Millisecond}

// poll is how often bundle files are looked at where nothing told that they changed.
const poll = time.Minute

// files are the bundles of file:// by name, with where they are. Those that discovery
// names are not among them: it may replace their loaders at any time.
func (p *Plugins) files() (map[string]string, error) {
	files := map[string]string{}
	plugin := bundle.Lookup(p.manager)
	if plugin == nil || given(p.manager.GetConfig().Discovery) {
		return files, nil
	}
	for name, source := range plugin.Config().Bundles {
		if !strings.HasPrefix(source.Resource, "file://") {
			continue
		}
		at, err := url.Parse(source.Resource)
		if err != nil {
			return nil, fmt.Errorf("bundles.%s: %w", name, err)
		}
		files[name] = at.Path
	}
	return files, nil
}

// checkFile refuses what OPA would unpack without a bound. What is not there, or no
// archive, is for OPA to tell.
func (p *Plugins) checkFile(name, file string) error {
	opened, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer opened.Close()
	_, err = policy.ReadArchive(opened, p.bounds.unpacked.Load())
	if at := new(fs.PathError); err == nil || errors.As(err, &at) { // a folder is read as one
		return nil
	}
	return fmt.Errorf("bundles.%s: %w", name, err)
}

// watchFiles has OPA read bundles of file:// again when they change, which by itself
// it does at the start only. Folders are watched, for a ConfigMap volume changes by the
// swap of a symbolic link beside the file, and git-sync by one above it. What that does
// not tell is found by looking from time to time.
func (p *Plugins) watchFiles(ctx context.Context, files map[string]string) {
	if len(files) == 0 {
		return
	}
	w := &fileWatch{p: p, files: files, loaders: bundle.Lookup(p.manager).Loaders()}
	var err error
	if w.watcher, err = fsnotify.NewWatcher(); err != nil {
		w.late(err)
	} else {
		w.follow()
	}
	go watch.Look(ctx, poll, slices.Collect(maps.Values(files)), func() { w.read(ctx) })
	go func() {
		w.read(ctx) // what changed between loading and watching made no event
		if w.watcher == nil {
			return
		}
		defer w.watcher.Close()
		_ = settle.Changes(ctx, w.watcher, func(err error) { p.log.Warn("watching bundle files", "error", err) }, func() { w.read(ctx) })
	}()
}

// fileWatch is what watches the bundles of file://.
type fileWatch struct {
	p       *Plugins
	files   map[string]string
	loaders map[string]bundle.Loader
	// watcher is nil where there was none left.
	watcher *fsnotify.Watcher
	mu      sync.Mutex
}

func (w *fileWatch) late(err error) {
	w.p.log.Warn("changed bundle files are noticed late", "after", poll.String(), "error", err)
}

// read has OPA read the files, after it watches where they are now.
func (w *fileWatch) read(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.follow()
	for name, file := range w.files {
		if err := w.p.checkFile(name, file); err != nil {
			w.p.mu.Lock()
			w.p.errors[name] = err.Error()
			w.p.mu.Unlock()
			w.p.engine.Reject(err)
			continue
		}
		_ = w.loaders[name].Trigger(ctx) // the plugin logs and reports what is wrong
	}
}

// follow watches the folders of the files that are not watched yet.
func (w *fileWatch) follow() {
	if w.watcher == nil {
		return
	}
	for _, file := range w.files {
		for _, folder := range watch.Folders(file) {
			if err := watch.Add(w.watcher, folder); err != nil {
				w.late(err)
			}
		}
	}
}
