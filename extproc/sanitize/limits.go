package sanitize

// Defaults of Limits. Graph's own documents stay far below all of them.
const (
	DefaultDepth   = 128
	DefaultName    = 1 << 10
	DefaultNames   = 256 << 10
	DefaultMembers = 8 << 10
	DefaultNumber  = 1000
	DefaultString  = 64 << 10
	DefaultHold    = 4 << 20
	DefaultBody    = 1 << 30
)

// Limits bound what one body may ask for, and with that the memory of a
// Rewriter. A field that is zero or negative means its default.
type Limits struct {
	// Depth is the number of objects and arrays that may be open at once.
	Depth int
	// Name is the length of a member name in bytes as spelled in the body,
	// without its quotes.
	Name int
	// Names is the room, in bytes, for the names that the plan does not know,
	// over all open objects: they are remembered to find duplicates. Each name
	// takes its unescaped length plus 16. More than 1 GiB is taken as 1 GiB.
	Names int
	// Members is the number of members of one object.
	Members int
	// Number is the length of a number in bytes.
	Number int
	// String is the length, in bytes as spelled in the body, without quotes, of
	// a string that must be decided as a whole: pseudonymized, matched, or a
	// link, put through steps, or the one that chooses the shape of its object.
	// Strings that are kept or dropped have no limit but Body.
	String int
	// Hold is the length in bytes of what must be held before it is decided: an
	// object up to the member that chooses its shape, or all of it if there is
	// none, a string that is read as JSON, and what steps make of one string or
	// digests of one object and those around it. With Plan.Psoxy it is also the
	// limit of every other string that is not dropped, in place of String.
	Hold int
	// Body is the length of the whole body in bytes.
	Body int64
}

func (l Limits) withDefaults() Limits {
	or := func(n, def int) int {
		if n <= 0 {
			return def
		}
		return n
	}
	l.Depth = or(l.Depth, DefaultDepth)
	l.Name = or(l.Name, DefaultName)
	l.Names = min(or(l.Names, DefaultNames), 1<<30) // names counts in int32
	l.Members = or(l.Members, DefaultMembers)
	l.Number = or(l.Number, DefaultNumber)
	l.String = or(l.String, DefaultString)
	l.Hold = or(l.Hold, DefaultHold)
	if l.Body <= 0 {
		l.Body = DefaultBody
	}
	return l
}
