package result

import (
	"fmt"
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// String is the name: group, case, subject, unit.
func (f Figure) String() string {
	return fmt.Sprintf("%s %s %s %s", f.Group, f.Case, f.Subject, f.Unit)
}

// Median is the middle of the rounds, of an even number the mean of the two in
// the middle. NaN without rounds.
func (f Figure) Median() float64 { return quantile(f.Rounds, 0.5) }

// Spread is the first and the third quartile of the rounds: half of them lie
// between. Quartiles that fall between two rounds are interpolated.
func (f Figure) Spread() (low, high float64) {
	return quantile(f.Rounds, 0.25), quantile(f.Rounds, 0.75)
}

// Ratio is f over against, round by round; its median is what targets are judged
// by. It fails when the two were not measured in the same rounds.
func (f Figure) Ratio(against Figure) (Figure, error) {
	if len(f.Rounds) != len(against.Rounds) {
		return Figure{}, fmt.Errorf("%s has %d rounds, %s has %d: they do not pair", f, len(f.Rounds), against, len(against.Rounds))
	}
	ratio := f
	ratio.Unit, ratio.Rounds = "×", make([]float64, len(f.Rounds))
	for i := range f.Rounds {
		if against.Rounds[i] == 0 {
			return Figure{}, fmt.Errorf("%s is 0 in round %d", against, i+1)
		}
		ratio.Rounds[i] = f.Rounds[i] / against.Rounds[i]
	}
	return ratio, nil
}

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// At is the value that the share q of all values does not exceed: of the first
// point at or above q, or of the last one.
func (h Histogram) At(q float64) float64 {
	for _, p := range h.Points {
		if p.Quantile >= q {
			return p.Value
		}
	}
	return h.Points[len(h.Points)-1].Value
}

// Points are the distribution that h holds, denser towards its end, as values of
// perUnit of h's units: 1e6 makes milliseconds of nanoseconds. The percentiles that
// people ask for are among them, so that [Histogram.At] gives what h gives.
func Points(h *hdrhistogram.Histogram, perUnit float64) []Point {
	percentiles := []float64{50, 90, 99, 99.9}
	for _, b := range h.CumulativeDistributionWithTicks(5) {
		percentiles = append(percentiles, b.Quantile)
	}
	slices.Sort(percentiles)
	var all []Point
	for _, p := range slices.Compact(percentiles) {
		all = append(all, Point{Quantile: p / 100, Value: float64(h.ValueAtPercentile(p)) / perUnit})
	}
	return all
}
