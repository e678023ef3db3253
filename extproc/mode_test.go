package extproc_test

import (
	"encoding/json"
	"strings"
	"testing"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	modeNone    = filterv3.ProcessingMode_NONE
	modeStreams = filterv3.ProcessingMode_STREAMED
	modeBuffers = filterv3.ProcessingMode_BUFFERED
	modePartial = filterv3.ProcessingMode_BUFFERED_PARTIAL
	modeDuplex  = filterv3.ProcessingMode_FULL_DUPLEX_STREAMED
	modeGRPC    = filterv3.ProcessingMode_GRPC
)

// TestWrongMode announces body modes in which Envoy would let bytes pass that
// nobody decided, three times each: the answer is ours, the log has it once.
func TestWrongMode(t *testing.T) {
	const response, request = "response_body_mode", "request_body_mode"
	for _, test := range []struct {
		config         *extprocv3.ProtocolConfiguration
		setting, value string
	}{
		{nil, response, "NONE"},
		{&extprocv3.ProtocolConfiguration{}, response, "NONE"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeStreams}, response, "STREAMED"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeBuffers}, response, "BUFFERED"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modePartial}, response, "BUFFERED_PARTIAL"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeGRPC}, response, "GRPC"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: 77}, response, "unknown"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeDuplex, RequestBodyMode: modeStreams}, request, "STREAMED"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeDuplex, RequestBodyMode: modeBuffers}, request, "BUFFERED"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeDuplex, RequestBodyMode: modePartial}, request, "BUFFERED_PARTIAL"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeDuplex, RequestBodyMode: modeDuplex}, request, "FULL_DUPLEX_STREAMED"},
		{&extprocv3.ProtocolConfiguration{ResponseBodyMode: modeDuplex, RequestBodyMode: modeGRPC}, request, "GRPC"},
	} {
		w := newWorld(t)
		for range 3 {
			m := getThings()
			m.ProtocolConfig = test.config
			replies, err := w.Play(t.Context(), m, ok(), page())
			if err != nil {
				t.Fatal(err)
			}
			answer := replies.Immediate()
			if replies.Err != nil || len(replies.All) != 1 || answer.GetStatus().GetCode() != 500 || code(t, answer.GetBody()) != "envoy_mode_refused" {
				t.Errorf("%v: %v, %d replies, %v", test.config, replies.Err, len(replies.All), answer)
			}
		}
		for _, r := range w.log.records(t, 3) {
			if r["outcome"] != "denied" || r["code"] != "envoy_mode_refused" {
				t.Errorf("%v: record %v", test.config, r)
			}
		}
		loud := modeLines(t, w)
		if len(loud) != 1 || loud[0]["level"] != "ERROR" || loud[0]["setting"] != test.setting || loud[0]["value"] != test.value ||
			!strings.Contains(loud[0]["hint"].(string), "graphveil envoy config") {
			t.Errorf("%v: logged %v", test.config, loud)
		}
		if n := w.counter(t, "graphveil_unsafe_modes_total", map[string]string{"setting": test.setting, "value": test.value}); n != 3 {
			t.Errorf("%v: counted %v", test.config, n)
		}
	}
}

// TestObserving breaks off: an Envoy that only observes heeds no answer.
func TestObserving(t *testing.T) {
	w := newWorld(t)
	m := getThings()
	m.ObservabilityMode = true
	replies, err := w.Play(t.Context(), m, ok(), page())
	if err != nil {
		t.Fatal(err)
	}
	if status.Code(replies.Err) != codes.FailedPrecondition || len(replies.All) > 0 {
		t.Errorf("%v, %d replies", replies.Err, len(replies.All))
	}
	if r := w.log.records(t, 1)[0]; r["code"] != "envoy_mode_refused" {
		t.Errorf("record %v", r)
	}
	if loud := modeLines(t, w); len(loud) != 1 || loud[0]["setting"] != "observability_mode" {
		t.Errorf("logged %v", loud)
	}
}

// TestModeThatHasNoEffect: Envoy announces it, and ignores it in the modes that are
// accepted.
func TestModeThatHasNoEffect(t *testing.T) {
	w := newWorld(t)
	m := getThings()
	m.ProtocolConfig.SendBodyWithoutWaitingForHeaderResponse = true
	replies, err := w.Play(t.Context(), m, ok(), page())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(replies.Body()); replies.Err != nil || got != `{"value":[{}]}` {
		t.Errorf("%v: %s", replies.Err, got)
	}
	if loud := modeLines(t, w); len(loud) > 0 {
		t.Errorf("logged %v", loud)
	}
}

// modeLines are the loud lines about modes that were logged up to now.
func modeLines(t *testing.T, w *world) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(w.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["setting"] != nil {
			out = append(out, fields)
		}
	}
	return out
}
