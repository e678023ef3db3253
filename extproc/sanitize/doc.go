// Package sanitize rewrites one JSON body by a compiled plan while it streams
// through.
//
// Make a Rewriter with New, give it a plan with Reset, feed it the body with
// Append in chunks of any size, and end it with Finish. Each call appends the
// output that is decided by then. A Rewriter is reused for any number of bodies;
// once its buffers have grown it does not allocate.
//
// The input must be one JSON text of RFC 8259 in UTF-8: no byte order mark, no
// bytes after it but white space, no duplicate member names, no invalid UTF-8
// anywhere, also not in parts that are dropped. Depth and sizes are bounded by
// Limits. An escaped surrogate without its partner (\ud800) is let through: real
// mail previews have them, cut in the middle of an emoji. A plan with Psoxy set
// takes any number of JSON texts, also none, and spells what it keeps as Psoxy
// does.
//
// Only steps that search with regular expressions allocate, for each string in
// which they find something.
//
// The output is compact. Kept strings, numbers and member names are copied byte
// for byte, so an escape stays as it was spelled; white space is removed.
//
// # Layers
//
//   - wire: scan_string.go and scan_number.go find the ends of tokens and know
//     nothing of plans; number.go, blank.go and escape.go convert text.
//   - state: frame.go holds what is open, layout.go what its names are likely to be,
//     names.go those that are not, output.go what goes out.
//   - use: rewrite.go begins and ends a body, walk.go follows the grammar, rush.go
//     where all is as usual, rewrite_token.go carries a token over chunks,
//     rewrite_value.go and rewrite_scalar.go carry out the plan.
//   - operations: run.go puts a value through steps, which are in match.go,
//     phrases.go, patterns.go and types.go; digest.go counts words; choose.go holds
//     an object until its shape is known; embedded.go reads what is inside of a
//     value with a Rewriter of its own, lenient.go makes JSON of what is almost
//     JSON; psoxy.go is what Plan.Psoxy asks for.
//
// # What makes it fast
//
// Each byte is looked at once. There is one path, and what is usual is short on it:
//
//   - A string is scanned by words of eight bytes, also behind its escapes, and
//     whether or not it stays (scanString).
//   - A member name is compared with the one that stood there in the object before.
//     Then what the plan says of it, its place among the names of the object, and
//     the counter of an unknown one need no looking up (layout).
//   - That an object has a name twice is seen by a bit of that place. Only names
//     that could not be learned are hashed (names).
//   - What stays is copied in spans: a member after a member grows the span, and a
//     token is made where it goes out (output).
//
// What was learned never decides anything: every byte of a name is compared, and one
// that stands elsewhere is looked up. The next outermost array learns anew.
//
// # What jsonparser does here
//
// github.com/buger/jsonparser unescapes strings (Unescape; it writes U+FFFD for
// an unpaired surrogate, which is what a hash here wants) and parses numbers
// (ParseFloat, ParseInt) without allocating. Nothing else of it is used: its
// walkers need the whole body in memory, scan each nesting level again, and let
// pass what must be refused (trailing bytes, duplicate names, bad UTF-8, control
// characters); its Escape allocates. A plain jsonparser implementation (bench/peers)
// is held beside this one in tests and benchmarks, here with simple plans, in
// bench/micro with the shipped ones.
//
// # What this package does not do
//
// It makes no tokens (see Tokens), chooses no plan, decodes no content encoding,
// and reads no content type.
package sanitize
