package extproc_test

import (
	"testing"

	filterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
)

// TestUnsafeModesCountFromZero: an alert on a counter's increase sees the first exchange in an
// unsafe mode only if the counter was there before. Safe modes have none.
func TestUnsafeModesCountFromZero(t *testing.T) {
	w := newWorld(t)
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[[2]string]float64{}
	for _, f := range families {
		if f.GetName() == "graphveil_unsafe_modes_total" {
			for _, m := range f.GetMetric() {
				counted[[2]string{m.GetLabel()[0].GetValue(), m.GetLabel()[1].GetValue()}] = m.GetCounter().GetValue()
			}
		}
	}
	want := map[[2]string]bool{{"observability_mode", "true"}: true, {"response_body_mode", "unknown"}: true, {"request_body_mode", "unknown"}: true}
	for _, name := range filterv3.ProcessingMode_BodySendMode_name {
		want[[2]string{"response_body_mode", name}] = name != "FULL_DUPLEX_STREAMED"
		want[[2]string{"request_body_mode", name}] = name != "NONE"
	}
	for mode, unsafe := range want {
		if n, there := counted[mode]; there != unsafe || n != 0 {
			t.Errorf("%v: counted %t, %g", mode, there, n)
		}
		delete(counted, mode)
	}
	if len(counted) != 0 {
		t.Errorf("counted, and no mode: %v", counted)
	}
}
