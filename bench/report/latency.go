package report

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"github.com/graphveil/graphveil/bench/result"
)

// latency draws histograms of one case by percentile. The axis is that of
// HdrHistogram's plots: each nine behind the point takes as much room as the one
// before, so that the tail can be seen.
func latency(title string, histograms []result.Histogram) (*plot.Plot, error) {
	p := newPlot(title, "latency in "+histograms[0].Unit)
	grid(p)
	slices.SortStableFunc(histograms, func(a, b result.Histogram) int { return bySubject(a.Subject, b.Subject) })
	low, high, end := math.Inf(1), 0.0, 0.0
	for i, h := range histograms {
		var points plotter.XYs
		for _, q := range h.Points {
			if q.Quantile >= 1 || q.Value <= 0 {
				continue // the maximum lies at infinity; tables have it
			}
			x := nines(q.Quantile)
			points = append(points, plotter.XY{X: x, Y: q.Value})
			low, high, end = min(low, q.Value), max(high, q.Value), max(end, x)
		}
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = colour(h.Subject), 2.2
		if i > 0 { // lines differ not by colour alone
			line.Dashes = dashes[i%len(dashes)]
		}
		p.Add(line)
		p.Legend.Add(label(h.Subject), line)
	}
	if high == 0 {
		return nil, nil
	}
	p.Legend.Left, p.Legend.ThumbnailWidth = true, 26
	p.X.Label.Text = "percentile of all requests"
	p.X.Min, p.X.Max = 0, end
	var ticks []plot.Tick
	for _, percent := range []float64{0, 50, 75, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if at := nines(percent / 100); at <= end+1e-9 {
			ticks = append(ticks, plot.Tick{Value: at, Label: strconv.FormatFloat(percent, 'f', -1, 64) + "%"})
		}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, steps{}
	p.Y.Min, p.Y.Max = floor125(low), floor125(high*2.5)
	if p.Y.Max <= high {
		p.Y.Max = high * 1.1
	}
	return p, nil
}

// nines is the number of nines of a quantile: 1 of 0.9, 2 of 0.99.
func nines(quantile float64) float64 { return -math.Log10(1 - quantile) }

// floor125 is the next 1, 2 or 5 times a power of ten that is not above v.
func floor125(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digit := range []float64{5, 2} {
		if digit*power <= v {
			return digit * power
		}
	}
	return power
}
