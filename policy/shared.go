package policy

import (
	"regexp"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/graphveil/graphveil/policy/plan"
)

// shared holds what several endpoints need, made once: half of the responses have
// the shape of another, and all but a few errors. Any number of goroutines may use
// it.
type shared struct {
	mu       sync.Mutex
	shapes   map[int][]*compiledShape // by hash
	patterns map[string]*compiledPattern
}

// compiledShape is a shape with its plan, once that was made, and the record of
// that. Of a shape that is bad the plan is nil.
type compiledShape struct {
	shape  ast.Value
	once   sync.Once
	plan   *plan.Plan
	record record
}

type compiledPattern struct {
	expression *regexp.Regexp
	err        error
}

func newShared() *shared {
	return &shared{shapes: map[int][]*compiledShape{}, patterns: map[string]*compiledPattern{}}
}

// shape returns the one value for all shapes that are equal to this one.
func (s *shared) shape(shape ast.Value) *compiledShape {
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := shape.Hash()
	for _, c := range s.shapes[hash] {
		if ast.Compare(c.shape, shape) == 0 {
			return c
		}
	}
	c := &compiledShape{shape: shape}
	s.shapes[hash] = append(s.shapes[hash], c)
	return c
}

// pattern compiles a pattern.
func (s *shared) pattern(text string) (*regexp.Regexp, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.patterns[text]
	if !ok {
		c = &compiledPattern{}
		c.expression, c.err = regexp.Compile(text)
		s.patterns[text] = c
	}
	return c.expression, c.err
}

// plan compiles a shape, or finds the plan of an equal one. What is wrong with a
// shape is reported wherever it stands.
func (k *contract) plan(shape ast.Value, at position) (*plan.Plan, record) {
	one := k.shared.shape(shape)
	one.once.Do(func() {
		var p problems
		if made := p.compileShape(shape, at); len(p.list) == 0 {
			one.plan, one.record = made, recordOf(made)
		}
	})
	if one.plan == nil {
		made := k.compileShape(shape, at)
		return made, recordOf(made)
	}
	return one.plan, one.record
}
