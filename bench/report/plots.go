package report

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/graphveil/graphveil/bench/result"
)

var dashes = [][]vg.Length{nil, {7, 3}, {2, 3}}

// Plots draws what results have figures for.
func Plots(r result.Results) ([]Plot, error) {
	var plots []Plot
	for _, draw := range []func(result.Results) ([]Plot, error){sanitizer, chunks, throughput, cpu, latencies, memory} {
		drawn, err := draw(r)
		if err != nil {
			return nil, fmt.Errorf("drawing plots: %w", err)
		}
		plots = append(plots, drawn...)
	}
	return plots, nil
}

var pageLabels = []struct{ name, label string }{{"mail", "mail"}, {"calendar", "calendar"}, {"teams", "Teams"}, {"users", "users"}}

// sanitizer compares the sanitizer with its peers on whole pages.
func sanitizer(r result.Results) ([]Plot, error) {
	var clusters []cluster
	for _, page := range pageLabels {
		if c := clusterOf(r, "sanitizer", page.name+"/whole", "MB/s", page.label); len(c.bars) > 0 {
			clusters = append(clusters, c)
		}
	}
	return barPlot("sanitizer", "sanitizer", "Sanitizer beside parsers, whole pages", "throughput in MB/s (more is better)", 690, clusters)
}

// chunks shows what it costs when pages come in pieces.
func chunks(r result.Results) ([]Plot, error) {
	var clusters []cluster
	for _, page := range pageLabels {
		for _, size := range []string{"whole", "16KB", "1KB", "100B"} {
			label := spaced(size)
			if size == "whole" {
				label = page.label + ",\nwhole"
			}
			if f, ok := r.Find("sanitizer", page.name+"/"+size, "graphveil", "MB/s"); ok {
				clusters = append(clusters, cluster{label, map[string]bar{"graphveil": {f}}})
			}
		}
	}
	return barPlot("sanitizer-chunks", "sanitizer", "Sanitizer, pages in chunks", "throughput in MB/s (more is better)", 820, clusters)
}

func clusterOf(r result.Results, group, situation, unit, label string) cluster {
	c := cluster{label, map[string]bar{}}
	for _, f := range r.Figures {
		if f.Group == group && f.Case == situation && f.Unit == unit {
			c.bars[f.Subject] = bar{f}
		}
	}
	return c
}

func barPlot(name, group, title, y string, width vg.Length, clusters []cluster) ([]Plot, error) {
	if len(clusters) == 0 {
		return nil, nil
	}
	p := newPlot("", y)
	grid(p)
	if err := addBars(p, clusters, nil, true); err != nil {
		return nil, err
	}
	image, err := panelsSVG(width, 380, title, p)
	return []Plot{{name, group, title, image}}, err
}

var sizes = []string{"1KB", "50KB", "400KB", "50MB"}

// throughput is the ladder: a panel for each size, for they differ by orders of
// magnitude.
func throughput(r result.Results) ([]Plot, error) {
	return panels(r, "throughput", "max throughput through Envoy", "requests per second (more is better)", nil,
		func(protocol, size, upstream string) cluster {
			return clusterOf(r, "ladder", protocol+"/"+size+"/"+upstream+"/max", "req/s", spaced(size))
		})
}

// cpu stacks what Envoy and the processor take for one request.
func cpu(r result.Results) ([]Plot, error) {
	parts := []string{"Envoy", "processor"}
	return panels(r, "cpu", "CPU of a request at max throughput", "µs of CPU (less is better)", parts,
		func(protocol, size, upstream string) cluster {
			c := cluster{spaced(size), map[string]bar{}}
			for _, part := range []string{"envoy", "processor"} {
				for name, b := range clusterOf(r, "cpu", protocol+"/"+size+"/"+upstream+"/max/"+part, "µs/request", "").bars {
					c.bars[name] = append(c.bars[name], b...)
				}
			}
			return c
		})
}

// panels makes a plot for each protocol and kind of upstream, with a panel for each
// size that was measured.
func panels(r result.Results, name, what, y string, parts []string, of func(protocol, size, upstream string) cluster) ([]Plot, error) {
	var plots []Plot
	for _, protocol := range []string{"h2", "h1"} {
		for _, upstream := range []string{"plain", "gzip"} {
			var drawn []*plot.Plot
			title := protocol + ", " + upstream + " upstream: " + what
			for _, size := range sizes {
				c := of(protocol, size, upstream)
				if len(c.bars) == 0 {
					continue
				}
				p := newPlot("", "")
				if len(drawn) == 0 {
					p.Y.Label.Text = y
				}
				grid(p)
				if err := addBars(p, []cluster{c}, parts, len(drawn) == 0); err != nil {
					return nil, err
				}
				drawn = append(drawn, p)
			}
			if len(drawn) == 0 {
				continue
			}
			image, err := panelsSVG(185, 380, title, drawn...)
			if err != nil {
				return nil, err
			}
			plots = append(plots, Plot{name + "-" + protocol + "-" + upstream, "ladder", title, image})
		}
	}
	return plots, nil
}

// latencies is a plot for each case that has histograms.
func latencies(r result.Results) ([]Plot, error) {
	var plots []Plot
	var done []string
	for _, h := range r.Histograms {
		key := h.Group + "/" + h.Case
		if slices.Contains(done, key) {
			continue
		}
		done = append(done, key)
		var same []result.Histogram
		for _, other := range r.Histograms {
			if other.Group == h.Group && other.Case == h.Case && other.Unit == h.Unit {
				same = append(same, other)
			}
		}
		title := caseLabel(h.Case) + ": latency"
		p, err := latency(title, same)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		image, err := svg(720, 380, p)
		if err != nil {
			return nil, err
		}
		plots = append(plots, Plot{"latency-" + strings.NewReplacer("/", "-", " ", "-").Replace(h.Case), h.Group, title, image})
	}
	return plots, nil
}

// memory shows peaks.
func memory(r result.Results) ([]Plot, error) {
	var clusters []cluster
	for _, situation := range []struct{ name, label string }{
		{"slow-8x50MB/processor", "8 slow clients, 50 MB each:\nprocessor"}, {"slow-8x50MB/envoy-growth", "8 slow clients, 50 MB each:\ngrowth of Envoy"},
		{"one-50MB/processor", "one body of 50 MB:\nprocessor"}, {"one-500MB/processor", "one body of 500 MB:\nprocessor"},
	} {
		if c := clusterOf(r, "memory", situation.name, "MB", situation.label); len(c.bars) > 0 {
			clusters = append(clusters, c)
		}
	}
	return barPlot("memory", "memory", "Peak memory", "MB of resident memory (less is better)", 640, clusters)
}

// caseLabel writes the name of a case for people: "h2, 50 KB, plain upstream, max throughput".
func caseLabel(name string) string {
	words := strings.Split(name, "/")
	for i, word := range words {
		switch word {
		case "plain", "gzip":
			words[i] = word + " upstream"
		case "max":
			words[i] = "max throughput"
		case "half":
			words[i] = "at half of the no-op's max"
		default:
			words[i] = spaced(word)
		}
	}
	return strings.Join(words, ", ")
}

// spaced parts a number from its unit: "50KB" is "50 KB".
func spaced(size string) string {
	i := strings.IndexFunc(size, func(r rune) bool { return r < '0' || r > '9' })
	if i <= 0 || i == len(size) || !slices.Contains([]string{"B", "KB", "MB"}, size[i:]) {
		return size
	}
	return size[:i] + " " + size[i:]
}
