package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Plot is one picture.
type Plot struct {
	Name  string // of the file, without .svg
	Group string // of the figures in it
	Title string
	SVG   []byte
}

// colours of subjects are of the palette of Okabe and Ito, which people with
// colour-blindness can tell apart, and of different lightness.
var colours = map[string]color.NRGBA{
	"graphveil":       {0x00, 0x72, 0xb2, 0xff},
	"noop":            {0xe6, 0x9f, 0x00, 0xff},
	"envoy":           {0x99, 0x99, 0x99, 0xff},
	"jsontext":        {0x00, 0x9e, 0x73, 0xff},
	"jsonparser":      {0xcc, 0x79, 0xa7, 0xff},
	"jsonparser-walk": {0x56, 0xb4, 0xe9, 0xff},
	"encoding/json":   {0xd5, 0x5e, 0x00, 0xff},
}

// subjects says what the names of subjects mean, in the order in which they are shown.
var subjects = []struct{ name, label string }{
	{"graphveil", "Graphveil"},
	{"noop", "no-op processor"},
	{"envoy", "Envoy alone"},
	{"jsonparser", "jsonparser, the same work"},
	{"jsontext", "jsontext, validation"},
	{"jsonparser-walk", "jsonparser, walk"},
	{"encoding/json", "encoding/json, validation"},
}

func label(subject string) string {
	for _, s := range subjects {
		if s.name == subject {
			return s.label
		}
	}
	return subject
}

func colour(subject string) color.NRGBA {
	if c, ok := colours[subject]; ok {
		return c
	}
	return color.NRGBA{0x44, 0x44, 0x44, 0xff}
}

// lighter is the colour of the second part of a bar.
func lighter(c color.NRGBA) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8((int(v) + 2*0xff) / 3) }
	return color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 0xff}
}

var (
	ink  = color.NRGBA{0x22, 0x22, 0x22, 0xff}
	rule = color.NRGBA{0xdd, 0xdd, 0xdd, 0xff}
	sans = font.Font{Typeface: "Liberation", Variant: "Sans"}
)

// newPlot is an empty plot in the house's style: white ground, so that it can be
// read in a dark page too, and dark text.
func newPlot(title, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.Y.Label.Text = title, y
	p.Title.Padding = 6
	p.Legend.Padding, p.Legend.Top, p.Legend.ThumbnailWidth = 4, true, 14
	for _, t := range []struct {
		font  *font.Font
		color *color.Color
		size  vg.Length
	}{
		{&p.Title.TextStyle.Font, &p.Title.TextStyle.Color, 13},
		{&p.X.Label.TextStyle.Font, &p.X.Label.TextStyle.Color, 11}, {&p.Y.Label.TextStyle.Font, &p.Y.Label.TextStyle.Color, 11},
		{&p.X.Tick.Label.Font, &p.X.Tick.Label.Color, 10.5}, {&p.Y.Tick.Label.Font, &p.Y.Tick.Label.Color, 10.5},
		{&p.Legend.TextStyle.Font, &p.Legend.TextStyle.Color, 10.5},
	} {
		*t.font, *t.color = font.From(sans, t.size), ink
	}
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.LineStyle.Color, axis.Tick.LineStyle.Color = ink, ink
	}
	return p
}

// svg draws one plot.
func svg(width, height vg.Length, p *plot.Plot) ([]byte, error) {
	return onWhite(width, height, p.Draw)
}

// panelsSVG draws panels beside each other, each with its own scale, with one title
// above and the legend of the first panel beside them.
func panelsSVG(panelWidth, height vg.Length, title string, panels ...*plot.Plot) ([]byte, error) {
	const legendWidth, titleHeight = 175, 24
	legend := panels[0].Legend
	legend.Left = true // text begins beside its colour, however wide the font is that stands in
	panels[0].Legend = plot.NewLegend()
	width := vg.Length(len(panels))*panelWidth + legendWidth
	return onWhite(width, height, func(whole draw.Canvas) {
		whole.FillText(draw.TextStyle{Font: font.From(sans, 13), Color: ink, XAlign: draw.XCenter, YAlign: draw.YTop, Handler: plot.DefaultTextHandler},
			vg.Point{X: whole.Center().X, Y: whole.Max.Y}, title)
		area := draw.Crop(whole, 0, -legendWidth, 0, -titleHeight)
		tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: 14}
		for i, tile := range plot.Align([][]*plot.Plot{panels}, tiles, area)[0] {
			panels[i].Draw(tile)
		}
		beside := whole
		beside.Min.X = area.Max.X + 14
		legend.Draw(draw.Crop(beside, 0, 0, 0, -titleHeight-10))
	})
}

func onWhite(width, height vg.Length, paint func(draw.Canvas)) ([]byte, error) {
	canvas := vgsvg.NewWith(vgsvg.UseWH(width, height))
	whole := draw.New(canvas)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	paint(draw.Crop(whole, 8, -12, 8, -8))
	var out bytes.Buffer
	if _, err := canvas.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	// Where the font is missing, one of the same widths should stand in.
	return bytes.ReplaceAll(out.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
}

// steps are ticks at 1, 2 and 5 times the powers of ten, for a logarithmic axis.
type steps struct{}

// Ticks implements plot.Ticker.
func (steps) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for exponent := math.Floor(math.Log10(low)); exponent <= math.Ceil(math.Log10(high)); exponent++ {
		for _, digit := range []float64{1, 2, 5} {
			if v := digit * math.Pow(10, exponent); v >= low*0.999 && v <= high*1.001 {
				ticks = append(ticks, plot.Tick{Value: v, Label: amount(v)})
			}
		}
	}
	return ticks
}

// even are about six ticks of round numbers, without minor ones.
type even struct{}

// Ticks implements plot.Ticker.
func (even) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for _, t := range (plot.DefaultTicks{}).Ticks(low, high) {
		if !t.IsMinor() {
			t.Label = amount(t.Value)
			ticks = append(ticks, t)
		}
	}
	return ticks
}
