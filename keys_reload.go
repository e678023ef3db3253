package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/watch"
)

const (
	// keysSettle is how long the files must be quiet before they are read: key and
	// previous key are written one after the other.
	keysSettle = 200 * time.Millisecond
	// keysSettleAtMost bounds the wait while changes keep coming.
	keysSettleAtMost = time.Second
)

// keyReloader gives a running processor other keys when their files change, if they
// may take the place of those in use.
type keyReloader struct {
	config  PseudonymConfig
	inUse   secrets
	use     func(*pseudonym.Codec, *pseudonym.Links)
	log     *slog.Logger
	total   *prometheus.CounterVec
	lastBad string // code of the last rejection, "" after good files
}

func newKeyReloader(config PseudonymConfig, inUse secrets, use func(*pseudonym.Codec, *pseudonym.Links), log *slog.Logger, r prometheus.Registerer) *keyReloader {
	k := &keyReloader{config: config, inUse: inUse, use: use, log: log, total: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "graphveil_key_reloads_total",
		Help: "Reloads of the keys of pseudonyms and page links by result: ok, or rejected (the previous keys stay in use).",
	}, []string{"result"})}
	r.MustRegister(k.total)
	k.total.WithLabelValues("ok")
	k.total.WithLabelValues("rejected") // from 0, or nobody sees the first one as an increase
	return k
}

// watch reloads the keys when their files change, until ctx ends. Folders are
// watched, not files: a Secret volume changes by the swap of its symbolic link
// "..data", others rename. Where watching is not possible the keys stay what they are,
// which is no reason to stop.
func (k *keyReloader) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		k.unwatched(err)
		return nil
	}
	defer watcher.Close()
	k.watchFolders(watcher)
	// What changed between reading and watching made no event.
	k.reload()

	err = watch.Settle{Quiet: keysSettle, AtMost: keysSettleAtMost}.Changes(ctx, watcher,
		func(err error) { k.log.Warn("watching the keys", "error", err) },
		func() {
			k.watchFolders(watcher)
			k.reload()
		})
	return fmt.Errorf("watching the keys: %w", err)
}

// watchFolders watches the folders of the files, and of what they link to.
func (k *keyReloader) watchFolders(watcher *fsnotify.Watcher) {
	for _, file := range k.config.files() {
		folders := []string{filepath.Dir(file)}
		if target, err := filepath.EvalSymlinks(file); err == nil {
			folders = append(folders, filepath.Dir(target))
		}
		for _, folder := range folders {
			if slices.Contains(watcher.WatchList(), folder) {
				continue
			}
			if err := watcher.Add(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
				k.unwatched(err)
			}
		}
	}
}

func (k *keyReloader) unwatched(err error) {
	k.log.Warn("changed key files will not be noticed: restart to use them", "error", err)
}

// reload reads the files and uses what they hold, or says once why not. Exchanges in
// flight keep the keys that they began with.
func (k *keyReloader) reload() {
	next, err := k.config.read()
	if err != nil {
		k.reject(&refusal{"key_unreadable", err.Error()})
		return
	}
	if next.equal(k.inUse) {
		k.lastBad = ""
		return
	}
	if why := next.replaces(k.inUse); why != nil {
		k.reject(why)
		return
	}
	ready, err := next.derive()
	if err != nil {
		k.reject(&refusal{"key_unreadable", err.Error()})
		return
	}
	changed := next.changes(k.inUse)
	k.use(ready.codec, ready.links)
	k.inUse, k.lastBad = next, ""
	k.total.WithLabelValues("ok").Inc()
	k.log.Info("keys reloaded", "changed", changed)
}

func (k *keyReloader) reject(why *refusal) {
	if k.lastBad == why.code {
		return
	}
	k.lastBad = why.code
	k.total.WithLabelValues("rejected").Inc()
	k.log.Error("keys not reloaded, the old ones stay in use", "code", why.code, "hint", why.hint)
}
