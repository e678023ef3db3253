package sanitize

import (
	"strconv"
	"strings"
)

// The codes of Error. They are stable: callers map them to a status and count
// them.
const (
	// CodeSyntax: not RFC 8259.
	CodeSyntax = "json_syntax"
	// CodeUTF8: a string holds bytes that are not UTF-8.
	CodeUTF8 = "json_utf8"
	// CodeTruncated: the body ended inside its value.
	CodeTruncated = "json_truncated"
	// CodeEmpty: the body held nothing, or only white space.
	CodeEmpty = "json_empty"
	// CodeTrailing: something other than white space follows the value.
	CodeTrailing = "json_trailing"
	// CodeDuplicateKey: an object names a member twice, however spelled.
	CodeDuplicateKey = "json_duplicate_key"
	// CodeDepth: nested deeper than Limits.Depth.
	CodeDepth = "json_depth"
	// CodeLimit: any other of the Limits is exceeded.
	CodeLimit = "json_limit"
	// CodeRootDropped: the plan releases nothing of this body, because its root
	// is dropped or has another type than the plan says. An empty body would be
	// no JSON, so this is an error and not a short success.
	CodeRootDropped = "root_dropped"
	// CodeMistyped: a value has a type for which the plan refuses the whole body.
	CodeMistyped = "mistyped"
	// CodeNoPlan: the Rewriter has no plan with a root, or no Tokens: it was not
	// Reset, or it is finished.
	CodeNoPlan = "no_plan"
)

// Error says why a body was refused. It never holds a byte of the body.
type Error struct {
	// Code is one of the constants of this package.
	Code string
	// Pointer is the JSON Pointer (RFC 6901) of the innermost value that was
	// begun, or that is due after its name or after a comma in an array. A name
	// that the plan does not know is "*".
	Pointer string
	// Offset counts bytes of the body before the fault: before the first byte
	// that is wrong, or before the escape, UTF-8 sequence, or token that is, or
	// the whole length if the body ended too early.
	Offset int64
}

// Error implements error.
func (e *Error) Error() string {
	s := "rewriting json body: " + e.Code + " at byte " + strconv.FormatInt(e.Offset, 10)
	if e.Pointer != "" {
		s += " in " + strconv.Quote(e.Pointer)
	}
	return s
}

// fail refuses the body because of the byte at index i of the current chunk.
func (r *Rewriter) fail(code string, i int) error {
	return r.failAt(code, r.base+int64(i))
}

// failAt refuses the body because of the byte at an offset of the body.
func (r *Rewriter) failAt(code string, offset int64) error {
	return &Error{Code: code, Pointer: r.pointer(), Offset: offset}
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer names the place of the Rewriter in the body. It is paid for only when
// there is an error to report.
func (r *Rewriter) pointer() string {
	var b strings.Builder
	for i := range r.stack {
		f := &r.stack[i]
		if i == len(r.stack)-1 && !r.state.inside() {
			break
		}
		b.WriteByte('/')
		switch {
		case !f.object:
			b.WriteString(strconv.Itoa(f.index))
		case f.field != nil:
			b.WriteString(pointerEscapes.Replace(f.field.Name))
		default:
			b.WriteByte('*')
		}
	}
	return b.String()
}
