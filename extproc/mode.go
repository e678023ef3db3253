package extproc

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/graphveil/graphveil/extproc/wire"
)

// mode is a setting of Envoy's ext_proc filter with a value in which it would let
// bytes pass that nobody decided, and the value that it must have.
type mode struct{ setting, value, want string }

// unsafeMode looks for such a setting. Envoy announces its body modes in the first
// message of each stream; versions that do not are refused with them, for NONE is
// what an absent mode means. Envoy does not announce failure_mode_allow,
// disable_immediate_response or the filters around ours: `graphveil envoy check`
// reads those in its configuration. What it announces besides,
// send_body_without_waiting_for_header_response, has no effect in the modes that
// are accepted.
func unsafeMode(m *wire.Request, first bool) (mode, bool) {
	switch {
	case m.Observing:
		return mode{"observability_mode", "true", "false"}, true
	case first && m.ResponseBodyMode != filterv3.ProcessingMode_FULL_DUPLEX_STREAMED:
		return mode{"response_body_mode", bodyMode(m.ResponseBodyMode), "FULL_DUPLEX_STREAMED"}, true
	case first && m.RequestBodyMode != filterv3.ProcessingMode_NONE:
		return mode{"request_body_mode", bodyMode(m.RequestBodyMode), "NONE"}, true
	}
	return mode{}, false
}

// unsafeModes are all that unsafeMode finds.
func unsafeModes() []mode {
	modes := []mode{{setting: "observability_mode", value: "true"}}
	for _, name := range append(slices.Sorted(maps.Values(filterv3.ProcessingMode_BodySendMode_name)), "unknown") {
		if name != "FULL_DUPLEX_STREAMED" {
			modes = append(modes, mode{setting: "response_body_mode", value: name})
		}
		if name != "NONE" {
			modes = append(modes, mode{setting: "request_body_mode", value: name})
		}
	}
	return modes
}

// bodyMode is the name of a mode: a fixed word, also for one that is not known yet.
func bodyMode(m filterv3.ProcessingMode_BodySendMode) string {
	if name, ok := filterv3.ProcessingMode_BodySendMode_name[int32(m)]; ok {
		return name
	}
	return "unknown"
}

// refuseMode answers in our own words where it can: an ImmediateResponse stops the
// exchange even if Envoy has failure_mode_allow, under which it would go on after
// an error. Of an Envoy that only observes, and heeds no answer, the stream is
// broken off.
func (s *stream) refuseMode(found mode) error {
	s.server.config.Metrics.refusedMode(found)
	if s.server.modeLog.due(found, time.Now()) {
		s.server.config.Log.LogAttrs(s.grpc.Context(), slog.LevelError, "envoy runs in a mode that could let undecided data pass; every exchange is refused",
			slog.String("code", "envoy_mode_refused"), slog.String("setting", found.setting), slog.String("value", found.value), slog.String("want", found.want),
			slog.String("hint", "use the ext_proc filter of `graphveil envoy config`, and check Envoy's configuration with `graphveil envoy check FILE`"))
	}
	refusal := s.exchange.Refuse(&Refusal{Code: "envoy_mode_refused"})
	if found.setting == "observability_mode" {
		return status.Error(codes.FailedPrecondition, "receiving a message: observability_mode must be off; use the bootstrap of `graphveil envoy config`")
	}
	return s.refuse(refusal)
}

// modeLogEvery is how often one mode is logged: an Envoy in it sends all its
// requests so.
const modeLogEvery = time.Minute

// modeLog remembers when each mode was logged last. There are as many as Envoy has.
type modeLog struct {
	mu   sync.Mutex
	last map[mode]time.Time
}

func (l *modeLog) due(found mode, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, seen := l.last[found]; seen && now.Sub(last) < modeLogEvery {
		return false
	}
	if l.last == nil {
		l.last = map[mode]time.Time{}
	}
	l.last[found] = now
	return true
}
