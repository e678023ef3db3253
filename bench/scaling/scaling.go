// Package scaling is the model of what a sidecar costs: fitted to the results of a
// run, checked against the same run at a size that it was not fitted to, and applied
// to what Graph's throttling limits let through. [Write] renders it as
// bench/scaling.md.
//
// The model is a straight line for each process: so many microseconds of CPU for a
// request, and so many for each megabyte of its response.
package scaling

import (
	"bytes"
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"text/template"

	"github.com/graphveil/graphveil/bench/result"
)

// Line is the CPU time of one process: a + b for each MB of a response before it is
// sanitized. 1 MB is 1,000,000 bytes.
type Line struct {
	PerRequest float64 // microseconds
	PerMB      float64 // microseconds
}

// At is the CPU time, in microseconds, of a request with a response of that size.
func (l Line) At(megabytes float64) float64 { return l.PerRequest + l.PerMB*megabytes }

// Model is what one sidecar costs.
type Model struct {
	Envoy, Processor Line
	// Checked is what the lines say of the CPU time at 50 KB over what was
	// measured there: 1 is a perfect guess. They are fitted to 1 KB and 400 KB.
	Checked float64
	// Stream is what a response costs the processor that does not get away because
	// its client is slow, in MB of memory, and StreamEnvoy what it costs Envoy.
	Stream, StreamEnvoy float64
	// Idle is the memory of the processor without any, in MB.
	Idle float64
}

// stuck is the number of slow clients of the figure "slow-8x50MB".
const stuck = 8

// sizes that the lines are fitted to, and the one in between.
const small, middle, large = "1KB", "50KB", "400KB"

var megabytes = map[string]float64{small: 0.001, middle: 0.05, large: 0.4}

// Fit makes the model from a run. It fails if a figure is missing.
func Fit(r result.Results) (Model, error) {
	var m Model
	var err error
	median := func(group, situation, unit string) float64 {
		f, ok := r.Find(group, situation, "graphveil", unit)
		if !ok && err == nil {
			err = fmt.Errorf("fitting the model: %s %s in %s was not measured", group, situation, unit)
		}
		return f.Median()
	}
	cpu := func(size, process string) float64 {
		return median("cpu", "h2/"+size+"/plain/max/"+process, "µs/request")
	}
	line := func(process string) Line {
		var l Line
		from, to := cpu(small, process), cpu(large, process)
		l.PerMB = (to - from) / (megabytes[large] - megabytes[small])
		l.PerRequest = from - l.PerMB*megabytes[small]
		return l
	}
	m.Envoy, m.Processor = line("envoy"), line("processor")
	m.Checked = m.at(middle) / (cpu(middle, "envoy") + cpu(middle, "processor"))
	m.Idle = median("start", "idle", "MB")
	m.Stream = max(0, (median("memory", "slow-8x50MB/processor", "MB")-m.Idle)/stuck)
	m.StreamEnvoy = max(0, median("memory", "slow-8x50MB/envoy-growth", "MB")/stuck)
	return m, err
}

// at is the CPU time of both processes, in microseconds.
func (m Model) at(size string) float64 {
	return m.Envoy.At(megabytes[size]) + m.Processor.At(megabytes[size])
}

// Graph's throttling limits, from
// https://learn.microsoft.com/graph/throttling-limits: Outlook's are for an
// application and a mailbox, the global one for an application and all tenants.
const (
	mailboxRequests = 10_000.0 / 600 // in a second
	mailboxParallel = 4
	globalRequests  = 130_000.0 / 10 // in a second
)

// Load is the traffic of a number of mailboxes and what it costs.
type Load struct {
	Mailboxes int
	Requests  float64 // in a second
	Cores     float64 // of Envoy and processor together
	Traffic   float64 // from Graph, in MB/s
	Streams   int     // at one time, at most
	Memory    float64 // of the processor if all of them are stuck, in MB
}

// pageMB is the size of a page that the loads are made of.
const pageMB = 0.05

// Most is the load when mailboxes are read as fast as Graph answers.
func (m Model) Most(mailboxes int) Load {
	return m.load(mailboxes, min(float64(mailboxes)*mailboxRequests, globalRequests))
}

// nightly is a usual crawl: so many requests for each mailbox within so many seconds.
const (
	nightlyRequests = 12
	nightlySeconds  = 3600
)

// Nightly is the load of a crawl.
func (m Model) Nightly(mailboxes int) Load {
	return m.load(mailboxes, float64(mailboxes)*nightlyRequests/nightlySeconds)
}

func (m Model) load(mailboxes int, requests float64) Load {
	l := Load{Mailboxes: mailboxes, Requests: requests, Streams: mailboxes * mailboxParallel}
	l.Cores = requests * m.at(middle) / 1e6
	l.Traffic = requests * pageMB
	l.Memory = m.Idle + float64(l.Streams)*m.Stream
	return l
}

// PerCore is how many requests of a size a core serves in a second, Envoy included.
func (m Model) PerCore(size string) float64 { return 1e6 / m.at(size) }

// MailboxesPerCore is how many mailboxes one core reads as fast as Graph answers.
func (m Model) MailboxesPerCore() float64 { return m.PerCore(middle) / mailboxRequests }

//go:embed scaling.md.tmpl
var text string

var page = template.Must(template.New("scaling").Funcs(template.FuncMap{"n": number, "thousands": thousands}).Parse(text))

// Render is the page.
func Render(r result.Results) ([]byte, error) {
	m, err := Fit(r)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{
		"Model": m, "Results": r,
		"Small": m.PerCore(small), "Middle": m.PerCore(middle), "Large": m.PerCore(large),
		"Most":    []Load{m.Most(1), m.Most(100), m.Most(10_000)},
		"Nightly": []Load{m.Nightly(1), m.Nightly(100), m.Nightly(10_000)},
		"Off":     100 * math.Abs(m.Checked-1),
		"Stuck":   (96 - m.Idle) / max(m.Stream, 0.001),
	})
	return b.Bytes(), err
}

// Write writes scaling.md into a folder.
func Write(folder string, r result.Results) error {
	text, err := Render(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "scaling.md"), text, 0o644); err != nil {
		return fmt.Errorf("writing the model: %w", err)
	}
	return nil
}

// number writes two significant digits, and no fraction of what is above ten.
func number(v float64) string {
	if v <= 0 {
		return "0"
	}
	exact, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 1, 64), 64)
	if exact >= 10 {
		return thousands(int(exact))
	}
	return strconv.FormatFloat(exact, 'f', -1, 64)
}

// thousands writes an integer with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
