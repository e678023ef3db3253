package odata

import "fmt"

// Codes of Error.
const (
	// CodeAmbiguous is a target that two readers could read differently.
	CodeAmbiguous = "target_ambiguous"
	// CodeMalformed is a target that is no origin-form request target at all.
	CodeMalformed = "target_malformed"
	// CodeQuery is the value of an option that does not parse.
	CodeQuery = "query_malformed"
)

// Error says why a target or an option was refused. It never holds a part of
// what was refused, so it may be logged.
type Error struct {
	// Code is one of the Code constants.
	Code string
	// Reason is a fixed sentence in lower case.
	Reason string
	// Offset is where, in bytes: into the target for targets, into the decoded
	// value for option values.
	Offset int
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (at byte %d)", e.Code, e.Reason, e.Offset)
}

func ambiguous(offset int, reason string) error {
	return &Error{Code: CodeAmbiguous, Reason: reason, Offset: offset}
}

func malformed(offset int, reason string) error {
	return &Error{Code: CodeMalformed, Reason: reason, Offset: offset}
}
