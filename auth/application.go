package auth

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/singleflight"
)

// Backoff between failed attempts: 1 s doubling to 30 s, each varied by half. A Retry-After is waited for on top, so that processes
// which were all told the same do not come back in step.
const (
	firstBackoff = time.Second
	maxBackoff   = 30 * time.Second
)

// application is one Entra application: its client, the token it holds and what became of the last attempt.
//
// Invariants: attempt runs at most once at a time (the flight), and only it writes held; a failure is forgotten as soon as an attempt
// succeeds; an attempt asks Entra for nothing before the failure's retryAt. What Graph says about a token is in rejected.go.
type application struct {
	clientID   string
	connectors []string // sorted
	client     *msalClient
	logger     *slog.Logger
	first      func() // called once, when the first token is held

	held   atomic.Pointer[token]
	failed atomic.Pointer[failure]

	flight singleflight.Group
	wake   chan struct{} // keepFresh is to look again; holds one

	mu         sync.Mutex // guards what follows, and writing held and failed
	wait       backoff.ExponentialBackOff
	claims     string            // what the next token is asked for with: the claims of a challenge
	inVain     map[Rejection]int // rejections since a token worked
	refreshes  uint64
	failures   map[Code]uint64
	rejections map[Rejection]uint64
}

// failure is the outcome of the last attempt and the time of the next.
type failure struct {
	err     Error
	retryAt time.Time
}

// at is the failure as told to a caller who asks now.
func (f *failure) at(now time.Time) *Error {
	err := f.err
	err.retryAfter = f.retryAt.Sub(now)
	return &err
}

func newApplication(clientID string, client *msalClient, logger *slog.Logger) *application {
	a := &application{
		clientID: clientID,
		client:   client,
		logger:   logger,
		wait:     backoff.ExponentialBackOff{InitialInterval: firstBackoff, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: maxBackoff},
		failures: make(map[Code]uint64, len(failureCodes)),

		wake:       make(chan struct{}, 1),
		inVain:     make(map[Rejection]int),
		rejections: map[Rejection]uint64{RejectionChallenge: 0, RejectionPlain: 0},
	}
	for _, code := range failureCodes {
		a.failures[code] = 0
	}
	return a
}

// token returns the held token, or waits for the running attempt (starting one if none is and none was just made).
func (a *application) token(ctx context.Context) (string, error) {
	now := time.Now()
	if t := a.held.Load(); t.usable(now) {
		return t.value, nil
	}
	if f := a.failed.Load(); f != nil && now.Before(f.retryAt) {
		return "", f.at(now)
	}
	select {
	case result := <-a.flight.DoChan("", a.attempt):
		if t := a.held.Load(); t.usable(time.Now()) {
			return t.value, nil
		}
		if result.Err != nil {
			return "", result.Err
		}
		return "", &Error{Code: CodePending} // the token ran out between the attempt and here
	case <-ctx.Done():
		return "", &Error{Code: CodePending, cause: ctx.Err()}
	}
}

// attempt is the flight: it runs in a goroutine of its own, with a time limit of its own, so that no caller's end fails the others.
// It looks again whether there is anything to do, because callers may arrive when the flight they waited for has just landed.
func (a *application) attempt() (any, error) {
	now := time.Now()
	if a.held.Load().fresh(now) {
		return nil, nil
	}
	if f := a.failed.Load(); f != nil && now.Before(f.retryAt) {
		return nil, f.at(now)
	}
	a.mu.Lock()
	replacement, claims := a.held.Load().standing() != trusted, a.claims
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), attemptTimeout)
	defer cancel()
	next, failed := a.client.acquire(ctx, claims)
	if failed != nil {
		return nil, a.fail(failed)
	}
	next.replacement = replacement
	a.hold(next)
	return nil, nil
}

// hold makes a token the one that is handed out.
func (a *application) hold(next *token) {
	a.mu.Lock()
	last := a.held.Swap(next)
	a.failed.Store(nil)
	a.wait.Reset()
	a.claims = ""
	a.refreshes++
	a.mu.Unlock()
	if last == nil {
		a.first()
	}
	a.logger.Info("graph token acquired", "client_id", a.clientID, "connectors", a.connectors,
		"lifetime", next.expiry.Sub(next.acquired).Round(time.Second).String(), "refresh_in", next.refreshAt.Sub(next.acquired).Round(time.Second).String())
}

// fail records a failed attempt and sets the time of the next.
func (a *application) fail(err *Error) *Error {
	a.mu.Lock()
	now := time.Now()
	f := &failure{err: *err, retryAt: now.Add(err.retryAfter + a.wait.NextBackOff())}
	a.failed.Store(f)
	if err.Code == CodeRejected || err.Code == CodeMalformed {
		a.claims = "" // it may be these that Entra does not like: the next attempt does without
	}
	a.failures[err.Code]++
	a.mu.Unlock()
	level, left := slog.LevelError, time.Duration(0)
	if held := a.held.Load(); held.usable(now) {
		level, left = slog.LevelWarn, held.expiry.Sub(now).Round(time.Second)
	}
	a.logger.Log(context.Background(), level, "acquiring graph token failed", "client_id", a.clientID, "connectors", a.connectors,
		"code", err.Code, "aadsts", err.AADSTS, "detail", err.Detail, "held_token_lives", left.String(), "retry_in", f.retryAt.Sub(now).Round(time.Second).String(),
		"hint", Hint(err))
	return f.at(now)
}

// keepFresh attempts at once and then whenever it is time, or Graph has rejected the token, until ctx ends.
func (a *application) keepFresh(ctx context.Context) {
	for {
		select {
		case <-a.flight.DoChan("", a.attempt):
		case <-ctx.Done():
			return
		}
		timer := time.NewTimer(time.Until(a.nextAttempt()))
		select {
		case <-timer.C:
		case <-a.wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// nextAttempt is called after an attempt, so there is a token or a failure.
func (a *application) nextAttempt() time.Time {
	if f := a.failed.Load(); f != nil {
		return f.retryAt
	}
	return a.held.Load().refreshAt
}

func (a *application) status(connector string) Status {
	s := Status{Connector: connector, ClientID: a.clientID, CertificateExpiry: a.client.certificateExpiry()}
	if t := a.held.Load(); t != nil {
		s.Acquired, s.Expiry = t.acquired, t.expiry
	}
	if f := a.failed.Load(); f != nil {
		s.LastError, s.RetryAt = f.at(time.Now()), f.retryAt
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s.Refreshes, s.Failures, s.Rejections = a.refreshes, maps.Clone(a.failures), maps.Clone(a.rejections)
	return s
}
