// Package watch says when files that are watched have changed and are quiet again. Which
// folders are watched, and what a change means, is the caller's.
package watch

import (
	"context"
	"errors"
	"time"

	"github.com/fsnotify/fsnotify"
)

// ErrEnded is returned when the watcher stopped by itself.
var ErrEnded = errors.New("the watcher ended")

// Settle is how long to wait with changes that come in several steps.
type Settle struct {
	// Quiet is how long nothing must happen; AtMost bounds the wait while changes keep coming.
	Quiet, AtMost time.Duration
}

// Changes calls changed after each burst of changes, until ctx ends; it then returns
// ctx's error. What the watcher complains about goes to warn and counts as a change,
// for an overflow loses events.
func (s Settle) Changes(ctx context.Context, watcher *fsnotify.Watcher, warn func(error), changed func()) error {
	var quiet, deadline <-chan time.Time
	touch := func() {
		quiet = time.After(s.Quiet)
		if deadline == nil {
			deadline = time.After(s.AtMost)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err, ok := <-watcher.Errors:
			if !ok {
				return ErrEnded
			}
			warn(err)
			touch()
			continue
		case event, ok := <-watcher.Events:
			if !ok {
				return ErrEnded
			}
			if event.Op != fsnotify.Chmod {
				touch()
			}
			continue
		case <-quiet:
		case <-deadline:
		}
		quiet, deadline = nil, nil
		changed()
	}
}
