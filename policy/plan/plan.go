// Package plan is the vocabulary that policy and sanitizer share: operations on
// JSON values, and the tree of them that a policy's shape compiles to.
//
// The policy package builds plans, extproc/sanitize executes them. A plan is
// immutable once built and may be used by any number of goroutines. This
// package evaluates nothing and reads no JSON.
package plan

import "regexp"

// Op says what happens to the JSON value at one position.
//
// The zero value drops: a position that nobody decided releases nothing.
type Op uint8

const (
	// Drop removes the member (or array element) with everything below it.
	Drop Op = iota
	// Keep copies a scalar byte for byte. An object or array found where a
	// scalar was expected is dropped and counted as mistyped.
	Keep
	// Pseudonym replaces a string or number by its one-way token "t~…[@domain]".
	// null and blank strings become null; other types are dropped, mistyped.
	Pseudonym
	// Reversible replaces a string or number by its reversible token
	// "p~…[@domain]". null and blank strings become null; other types are
	// dropped, mistyped.
	Reversible
	// JSONPseudonym replaces a string or number by a string that holds the JSON
	// form of its pseudonym. null and blank strings become the string "null",
	// as Psoxy writes them; other types are dropped, mistyped.
	JSONPseudonym
	// JSONPseudonymOriginal is JSONPseudonym with the original value inside.
	JSONPseudonymOriginal
	// MatchReplace pseudonymizes the parts of a string that Match finds and
	// keeps the text around them. A string in which nothing was pseudonymized
	// becomes null; null stays null; other types are dropped, mistyped.
	MatchReplace
	// Link seals an absolute URL of the upstream so that only this sidecar can
	// follow it. null stays null; anything but a sealable URL is dropped,
	// mistyped.
	Link
	// Object descends into an object by Node.Object; other types are dropped,
	// mistyped, except null, which is kept.
	Object
	// Array applies Node.Items to each element; other types are dropped,
	// mistyped, except null, which is kept.
	Array
)

// Node decides one JSON value. A nil *Node and the zero Node drop it.
type Node struct {
	Op Op
	// Pointer is the index of this position in Plan.Pointers and in every
	// table of counters that is kept beside a plan.
	Pointer int
	// Match is set for MatchReplace.
	Match *Match
	// Object is set for Object.
	Object *Fields
	// Items is set for Array: what happens to each element.
	Items *Node
}

// Match finds the parts of a string to pseudonymize: group 1 of each match, or
// the whole match where the expression has no group. Blank captures are skipped.
//
// An expression of the form (?i)^literal(.*)$ is held as Prefix instead of
// Regexp, because a regexp submatch allocates; both mean the same, also that
// the dot does not match a newline.
type Match struct {
	// Prefix is the literal in lower-case ASCII, compared without regard to
	// ASCII case. Empty if Regexp is set.
	Prefix string
	// Regexp is nil if Prefix is set.
	Regexp *regexp.Regexp
	// Then is what happens to each part: Pseudonym or Reversible.
	Then Op
}

// Plan is what one endpoint does to a response body. A nil Plan releases nothing.
type Plan struct {
	// Root decides the whole body.
	Root *Node
	// Pointers names the positions of the plan: JSON Pointers (RFC 6901) with
	// "*" for any array element, as "/value/*/from". Index: Node.Pointer.
	Pointers []string
}
