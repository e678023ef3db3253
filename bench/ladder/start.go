package ladder

import (
	"context"
	"runtime"
	"time"

	"github.com/graphveil/graphveil/bench/result"
)

// idleWait is how long a processor is left alone before its memory is read.
const idleWait = 2 * time.Second

// start measures from the start of `graphveil serve` until it is ready, with a token endpoint on loopback, and what it needs when idle.
func (r *run) start(ctx context.Context, t *result.Table) error {
	for round := range r.Rounds {
		r.progress("starting `graphveil serve`, round %d of %d", round+1, r.Rounds)
		p, took, err := r.site.startGraphveil(ctx, r.site.file("start.sock"))
		if err != nil {
			return err
		}
		t.Add("start", "ready", graphveil, "ms", result.Lower, milliseconds(took.Nanoseconds()))
		if runtime.GOOS == "linux" && until(ctx, time.Now().Add(idleWait)) {
			now, _, err := resident(p.pid())
			if err != nil {
				return err
			}
			t.Add("start", "idle", graphveil, "MB", result.Lower, now/1e6)
		}
		if err := p.stop(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}
