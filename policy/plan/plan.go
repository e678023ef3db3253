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
	// Any copies a scalar as Keep does and descends into an object by Node.Object
	// and into an array by Node.Items. Where that is nil the object or array is
	// dropped, mistyped. With Fields.Rest and Items that lead back to the node
	// itself it copies whatever there is.
	Any
	// Run puts a scalar through Node.Steps in order. What a step does to null, to
	// another type and to an object or array is said at its StepOp.
	Run
	// Choose decides by Node.Choice which other node an object gets.
	Choose
)

// Fallback says what becomes of a value whose type is not what its node expects.
type Fallback uint8

const (
	// FallDrop removes it.
	FallDrop Fallback = iota
	// FallNull puts null in its place.
	FallNull
	// FallRefuse refuses the whole body.
	FallRefuse
)

// Node decides one JSON value. A nil *Node and the zero Node drop it.
type Node struct {
	Op Op
	// Pointer is the index of this position in Plan.Pointers and in every
	// table of counters that is kept beside a plan.
	Pointer int
	// Match is set for MatchReplace.
	Match *Match
	// Object is set for Object, and may be for Any, and for Run where an object comes
	// out of the last step.
	Object *Fields
	// Items is set for Array, and may be for Any and Run: what happens to each element.
	Items *Node
	// Compact says of an Array or Any that elements which are null, or become it,
	// are removed.
	Compact bool
	// Steps is set for Run.
	Steps []Step
	// Choice is set for Choose.
	Choice *Choice
	// Digest, if set, adds a digest of a string beside it, whatever Op then does
	// to the string itself.
	Digest *Digest
	// Mistyped says what becomes of a value of the wrong type, where Op speaks of
	// dropping one.
	Mistyped Fallback
}

// Choice selects a node for an object by one of its members, wherever among the
// members that one stands. Exactly one of Member, All and Probe is set. A value
// that is no object gets Else.
type Choice struct {
	// Member is the name of the member whose string value is looked up in Cases.
	// If it is missing, no string, or not among the cases: Else.
	Member string
	Cases  map[string]*Node
	// All are names; if the object has every one of them: Then.
	All []string
	// Probe is run over the whole value (an object or an array); if it reaches
	// any position whose Op is Keep, whatever the type of the value there: Then.
	// What it outputs is thrown away.
	Probe *Plan
	Then  *Node
	Else  *Node
}

// Digest describes the member that is added at the end of the parent object of a
// string: "+<name>:textDigest" with {"length":n,"word_count":m}, the length in
// UTF-16 units, the words counted as Psoxy counts them (psoxy-compat section 2.2).
// Strings that are elements of arrays get none.
type Digest struct {
	// Inner, if set, takes the string for JSON text (also lenient JSON: unquoted
	// names and strings) and the added member is a string that holds that JSON
	// rewritten by Inner. It is added only if Inner carried out a StepDigest.
	Inner *Plan
}

// StepOp is one step of Run. It maps a value to a value. Unless said otherwise
// null stays null, blank strings (Java's isBlank) stay as they are, and any other
// type, also an object or array, becomes null. Source of all of them:
// psoxy-compat section 2.2.
type StepOp uint8

const (
	// StepRefuse refuses the body; the zero value.
	StepRefuse StepOp = iota
	// StepDrop removes the value, of whatever type.
	StepDrop
	// StepPseudonym, StepReversible: "t~…", "p~…" of a string or number. null and
	// blank strings become null; booleans, objects and arrays refuse the body.
	StepPseudonym
	StepReversible
	// StepJSON… are the same in JSON form, with null and blank strings as "null".
	StepJSONPseudonym
	StepJSONOriginal
	StepJSONReversible
	StepJSONOriginalReversible
	// StepHash is the bare hash, 43 characters, of a string or number; anything
	// else, also null and blank strings, refuses the body.
	StepHash
	// StepTokenize is "p~…" of a string as it is, with no regard to addresses.
	StepTokenize
	// StepTokenizeMatch does that to group 1 of Patterns[0], which must match the
	// whole string, wherever in the string that text occurs. A string that does
	// not match stays.
	StepTokenizeMatch
	// StepMatch pseudonymizes what Match finds; null and blank become null, other
	// types refuse the body, nothing found becomes null.
	StepMatch
	// StepPhrases keeps of a string the phrases that Phrases lists, in that order,
	// joined by commas; none of them leaves "".
	StepPhrases
	// StepRemove removes all matches of each of Patterns in turn.
	StepRemove
	// StepOnly keeps only what Patterns match (Psoxy's
	// redactExceptSubstringsMatchingRegexes).
	StepOnly
	// StepTokens splits at Delimiter (nil: no split), keeps the parts that one of
	// Patterns matches as a whole, and joins them with a space; none left is null.
	StepTokens
	// StepEmailHeader pseudonymizes an RFC 5322 address list, StepEmailHeaderJSON
	// in JSON form. A blank string becomes "", what is no list null; other types
	// refuse the body.
	StepEmailHeader
	StepEmailHeaderJSON
	// StepHashIP and StepEncryptIP take an IP address; anything else becomes null.
	StepHashIP
	StepEncryptIP
	// StepJSON rewrites the JSON text inside a string by Inner; a string that is no
	// strict JSON becomes null.
	StepJSON
	// StepDigest replaces a string by the text of its digest (see Digest); other
	// types stay as they are.
	StepDigest
	// StepString … are the types of Psoxy's response schemas: a value of another
	// type becomes null. StepInteger cuts fractions off and takes 64 bits;
	// StepBoolean makes null false; StepNull makes everything null; StepScalar
	// lets every scalar pass but refuses integers beyond 64 bits.
	StepString
	StepInteger
	StepNumber
	StepBoolean
	StepNull
	StepScalar
	// StepObject and StepArray are the types of objects and arrays: what is none
	// becomes null. One goes on to the next step, and is dropped after the last.
	StepObject
	StepArray
	// StepDropNull removes null, as Compact does where an element is null before
	// later steps make something of it.
	StepDropNull
)

// Step is one step of Run.
type Step struct {
	Do StepOp
	// Match is set for StepMatch.
	Match *Match
	// Patterns is set for StepTokenizeMatch, StepRemove, StepOnly, StepTokens.
	// Those that must match as a whole are anchored: \A(?:...)\z.
	Patterns []*regexp.Regexp
	// Delimiter may be set for StepTokens.
	Delimiter *regexp.Regexp
	// Phrases is set for StepPhrases.
	Phrases []string
	// Inner is set for StepJSON.
	Inner *Plan
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
	// "*" for any array element, as "/value/*/from", and "**" for any number of
	// steps. Index: Node.Pointer. Nodes may form cycles; each is listed once.
	Pointers []string
	// Psoxy says that the body is read and written as Psoxy does
	// (psoxy-compat section 2): any number of JSON texts after each other, also
	// none, come out joined by line feeds; kept numbers are spelled as Java
	// spells them, an unpaired surrogate as "?"; once a member name begins with
	// "+" no more digests are added.
	Psoxy bool
	// RefuseNull says that a body (or one of the texts of Psoxy's) that is null as
	// a whole is refused, whatever Root makes of null.
	RefuseNull bool
}
