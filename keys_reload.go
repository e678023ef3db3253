package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
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
	// keysPoll is how often the files are looked at where nothing told that they changed:
	// behind a link of a folder above them, in a folder that was made anew, on file
	// systems without events.
	keysPoll = 20 * time.Second
)

// keyReloader gives a running processor other keys when their files change, if they
// may take the place of those in use.
type keyReloader struct {
	config PseudonymConfig
	use    func(*pseudonym.Codec, *pseudonym.Links)
	log    *slog.Logger
	total  *prometheus.CounterVec
	info   *prometheus.GaugeVec
	poll   time.Duration

	mu    sync.Mutex
	inUse secrets
	// rejected is what was refused last, and why; why is nil after good files. The same
	// is not told twice.
	rejected secrets
	why      *refusal
}

func newKeyReloader(config PseudonymConfig, keys *derived, use func(*pseudonym.Codec, *pseudonym.Links), log *slog.Logger, r prometheus.Registerer) *keyReloader {
	k := &keyReloader{config: config, inUse: keys.secrets, use: use, log: log, poll: keysPoll}
	k.total = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "graphveil_key_reloads_total",
		Help: "Reloads of the keys of pseudonyms and page links by result: ok, or rejected (the previous keys stay in use).",
	}, []string{"result"})
	k.info = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "graphveil_pseudonyms_info",
		Help: "1, with ids that tell salts and keys of pseudonyms apart: instances with other ids of the salt make other pseudonyms.",
	}, []string{"salt_id", "key_id"})
	r.MustRegister(k.total, k.info)
	k.info.WithLabelValues(keys.ids.salt, keys.ids.key).Set(1)
	k.total.WithLabelValues("ok")
	k.total.WithLabelValues("rejected") // from 0, or nobody sees the first one as an increase
	return k
}

// watch reloads the keys when their files change, until ctx ends. Folders are
// watched, not files: a Secret volume changes by the swap of its symbolic link
// "..data", others rename. What that does not tell is found by looking from time to
// time.
func (k *keyReloader) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		k.unwatched(err)
		k.look(ctx)
		return nil
	}
	defer watcher.Close()
	go k.look(ctx)
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
			if err := watch.Add(watcher, folder); err != nil {
				k.unwatched(err)
			}
		}
	}
}

func (k *keyReloader) unwatched(err error) {
	k.log.Warn("changed key files are noticed late", "after", k.poll.String(), "error", err)
}

// look reloads the keys when it finds other ones, twice the same: a file may be half
// written.
func (k *keyReloader) look(ctx context.Context) {
	var last secrets
	watch.Every(ctx, k.poll, func() {
		next, err := k.config.read()
		if err != nil || next.equal(last) {
			k.reload()
		}
		last = next
	})
}

// reload reads the files and uses what they hold, or says once why not. Exchanges in
// flight keep the keys that they began with.
func (k *keyReloader) reload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	next, err := k.config.read()
	if err != nil {
		k.reject(secrets{}, &refusal{"key_unreadable", err.Error()})
		return
	}
	if next.equal(k.inUse) {
		k.why = nil
		return
	}
	if why := next.replaces(k.inUse); why != nil {
		k.reject(next, why)
		return
	}
	ready, err := next.derive()
	if err != nil {
		k.reject(next, &refusal{"key_unreadable", err.Error()})
		return
	}
	ready.identify()
	changed := next.changes(k.inUse)
	k.use(ready.codec, ready.links)
	k.info.Reset()
	k.info.WithLabelValues(ready.ids.salt, ready.ids.key).Set(1)
	k.inUse, k.why = next, nil
	k.total.WithLabelValues("ok").Inc()
	k.log.Info("keys reloaded", "changed", changed, "salt_id", ready.ids.salt, "key_id", ready.ids.key)
}

func (k *keyReloader) reject(next secrets, why *refusal) {
	if k.why != nil && *k.why == *why && k.rejected.equal(next) {
		return
	}
	k.rejected, k.why = next, why
	k.total.WithLabelValues("rejected").Inc()
	k.log.Error("keys not reloaded, the old ones stay in use", "code", why.code, "hint", why.hint)
}
