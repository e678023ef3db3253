package report

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/graphveil/graphveil/bench/result"
)

// bar is one bar: its parts from the bottom up. One of a single part gets the
// quartiles of its figure as whiskers.
type bar []result.Figure

// cluster is bars beside each other, one place for each subject.
type cluster struct {
	label string
	bars  map[string]bar // by subject
}

// addBars draws clusters of bars from zero, with the quartiles as whiskers and the
// medians in figures, and a legend where several subjects or parts are in it.
func addBars(p *plot.Plot, clusters []cluster, parts []string, legend bool) error {
	var names []string
	for _, c := range clusters {
		for name := range c.bars {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.SortFunc(names, bySubject)
	width := 0.84 / float64(len(names))
	var labels plotter.XYLabels
	var spreads plotter.YErrors
	var tops plotter.XYs
	known := map[string]bool{}
	places := make([]string, len(clusters))
	for i, c := range clusters {
		places[i] = c.label
		for j, name := range names {
			b, ok := c.bars[name]
			if !ok {
				continue
			}
			left := float64(i) - 0.42 + float64(j)*width
			bottom := 0.0
			for k, part := range b {
				fill := colour(name)
				if k > 0 {
					fill = lighter(fill)
				}
				height := part.Median()
				shape, err := box(left+width*0.06, left+width*0.94, bottom, bottom+height, fill)
				if err != nil {
					return err
				}
				p.Add(shape)
				bottom += height
				text := label(name)
				if len(parts) > 1 {
					text += ": " + parts[k]
				}
				if legend && !known[text] {
					known[text] = true
					p.Legend.Add(text, shape)
				}
			}
			top := bottom
			if len(b) == 1 {
				if low, high := b[0].Spread(); low < high {
					spreads = append(spreads, struct{ Low, High float64 }{bottom - low, high - bottom})
					tops = append(tops, plotter.XY{X: left + width/2, Y: bottom})
					top = high
				}
			}
			labels.XYs = append(labels.XYs, plotter.XY{X: left + width/2, Y: top})
			labels.Labels = append(labels.Labels, amount(bottom))
			p.Y.Max = max(p.Y.Max, top*1.12)
		}
	}
	if len(tops) > 0 {
		whiskers, err := plotter.NewYErrorBars(struct {
			plotter.XYer
			plotter.YErrorer
		}{tops, spreads})
		if err != nil {
			return err
		}
		whiskers.LineStyle.Color, whiskers.LineStyle.Width, whiskers.CapWidth = ink, 1, 5
		p.Add(whiskers)
	}
	values, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range values.TextStyle {
		values.TextStyle[i].Font, values.TextStyle[i].Color = font.From(sans, 9.5), ink
		values.TextStyle[i].XAlign = draw.XCenter
	}
	values.Offset = vg.Point{Y: 3}
	p.Add(values)
	p.Y.Min, p.X.Min, p.X.Max = 0, -0.55, float64(len(clusters))-0.45
	p.Y.Tick.Marker = even{}
	p.NominalX(places...)
	return nil
}

func box(left, right, bottom, top float64, fill color.Color) (*plotter.Polygon, error) {
	shape, err := plotter.NewPolygon(plotter.XYs{{X: left, Y: bottom}, {X: right, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}})
	if err != nil {
		return nil, err
	}
	shape.Color, shape.LineStyle.Width = fill, 0
	return shape, nil
}

// grid are thin lines across, behind what is added later.
func grid(p *plot.Plot) {
	g := plotter.NewGrid()
	g.Vertical.Width, g.Horizontal.Color = 0, rule
	p.Add(g)
}

func bySubject(a, b string) int {
	place := func(name string) int {
		for i, s := range subjects {
			if s.name == name {
				return i
			}
		}
		return math.MaxInt
	}
	if d := place(a) - place(b); d != 0 {
		return d
	}
	return slices.Compare([]byte(a), []byte(b))
}

// amount prints a number with commas.
func amount(v float64) string {
	text := result.Number(v)
	if v < 1000 || v != math.Trunc(v) && len(text) < 4 {
		return text
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
