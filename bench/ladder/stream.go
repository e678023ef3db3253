package ladder

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/graphveil/graphveil/bench/result"
)

// firstByte measures when the first byte of the first record comes of a page whose records the upstream sends one by one, with a wait
// before each: in waits.
func (r *run) firstByte(ctx context.Context, t *result.Table) error {
	if err := r.openLadder(ctx); err != nil {
		return err
	}
	for round := range r.Rounds {
		for _, subject := range rotated(subjects, round) {
			r.progress("slow page, round %d of %d: %s", round+1, r.Rounds, subject)
			took, err := r.untilFirstRecord(ctx, r.rungs[subject])
			if err != nil {
				return fmt.Errorf("asking %s: %w", subject, err)
			}
			t.Add("stream", "slow-page/first-byte", subject, "records", result.Lower, float64(took)/float64(slowDelay))
		}
	}
	return nil
}

func (r *run) untilFirstRecord(ctx context.Context, rung *rung) (time.Duration, error) {
	// The connection is there when it counts.
	client := r.site.client()
	defer client.CloseIdleConnections()
	warm, err := get(ctx, client, rung.url+r.site.page(smallPage).asked[0].target)
	if err != nil {
		return 0, err
	}
	warm.Body.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	response, err := get(ctx, client, rung.url+r.site.page(slowPage).asked[0].target)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var body []byte
	buffer := make([]byte, 4096)
	for !bytes.Contains(body, []byte(`"value":[{`)) {
		n, err := response.Body.Read(buffer)
		body = append(body, buffer[:n]...)
		if err != nil {
			return 0, fmt.Errorf("no record came: %w", err)
		}
	}
	return time.Since(began), nil
}
