package sanitize

import (
	"bytes"
	"math"
	"strconv"

	"github.com/buger/jsonparser"
	"github.com/graphveil/graphveil/policy/plan"
)

// stepType carries out the steps that let values of one type pass and put null
// in place of others.
func (r *Rewriter) stepType(do plan.StepOp, v *small) outcome {
	fits := false
	switch do {
	case plan.StepString:
		fits = v.kind == '"' || v.kind == 'n'
	case plan.StepBoolean:
		if v.kind == 'n' {
			v.kind, v.text, v.changed = 'f', falseText, true
		}
		fits = v.kind == 't' || v.kind == 'f'
	case plan.StepNull:
		fits = v.kind == 'n'
	case plan.StepNumber:
		fits = v.kind == 'n' || v.kind == '0' && finite(v.text)
	case plan.StepInteger:
		fits = v.kind == 'n' || v.kind == '0' && r.cut64(v)
	case plan.StepObject:
		fits = v.kind == 'n' || v.kind == '{'
	case plan.StepArray:
		fits = v.kind == 'n' || v.kind == '['
	case plan.StepScalar:
		if v.kind == '0' && !isDouble(v.text) && !fits64(v.text) {
			return refuse
		}
		fits = v.kind != '{' && v.kind != '['
	}
	if !fits {
		v.mistyped = true
		v.null()
	}
	return goOn
}

var falseText = []byte("false")

// isDouble reports whether a number has a fraction or an exponent: Psoxy reads it
// as an IEEE double then, and as an integer of any length otherwise.
func isDouble(number []byte) bool { return bytes.ContainsAny(number, ".eE") }

// finite reports whether a number is within the doubles, if it is one.
func finite(number []byte) bool {
	if !isDouble(number) {
		return true
	}
	_, err := jsonparser.ParseFloat(number)
	return err == nil
}

// fits64 reports whether an integer is within 64 bits.
func fits64(number []byte) bool {
	_, err := jsonparser.ParseInt(number)
	return err == nil
}

// cut64 cuts the fraction of a number off. It returns false if what is left is
// not within 64 bits.
func (r *Rewriter) cut64(v *small) bool {
	if !isDouble(v.text) {
		return fits64(v.text)
	}
	x, err := jsonparser.ParseFloat(v.text)
	if err != nil || x < math.MinInt64 || x > math.MaxInt64 {
		return false
	}
	i := int64(math.MaxInt64) // the double above it is 2^63, which Java makes the greatest long
	if x < math.MaxInt64 {
		i = int64(x)
	}
	v.text = strconv.AppendInt(r.room(v), i, 10)
	r.pipe[v.side] = v.text
	v.changed = true
	return true
}
