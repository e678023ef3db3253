package opa

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/open-policy-agent/opa/v1/plugins/bundle"

	"github.com/graphveil/graphveil/watch"
)

// settle is how long a folder must be quiet before its bundles are read: they are
// written, or swapped by a kubelet, in several steps. Others may write beside them
// without end, so the wait is bounded.
var settle = watch.Settle{Quiet: 100 * time.Millisecond, AtMost: 400 * time.Millisecond}

// watchFiles has OPA read bundles of file:// again when they change, which by itself
// it does at the start only. Their folders are watched, for a ConfigMap volume changes
// by the swap of a symbolic link beside the file. Bundles that discovery names are
// not: it may replace their loaders at any time.
func (p *Plugins) watchFiles(ctx context.Context) error {
	plugin := bundle.Lookup(p.manager)
	if plugin == nil || given(p.manager.GetConfig().Discovery) {
		return nil
	}
	var loaders []bundle.Loader
	folders := map[string]bool{}
	for name, source := range plugin.Config().Bundles {
		if !strings.HasPrefix(source.Resource, "file://") {
			continue
		}
		at, err := url.Parse(source.Resource)
		if err != nil {
			return fmt.Errorf("bundles.%s: %w", name, err)
		}
		loaders = append(loaders, plugin.Loaders()[name])
		folders[filepath.Dir(filepath.Clean(at.Path))] = true
	}
	if len(loaders) == 0 {
		return nil
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching bundle files: %w", err)
	}
	for folder := range folders {
		if err := watcher.Add(folder); err != nil {
			watcher.Close()
			return fmt.Errorf("watching the bundle files in %s: %w", folder, err)
		}
	}
	go func() {
		defer watcher.Close()
		read := func() {
			for _, l := range loaders {
				_ = l.Trigger(ctx) // the plugin logs and reports what is wrong
			}
		}
		read() // what changed between loading and watching made no event
		_ = settle.Changes(ctx, watcher, func(err error) { p.log.Warn("watching bundle files", "error", err) }, read)
	}()
	return nil
}
