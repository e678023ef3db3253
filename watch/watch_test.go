package watch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/graphveil/graphveil/watch"
)

// TestChanges in a time of its own: a burst is one change, a folder that is never quiet
// has one now and then, and rights alone are none.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watcher := &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error)}
		ctx, cancel := context.WithCancel(t.Context())
		var changes []time.Duration
		var warnings []error
		ended := make(chan error)
		var began time.Time
		go func() {
			ended <- watch.Settle{Quiet: 100 * time.Millisecond, AtMost: 400 * time.Millisecond}.Changes(ctx, watcher,
				func(err error) { warnings = append(warnings, err) },
				func() { changes = append(changes, time.Since(began)) })
		}()
		event := func(op fsnotify.Op) func() { return func() { watcher.Events <- fsnotify.Event{Name: "x", Op: op} } }
		overflow := func() { watcher.Errors <- fsnotify.ErrEventOverflow }
		for _, test := range []struct {
			name   string
			number int
			send   func()
			want   []time.Duration
		}{
			{"one", 1, event(fsnotify.Create), []time.Duration{100 * time.Millisecond}},
			{"a burst", 3, event(fsnotify.Write), []time.Duration{200 * time.Millisecond}},
			{"without end", 10, event(fsnotify.Write), []time.Duration{400 * time.Millisecond, 550 * time.Millisecond}},
			{"rights", 1, event(fsnotify.Chmod), nil},
			{"rights and a write", 1, event(fsnotify.Chmod | fsnotify.Write), []time.Duration{100 * time.Millisecond}},
			{"an overflow", 1, overflow, []time.Duration{100 * time.Millisecond}},
		} {
			changes, began = nil, time.Now()
			for i := range test.number {
				if i > 0 {
					time.Sleep(50 * time.Millisecond)
				}
				test.send()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			same := len(changes) == len(test.want)
			for i := range min(len(changes), len(test.want)) {
				same = same && changes[i] == test.want[i]
			}
			if !same {
				t.Errorf("%s: changes at %v, want %v", test.name, changes, test.want)
			}
		}
		if len(warnings) != 1 || !errors.Is(warnings[0], fsnotify.ErrEventOverflow) {
			t.Errorf("warnings %v", warnings)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestEnded: a watcher that ends by itself is an error, however it does.
func TestEnded(t *testing.T) {
	for name, closed := range map[string]func(*fsnotify.Watcher){
		"events": func(w *fsnotify.Watcher) { close(w.Events) },
		"errors": func(w *fsnotify.Watcher) { close(w.Errors) },
	} {
		watcher := &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error)}
		closed(watcher)
		err := watch.Settle{Quiet: time.Millisecond, AtMost: time.Millisecond}.Changes(t.Context(), watcher, func(error) {}, func() { t.Error("a change") })
		if !errors.Is(err, watch.ErrEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
