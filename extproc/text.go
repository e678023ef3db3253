package extproc

// numberText checks a body of media type text/plain, chunk by chunk: one whole
// number, as OData sends a count (OData 4.01 protocol, section 11.2.10), with or
// without a UTF-8 byte order mark before it. Some of the upstream's services are
// said to write one; it means nothing, so it is taken off. Everything else is
// refused: text could be anything.
type numberText struct {
	mark    int // bytes of the mark that have come
	started bool
}

const byteOrderMark = "\xef\xbb\xbf"

// check returns what of the chunk is to be read on, and whether it is well-formed
// so far.
func (t *numberText) check(chunk []byte) ([]byte, bool) {
	for !t.started && t.mark < len(byteOrderMark) && len(chunk) > 0 && chunk[0] == byteOrderMark[t.mark] {
		t.mark++
		chunk = chunk[1:]
	}
	for _, c := range chunk {
		if c < '0' || c > '9' || !t.started && t.mark%len(byteOrderMark) != 0 {
			return nil, false
		}
		t.started = true
	}
	return chunk, true
}
