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
)

// settle is how long a folder must be quiet before its bundles are read: they are
// written, or swapped by a kubelet, in several steps.
const settle = 100 * time.Millisecond

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
		// What changed between loading and watching made no event.
		quiet := time.After(settle)
		for {
			select {
			case <-ctx.Done():
				return
			case event := <-watcher.Events:
				if event.Op != fsnotify.Chmod {
					quiet = time.After(settle)
				}
			case err := <-watcher.Errors: // an overflow loses events: look at everything
				p.log.Warn("watching bundle files", "error", err)
				quiet = time.After(settle)
			case <-quiet:
				for _, l := range loaders {
					_ = l.Trigger(ctx) // the plugin logs and reports what is wrong
				}
			}
		}
	}()
	return nil
}
