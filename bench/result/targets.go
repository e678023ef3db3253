package result

// Targets are the targets of issue 5, "At the limit", in its order. Do not change
// one because it was missed.
var Targets = targets()

func targets() []Target {
	var all []Target
	floors := []struct {
		subject    string
		mail, rest float64
	}{
		{"jsontext", 1, 0.8},
		{"jsonparser-walk", 2.5, 2},
		{"encoding/json", 3, 2.5},
	}
	for _, page := range []string{"mail", "calendar", "teams", "users"} {
		for _, floor := range floors {
			bound := floor.rest
			if page == "mail" {
				bound = floor.mail
			}
			all = append(all, Target{
				ID: "sanitizer-" + page + "-" + floor.subject, What: "sanitizer, " + page + " page, against " + floor.subject,
				Group: "sanitizer", Case: page + "/whole", Subject: "graphveil", Unit: "MB/s", Against: floor.subject, Sense: AtLeast, Bound: bound,
			})
		}
		all = append(all, Target{
			ID: "sanitizer-" + page + "-allocs", What: "sanitizer, " + page + " page, allocations",
			Group: "sanitizer", Case: page + "/whole", Subject: "graphveil", Unit: "allocs/op", Sense: AtMost, Bound: 0,
		})
	}
	for _, page := range []string{"mail", "calendar", "teams", "users"} {
		for _, chunks := range []struct {
			size  string
			bound float64
		}{{"16KB", 0.9}, {"1KB", 0.8}, {"100B", 0.6}} {
			all = append(all, Target{
				ID: "sanitizer-" + page + "-" + chunks.size, What: "sanitizer, " + page + " page in chunks of " + chunks.size + ", against the whole buffer",
				Group: "sanitizer", Case: page + "/" + chunks.size, Subject: "graphveil", Unit: "MB/s",
				Against: "graphveil", AgainstCase: page + "/whole", Sense: AtLeast, Bound: chunks.bound,
			})
		}
	}
	all = append(all,
		Target{ID: "decision-p50", What: "policy decision, all shipped connectors, p50",
			Group: "decision", Case: "shipped/p50", Subject: "graphveil", Unit: "µs", Sense: AtMost, Bound: 30},
		Target{ID: "decision-1000", What: "policy decision, 1,000 endpoints against 10",
			Group: "decision", Case: "synthetic-1000/p50", Subject: "graphveil", Unit: "µs",
			Against: "graphveil", AgainstCase: "synthetic-10/p50", Sense: AtMost, Bound: 1.3},
	)
	for _, size := range []struct {
		name  string
		bound float64
	}{{"1KB", 0.9}, {"50KB", 1}, {"400KB", 1}} {
		all = append(all, Target{
			ID: "ladder-" + size.name + "-max", What: "through Envoy, h2, " + size.name + ", max throughput, against the no-op processor",
			Group: "ladder", Case: "h2/" + size.name + "/plain/max", Subject: "graphveil", Unit: "req/s", Against: "noop", Sense: AtLeast, Bound: size.bound,
		})
	}
	for _, size := range []string{"1KB", "50KB", "400KB"} {
		for _, quantile := range []string{"p50", "p99"} {
			all = append(all, Target{
				ID: "ladder-" + size + "-" + quantile, What: "through Envoy, h2, " + size + ", fixed rate at half of that, " + quantile + ", against the no-op processor",
				Group: "ladder", Case: "h2/" + size + "/plain/half/" + quantile, Subject: "graphveil", Unit: "ms", Against: "noop", Sense: AtMost, Bound: 1.15,
			})
		}
	}
	return append(all,
		Target{ID: "memory-slow-processor", What: "8 slow clients each reading 50 MB, peak of the processor",
			Group: "memory", Case: "slow-8x50MB/processor", Subject: "graphveil", Unit: "MB", Sense: AtMost, Bound: 96},
		Target{ID: "memory-slow-envoy", What: "8 slow clients each reading 50 MB, growth of Envoy",
			Group: "memory", Case: "slow-8x50MB/envoy-growth", Subject: "graphveil", Unit: "MB", Sense: AtMost, Bound: 32},
		Target{ID: "memory-500MB", What: "one body of 500 MB, peak of the processor, against 50 MB",
			Group: "memory", Case: "one-500MB/processor", Subject: "graphveil", Unit: "MB",
			Against: "graphveil", AgainstCase: "one-50MB/processor", Sense: AtMost, Bound: 1.1},
		// Upstream waits before each record, the first too.
		Target{ID: "stream-first-byte", What: "first sanitized byte of a slow 1,000-record page, in records' worth of upstream delay",
			Group: "stream", Case: "slow-page/first-byte", Subject: "graphveil", Unit: "records", Sense: LessThan, Bound: 2},
		Target{ID: "start-ready", What: "serve, start to ready",
			Group: "start", Case: "ready", Subject: "graphveil", Unit: "ms", Sense: AtMost, Bound: 300},
		Target{ID: "start-idle", What: "serve, memory when idle",
			Group: "start", Case: "idle", Subject: "graphveil", Unit: "MB", Sense: AtMost, Bound: 60},
	)
}
