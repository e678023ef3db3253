package extproc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/extproc/extproctest"
	"github.com/graphveil/graphveil/policy"
)

// tokenError is what package auth returns when Entra is away.
type tokenError struct{ after time.Duration }

func (e tokenError) Error() string             { return "getting a token: CANARY" }
func (e tokenError) RetryAfter() time.Duration { return e.after }

func TestTokenFails(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"later":          {tokenError{90 * time.Second}, "90"},
		"rounded up":     {fmt.Errorf("wrapping: %w", tokenError{1500 * time.Millisecond}), "2"},
		"unknown":        {errors.New("CANARY"), "5"},
		"without a time": {tokenError{}, "5"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.tokens.token = func(context.Context, string) (string, error) { return graphToken, test.err }
			r := w.get(t, "/v1.0/things")
			if r.Status != 503 || code(t, r.Body) != "token_unavailable" || r.Header.Get("Retry-After") != test.want {
				t.Errorf("got %d %v %s, want Retry-After %s", r.Status, r.Header, r.Body, test.want)
			}
			if w.upstream.last != nil {
				t.Error("the upstream was called")
			}
			if record := w.log.records(t, 1)[0]; record["outcome"] != "denied" || record["code"] != "token_unavailable" {
				t.Errorf("record %v", record)
			}
		})
	}
}

// TestTokenHangs: the client gets an answer before Envoy's own timer, and the
// source is told to stop waiting.
func TestTokenHangs(t *testing.T) {
	w := newWorld(t, func(c *extproc.ServerConfig) { c.RequestTimeout = 20 * time.Millisecond })
	w.tokens.token = func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}
	if r := w.get(t, "/v1.0/things"); r.Status != 503 || code(t, r.Body) != "token_unavailable" {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
}

// TestPanics in what the server was given end one exchange, with an error, and
// neither the process nor its secrets.
func TestPanics(t *testing.T) {
	snapshot, err := things()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("token source", func(t *testing.T) {
		w := newWorld(t)
		w.tokens.token = func(context.Context, string) (string, error) { panic("CANARY") }
		expectError(t, w, "internal")
	})
	t.Run("token source with an error", func(t *testing.T) {
		w := newWorld(t)
		w.tokens.token = func(context.Context, string) (string, error) { panic(errors.New("CANARY")) }
		expectError(t, w, "internal")
	})
	t.Run("policy", func(t *testing.T) {
		w := newWorld(t)
		w.policy = func() *policy.Snapshot { panic("CANARY") }
		expectError(t, w, "")
		w.policy = func() *policy.Snapshot { return snapshot }
		if r := w.get(t, "/v1.0/things"); r.Status != 200 {
			t.Errorf("afterwards: %d %s", r.Status, r.Body)
		}
	})
}

// TestNoPolicy: as long as no policy was delivered nothing is allowed, and what is
// decided is told to who wants to know.
func TestNoPolicy(t *testing.T) {
	snapshot, err := things()
	if err != nil {
		t.Fatal(err)
	}
	decided := make(chan *extproc.Record, 3)
	w := newWorld(t, func(c *extproc.ServerConfig) { c.Decided = func(r *extproc.Record) { decided <- r } })
	w.policy = func() *policy.Snapshot { return nil }
	r := w.get(t, "/v1.0/things")
	if r.Status != 503 || code(t, r.Body) != "policy_not_loaded" || w.upstream.last != nil {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
	if d := <-decided; d.Code != "policy_not_loaded" || d.Outcome != extproc.OutcomeDenied || d.Method != "GET" || d.Revision != "" {
		t.Errorf("record %+v", d)
	}
	w.policy = func() *policy.Snapshot { return snapshot }
	if r := w.get(t, "/v1.0/things"); r.Status != 200 {
		t.Errorf("with a policy: %d %s", r.Status, r.Body)
	}
	first := <-decided
	if first.Endpoint != "list" || first.Outcome != extproc.OutcomeSanitized || first.Revision != snapshot.Revision() {
		t.Errorf("record %+v", first)
	}
}

// expectError sends a request and expects that the stream ends with an internal
// error before anything else, which Envoy makes a 502 of.
func expectError(t *testing.T, w *world, code string) {
	t.Helper()
	replies, err := w.Play(t.Context(), getThings(), ok(), page())
	if err != nil {
		t.Fatal(err)
	}
	if status.Code(replies.Err) != codes.Internal || len(replies.All) > 0 || strings.Contains(replies.Err.Error(), canary) {
		t.Errorf("error %v, %d replies", replies.Err, len(replies.All))
	}
	if !strings.Contains(w.log.String(), "panic in an exchange") {
		t.Errorf("the log does not tell: %s", w.log)
	}
	if code == "" {
		return
	}
	if record := w.log.records(t, 1)[0]; record["code"] != code {
		t.Errorf("record %v", record)
	}
}

// TestStalledStream: Envoy has no timer for a response that nobody moves, so the
// processor has.
func TestStalledStream(t *testing.T) {
	body := extproctest.ResponseBody([]byte(`{"value":[{"id":"CANARY`), false)
	for name, messages := range map[string][]message{
		"before the request":  {},
		"before the response": {getThings()},
		"before the body":     {getThings(), ok()},
		"in the body":         {getThings(), ok(), body},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *extproc.ServerConfig) { c.IdleTimeout = 300 * time.Millisecond }) // for all to be sent
			stream, err := w.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				if err := stream.Send(m); err != nil {
					t.Fatal(err)
				}
			}
			replies := extproctest.Collect(stream)
			if status.Code(replies.Err) != codes.DeadlineExceeded {
				t.Errorf("the stream ended with %v", replies.Err)
			}
			if got := string(replies.Body()); strings.Contains(got, canary) {
				t.Errorf("released %s", got)
			}
			if record := w.log.records(t, 1)[0]; record["outcome"] != "aborted" {
				t.Errorf("record %v", record)
			}
			if n := w.counter(t, "graphveil_stalled_exchanges_total", nil); n != 1 {
				t.Errorf("%v stalls counted", n)
			}
		})
	}
}

// TestClientThatDoesNotRead holds a reply back; the exchange ends all the same.
func TestClientThatDoesNotRead(t *testing.T) {
	w := newWorld(t, func(c *extproc.ServerConfig) { c.IdleTimeout = 100 * time.Millisecond })
	stream, err := w.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one := `{"size":"` + strings.Repeat("x", 1000) + `"},`
	chunk := extproctest.ResponseBody([]byte(strings.Repeat(one, 100)), false)
	messages := []message{getThings(), ok(), extproctest.ResponseBody([]byte(`{"value":[`), false)}
	for len(messages) < 100 {
		messages = append(messages, chunk)
	}
	go func() { // more than all windows hold, so this hangs until we read
		for _, m := range messages {
			if stream.Send(m) != nil {
				return
			}
		}
	}()
	w.log.records(t, 1)
	if n := w.counter(t, "graphveil_stalled_exchanges_total", nil); n != 1 {
		t.Errorf("%v stalls counted", n)
	}
	if replies := extproctest.Collect(stream); status.Code(replies.Err) != codes.DeadlineExceeded {
		t.Errorf("the stream ended with %v", replies.Err)
	}
}

// TestSlowButAlive is not stalled: it lasts longer than the idle timeout.
func TestSlowButAlive(t *testing.T) {
	const idle = 1500 * time.Millisecond // far from the pace, for a busy machine
	t.Parallel()
	w := newWorld(t, func(c *extproc.ServerConfig) { c.IdleTimeout = idle })
	stream, err := w.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	messages := []message{getThings(), ok()}
	for _, part := range []string{`{"val`, `ue":[`, `{},`, `{}`, `]`} {
		messages = append(messages, extproctest.ResponseBody([]byte(part), false))
	}
	messages = append(messages, extproctest.ResponseBody([]byte(`}`), true))
	for _, m := range messages {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
		time.Sleep(idle / 6) // the pace of the upstream
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if replies := extproctest.Collect(stream); replies.Err != nil || string(replies.Body()) != `{"value":[{},{}]}` {
		t.Errorf("error %v, released %s", replies.Err, replies.Body())
	}
}

// TestStop ends the server in every phase: the stream must end with an error,
// for Envoy takes a clean end as leave to go on without us.
func TestStop(t *testing.T) {
	body := extproctest.ResponseBody([]byte(`{"value":[{"size":1},{"id":"CANARY`), false)
	for name, messages := range map[string][]message{
		"before the request":  {},
		"before the response": {getThings()},
		"before the body":     {getThings(), ok()},
		"in the body":         {getThings(), ok(), body},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			stream, err := w.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			replies := map[string]int{"before the response": 1, "before the body": 1, "in the body": 3}[name]
			for _, m := range messages {
				if err := stream.Send(m); err != nil {
					t.Fatal(err)
				}
			}
			for range replies { // the phase is reached
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			w.Stop()
			rest := extproctest.Collect(stream)
			if rest.Err == nil {
				t.Fatal("the stream ended cleanly")
			}
			if got := string(rest.Body()); strings.Contains(got, canary) {
				t.Errorf("released %s", got)
			}
		})
	}
}

// TestGracefulStop lets an exchange that is under way end as it would have.
func TestGracefulStop(t *testing.T) {
	w := newWorld(t)
	stream, err := w.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(getThings()); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		w.GracefulStop()
		close(stopped)
	}()
	for _, m := range []message{ok(), page()} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if replies := extproctest.Collect(stream); replies.Err != nil || string(replies.Body()) != `{"value":[{}]}` {
		t.Errorf("error %v, released %s", replies.Err, replies.Body())
	}
	<-stopped
}

// TestClientGoesAway in the middle of a body: the record says so.
func TestClientGoesAway(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := w.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []message{getThings(), ok(), extproctest.ResponseBody([]byte(`{"value":[{"size":1},`), false)} {
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if record := w.log.records(t, 1)[0]; record["outcome"] != "aborted" || record["upstream_status"] != 200.0 {
		t.Errorf("record %v", record)
	}
}
