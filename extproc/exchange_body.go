package extproc

import (
	"errors"

	"github.com/graphveil/graphveil/extproc/inflate"
	"github.com/graphveil/graphveil/extproc/sanitize"
)

// bodyRoom is what Body appends before it leaves the rest of a compressed chunk
// pending. The piece that exceeds it is appended too.
const bodyRoom = inflate.PieceSize

// Body appends what leaves of the next chunk of the response body. If the exchange
// is Pending then, the chunk must stay as it is, and Body be called again without
// one, until it is not: what was appended can be sent in between, so that a chunk
// that inflates to a thousand times its length needs no more memory than another.
func (x *Exchange) Body(dst, chunk []byte) ([]byte, *Refusal) {
	if x.phase != phaseBody || x.pending && len(chunk) > 0 {
		return dst, x.refuse(&Refusal{Code: "internal"})
	}
	n := len(dst)
	x.record.BytesIn += int64(len(chunk))
	var refusal *Refusal
	if x.inflater == nil {
		dst, refusal = x.sanitize(dst, chunk)
	} else {
		if !x.pending {
			x.inflater.Push(chunk)
		}
		dst, refusal = x.inflate(dst)
	}
	if refusal != nil {
		return dst[:n], x.refuse(refusal)
	}
	x.record.BytesOut += int64(len(dst) - n)
	return dst, nil
}

// Compressed says that more leaves of a chunk, as a rule, than it is long.
func (x *Exchange) Compressed() bool { return x.inflater != nil }

// Pending says that Body has more to append of the last chunk.
func (x *Exchange) Pending() bool { return x.pending }

// inflate appends what leaves of the chunk that the inflater has, up to bodyRoom.
func (x *Exchange) inflate(dst []byte) ([]byte, *Refusal) {
	n := len(dst)
	for {
		piece, err := x.inflater.Next()
		if err != nil {
			return dst, inflateRefusal(err)
		}
		if x.pending = piece != nil; !x.pending {
			return dst, nil
		}
		var refusal *Refusal
		if dst, refusal = x.sanitize(dst, piece); refusal != nil || len(dst)-n > bodyRoom {
			return dst, refusal
		}
	}
}

// sanitize appends what leaves of a plain part of the body, but for its last byte: that
// leaves when more does, or at the end. So a response that was not received in order,
// be it that only its length or its checksum is wrong, is never whole at the client.
func (x *Exchange) sanitize(dst, part []byte) ([]byte, *Refusal) {
	if x.text != nil {
		var ok bool
		if part, ok = x.text.check(part); !ok {
			return dst, &Refusal{Code: "response_malformed"}
		}
	}
	n := len(dst)
	if x.holds {
		dst = append(dst, x.held)
	}
	dst, err := x.rewriter.Append(dst, part)
	if err != nil {
		return dst, x.bodyRefusal(err)
	}
	if last := len(dst) - 1; last >= n {
		x.held, x.holds = dst[last], true
		dst = dst[:last]
	}
	return dst, nil
}

// End appends what is left when the response body is complete. Only then may the
// end of the body be announced: that is when a checksum has been compared.
func (x *Exchange) End(dst []byte) ([]byte, *Refusal) {
	if x.phase != phaseBody || x.pending {
		return dst, x.refuse(&Refusal{Code: "internal"})
	}
	if x.inflater != nil {
		if err := x.inflater.Finish(); err != nil {
			return dst, x.refuse(inflateRefusal(err))
		}
	}
	n := len(dst)
	if x.holds {
		dst, x.holds = append(dst, x.held), false
	}
	dst, err := x.rewriter.Finish(dst)
	if err != nil {
		return dst[:n], x.refuse(x.bodyRefusal(err))
	}
	x.record.BytesOut += int64(len(dst) - n)
	x.phase = phaseEnded
	return dst, nil
}

// bodyRefusal maps the sanitizer's error to a public code and keeps its place,
// a pointer and an offset, for the record.
func (x *Exchange) bodyRefusal(err error) *Refusal {
	var at *sanitize.Error
	if !errors.As(err, &at) {
		return &Refusal{Code: "internal"}
	}
	x.record.Body = at
	switch at.Code {
	case sanitize.CodeTruncated:
		return &Refusal{Code: "upstream_truncated"}
	case sanitize.CodeDepth, sanitize.CodeLimit:
		return &Refusal{Code: "response_limit"}
	}
	return &Refusal{Code: "response_malformed"}
}

// inflateRefusal maps the inflater's error to a public code.
func inflateRefusal(err error) *Refusal {
	switch {
	case errors.Is(err, inflate.ErrTruncated):
		return &Refusal{Code: "upstream_truncated"}
	case errors.Is(err, inflate.ErrMalformed):
		return &Refusal{Code: "response_encoding_malformed"}
	case errors.Is(err, inflate.ErrRatio):
		return &Refusal{Code: "response_ratio"}
	}
	return &Refusal{Code: "internal"}
}

// BodyError says where and why the body was refused, as "code at pointer, offset n", or
// "" if it was not.
func (x *Exchange) BodyError() string {
	if x.record.Body == nil {
		return ""
	}
	return x.record.Body.Error()
}
