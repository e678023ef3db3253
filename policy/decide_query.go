package policy

import (
	"context"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// query is an expression, ready to be evaluated by any number of goroutines. It
// evaluates as a rego.PreparedEvalQuery does, without what that spends for each
// evaluation: a transaction, metrics, and a goroutine that waits for the context.
type query struct {
	body     ast.Body
	compiler *ast.Compiler
	store    storage.Store
	// txn is for reading. Nobody writes to the store, so that one is enough.
	txn      storage.Transaction
	data     documents
	patterns cache.InterQueryValueCache
}

// result is the variable that holds the value of a query's expression.
const result = ast.Var("result")

// regexCacheSize bounds the compiled patterns that evaluations share. OPA's own
// cache holds 100 and then recompiles one at each call.
const regexCacheSize = 4096

// newQuery prepares an expression for evaluation over the rules of a compiler and
// over data.
func newQuery(ctx context.Context, expression string, compiler *ast.Compiler, data ast.Object) (*query, error) {
	body, err := ast.ParseBody(string(result) + " = " + expression)
	if err != nil {
		return nil, fmt.Errorf("parsing the query: %w", err)
	}
	if body, err = compiler.QueryCompiler().Compile(body); err != nil {
		return nil, fmt.Errorf("compiling the query: %w", err)
	}
	store := emptyStore{inmem.NewFromASTObject(data)}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the data of the policy: %w", err)
	}
	size := regexCacheSize
	return &query{
		body: body, compiler: compiler, store: store, txn: txn, data: documents{data},
		patterns: cache.NewInterQueryValueCache(ctx, &cache.Config{
			InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &size},
		}),
	}, nil
}

// errNotOneResult: an expression that is undefined has none, one that is not a
// function of its input may have many.
var errNotOneResult = errors.New("the query does not have exactly one result")

// eval returns the value of the expression. Errors of builtins, a cancelled context
// and other than one result are errors.
func (q *query) eval(ctx context.Context, input ast.Value, tracers ...topdown.QueryTracer) (ast.Value, error) {
	t := topdown.NewQuery(q.body).
		WithCompiler(q.compiler).
		WithStore(q.store).
		WithTransaction(q.txn).
		WithBaseCache(q.data).
		WithInput(ast.NewTerm(input)).
		WithStrictBuiltinErrors(true).
		WithInterQueryBuiltinValueCache(q.patterns).
		WithMetrics(metrics.NoOp()).
		WithCancel(done(ctx.Done()))
	for _, tracer := range tracers {
		t = t.WithQueryTracer(tracer)
	}
	var value ast.Value
	results := 0
	err := t.Iter(ctx, func(r topdown.QueryResult) error {
		results++
		if term := r[result]; term != nil {
			value = term.Value
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case ctx.Err() != nil: // OPA looks now and then only, and may be done before
		return nil, ctx.Err()
	case results != 1 || value == nil:
		return nil, errNotOneResult
	}
	return value, nil
}

// done cancels an evaluation when a context is.
type done <-chan struct{}

// Cancel does nothing: who cancels is the context.
func (done) Cancel() {}

// Cancelled is asked before each expression.
func (d done) Cancelled() bool {
	select {
	case <-d:
		return true
	default:
		return false
	}
}

// documents answers what an evaluation reads of the data. OPA would keep for each
// evaluation what it has read of the store; as nothing changes here, all of it may
// be read as it is.
type documents struct{ data ast.Object }

// Get returns a document, or nil if there is none.
func (d documents) Get(ref ast.Ref) ast.Value {
	value, err := d.data.Find(ref[1:])
	if err != nil {
		return nil
	}
	return value
}

// Put has nothing to keep.
func (documents) Put(ast.Ref, ast.Value) {}

// emptyStore is asked for what documents does not have, which is nowhere.
type emptyStore struct{ storage.Store }

var errNoDocument = &storage.Error{Code: storage.NotFoundErr, Message: "no such document"}

// Read finds nothing.
func (emptyStore) Read(context.Context, storage.Transaction, storage.Path) (any, error) {
	return nil, errNoDocument
}
