package sanitize

// output appends decided bytes to dst. Bytes that stand in the chunk are not
// copied one token at a time: they are collected as a span, and as long as kept
// tokens follow each other without a gap the span only grows.
//
// Invariants: 0 <= from <= to <= len(chunk). The output so far is dst followed
// by chunk[from:to].
type output struct {
	dst      []byte
	chunk    []byte
	from, to int
}

// begin starts a chunk.
func (o *output) begin(dst, chunk []byte) {
	o.dst, o.chunk, o.from, o.to = dst, chunk, 0, 0
}

// flush copies the span to dst.
func (o *output) flush() {
	o.dst = append(o.dst, o.chunk[o.from:o.to]...)
	o.from = o.to
}

// turnTo goes on with another chunk.
func (o *output) turnTo(chunk []byte) {
	o.flush()
	o.chunk, o.from, o.to = chunk, 0, 0
}

// span outputs chunk[from:to].
func (o *output) span(from, to int) {
	if from != o.to {
		o.flush()
		o.from = from
	}
	o.to = to
}

// mark outputs a punctuation byte: the one at index i of the chunk, or c if that
// stood in an earlier chunk and i is negative.
func (o *output) mark(c byte, i int) {
	if i < 0 {
		o.flush()
		o.dst = append(o.dst, c)
		return
	}
	o.span(i, i+1)
}

// bytes outputs bytes that are not in the chunk.
func (o *output) bytes(p []byte) {
	o.flush()
	o.dst = append(o.dst, p...)
}

// text outputs text that is not in the chunk.
func (o *output) text(s string) {
	o.flush()
	o.dst = append(o.dst, s...)
}

// quoted outputs a string of the given unescaped text.
func (o *output) quoted(text []byte) {
	o.flush()
	o.dst = append(o.dst, '"')
	o.dst = appendEscaped(o.dst, text)
	o.dst = append(o.dst, '"')
}

// open begins a string of escaped text, which is to be appended to what it
// returns, and close ends it.
func (o *output) open() []byte {
	o.flush()
	return append(o.dst, '"')
}

func (o *output) close(dst []byte) { o.dst = append(dst, '"') }

// end copies what is left and gives dst back.
func (o *output) end() []byte {
	o.flush()
	dst := o.dst
	o.dst, o.chunk, o.from, o.to = nil, nil, 0, 0
	return dst
}
