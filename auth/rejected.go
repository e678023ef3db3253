package auth

import (
	"context"
	"log/slog"
	"time"
)

// Rejection is the way in which Graph answered 401 to a token. Metrics and logs use these words.
type Rejection string

const (
	// RejectionChallenge: with a claims challenge of continuous access evaluation. The token is revoked, and the next must be asked for
	// with the claims that Graph named (learn.microsoft.com/entra/identity-platform/claims-challenge).
	RejectionChallenge Rejection = "challenge"
	// RejectionPlain: without one. A workload behind Graph may have causes of its own for that, so it says nothing certain about the
	// token.
	RejectionPlain Rejection = "plain"
)

// A token that came of a rejection and is rejected in the same way again shows that another token is not what is missing. Before the
// next one there is a pause, which doubles each time, until a token has worked for a while.
const (
	firstPause   = 10 * time.Second
	maxPause     = 10 * time.Minute
	workedAWhile = 10 * time.Minute
)

// soon is when a caller whose token is being replaced should come again.
const soon = time.Second

// standing is what Graph has said of a token.
type standing int32

const (
	trusted standing = iota // nothing, or that it is good
	doubted                 // 401: in use until there is another
	dead                    // a claims challenge: out of use
)

// Rejected reports that Graph answered 401 to a token that [Manager.Token] gave for the connector. claims is the JSON object that a
// claims challenge asks for, or empty if there was no challenge.
//
// Only the first report about the token that is held has an effect: another is asked for, once. After a challenge the old one is no
// longer handed out, and callers of Token wait for the new; otherwise it stays in use until then.
//
// again says whether a request may succeed after the time that is given; if not, that is the time until the next attempt to get
// another token, 0 if there is none.
func (m *Manager) Rejected(connector, token, claims string) (again bool, after time.Duration) {
	a, ok := m.applications[connector]
	if !ok {
		return false, 0
	}
	return a.rejected(token, claims)
}

func (a *application) rejected(value, claims string) (again bool, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	held := a.held.Load()
	if held != nil && held.value == value {
		a.reject(held, claims, now)
	} else if held.usable(now) {
		return true, soon // it was replaced since
	}
	if f := a.failed.Load(); f != nil && now.Before(f.retryAt) {
		return false, f.retryAt.Sub(now)
	}
	return true, soon
}

// reject notes the first rejection of a token in each way, and decides when the next is asked for. The caller holds mu.
func (a *application) reject(t *token, claims string, now time.Time) {
	kind, standing := RejectionPlain, doubted
	if claims != "" {
		kind, standing = RejectionChallenge, dead
	}
	before := t.standing()
	if before >= standing {
		return
	}
	t.stands.Store(int32(standing))
	a.claims = claims
	a.rejections[kind]++
	if before == trusted && (!t.replacement || now.Sub(t.acquired) >= workedAWhile) {
		clear(a.inVain)
	}
	pause := time.Duration(0)
	if n := a.inVain[kind]; n > 0 {
		pause = min(firstPause<<min(n-1, 16), maxPause)
	}
	if standing == doubted { // nobody goes without a token for the sake of a doubt
		pause = max(min(pause, t.expiry.Add(-expiryMargin).Sub(now)), 0)
	}
	a.inVain[kind]++
	// Where Entra has failed, its pause stays: nothing is asked before that is over.
	if f := a.failed.Load(); f == nil || !now.Before(f.retryAt) || f.err.Code == CodeTokenRejected {
		a.failed.Store(nil)
		if pause > 0 {
			a.failed.Store(&failure{err: Error{Code: CodeTokenRejected, Detail: string(kind)}, retryAt: now.Add(pause)})
		}
	}
	level, hint := slog.LevelWarn, ""
	if pause > 0 {
		level, hint = slog.LevelError, Hint(&Error{Code: CodeTokenRejected})
	}
	a.logger.Log(context.Background(), level, "graph rejected the token", "client_id", a.clientID, "connectors", a.connectors,
		"code", CodeTokenRejected, "kind", kind, "token_age", now.Sub(t.acquired).Round(time.Second).String(), "retry_in", pause.String(), "hint", hint)
	select {
	case a.wake <- struct{}{}:
	default: // it is awake
	}
}
