package extproc

import (
	"context"
	"log/slog"
	"time"

	"github.com/graphveil/graphveil/extproc/sanitize"
)

// Outcomes of an exchange.
const (
	// OutcomeSanitized: the upstream's response left, sanitized.
	OutcomeSanitized = "sanitized"
	// OutcomeDenied: the request did not go upstream.
	OutcomeDenied = "denied"
	// OutcomeRefused: the request went upstream, its response did not leave or
	// was cut off.
	OutcomeRefused = "refused"
	// OutcomeAborted: the client or the upstream broke off.
	OutcomeAborted = "aborted"
)

// Record is the decision record of one exchange: ids, counts and places, never a
// value of a request or a response.
type Record struct {
	Start    time.Time
	Duration time.Duration
	// Decision is how long it took until Envoy had the answer to the request, waiting
	// for a token included; 0 if there was none.
	Decision time.Duration
	Revision string
	// Bundles are the revisions of the bundles that the policy was delivered in, by
	// name; nil if it was not.
	Bundles map[string]string
	// Method is the request's, or "other" for one that HTTP itself does not define.
	Method    string
	Connector string
	Endpoint  string
	Outcome   string
	// Code is the code of the refusal, "" if there was none.
	Code string
	// Reasons are ids of policy rules.
	Reasons []string
	// Status is what the client got, UpstreamStatus what the upstream sent.
	Status, UpstreamStatus int
	// BytesIn and BytesOut count the response body as it came, compressed if it was,
	// and as it left.
	BytesIn, BytesOut int64
	// Fields counts what happened to members, by JSON Pointer with * for any
	// array index.
	Fields Fields
	// Body is where and why the body was refused, nil if it was not.
	Body *sanitize.Error
}

// Log writes the record to a structured logger, level info.
func (r *Record) Log(ctx context.Context, log *slog.Logger) {
	attrs := make([]slog.Attr, 0, 17) // as many as there can be
	attrs = append(attrs,
		slog.String("revision", r.Revision),
		slog.String("connector", r.Connector),
		slog.String("endpoint", r.Endpoint),
		slog.String("outcome", r.Outcome),
		slog.Int("status", r.Status),
		slog.Int("upstream_status", r.UpstreamStatus),
		slog.Int64("bytes_in", r.BytesIn),
		slog.Int64("bytes_out", r.BytesOut),
		slog.Float64("duration_ms", float64(r.Duration.Microseconds())/1000),
	)
	if r.Code != "" {
		attrs = append(attrs, slog.String("code", r.Code), slog.Any("reasons", r.Reasons))
	}
	if r.Body != nil {
		attrs = append(attrs, slog.Group("body",
			slog.String("code", r.Body.Code), slog.String("pointer", r.Body.Pointer), slog.Int64("offset", r.Body.Offset)))
	}
	for class, counts := range r.Fields.classes() {
		if len(counts) == 0 {
			continue
		}
		members := make([]slog.Attr, len(counts))
		for i, c := range counts {
			members[i] = slog.Uint64(c.Pointer, c.Count)
		}
		attrs = append(attrs, slog.GroupAttrs(class, members...))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "exchange", attrs...)
}
