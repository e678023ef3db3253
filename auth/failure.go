package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	msalerrors "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
)

// ErrUnavailable is matched by every [Error]: there is no valid token to hand out at the moment.
var ErrUnavailable = errors.New("no valid graph token")

// ErrUnknownConnector is in the chain when the configuration names no application for a connector. Waiting does not help.
var ErrUnknownConnector = errors.New("connector has no application")

// Code names a cause of failure. Codes are stable: metrics, logs and documentation use them.
type Code string

// The causes.
const (
	// CodeUnreachable: no answer from Entra (name lookup, connection, TLS, time limit). Detail says which.
	CodeUnreachable Code = "entra_unreachable"
	// CodeUnavailable: Entra answered 5xx or 408.
	CodeUnavailable Code = "entra_unavailable"
	// CodeThrottled: Entra answered 429.
	CodeThrottled Code = "entra_throttled"
	// CodeRejected: Entra does not accept the application, the assertion or the request. AADSTS says why.
	CodeRejected Code = "entra_rejected"
	// CodeMalformed: an answer that makes no sense: not JSON, too large, no usable token in it, a redirect, an endpoint
	// without TLS or of another host.
	CodeMalformed Code = "entra_malformed"
	// CodeCredential: there is nothing to sign in with (a file cannot be read, a platform gives no assertion); Entra was not asked for a
	// token. Detail says why.
	CodeCredential Code = "credential_unavailable"
	// CodeTokenRejected: Graph answered 401 to token after token, so the next is asked for after a pause. Detail is the kind of the
	// [Rejection]. Not a failure of Entra, and not counted as one.
	CodeTokenRejected Code = "token_rejected"
	// CodePending: the caller's context ended while the request to Entra was still running. Never counted as a failure of Entra.
	CodePending Code = "token_pending"
)

// failureCodes are those that a token request can end in.
var failureCodes = []Code{CodeUnreachable, CodeUnavailable, CodeThrottled, CodeRejected, CodeMalformed, CodeCredential}

// Error is why there is no token. Its text is made of fixed words and numbers: MSAL's errors, which may hold whole response bodies,
// are classified and dropped. It matches [ErrUnavailable], and the context's error if that ended the wait.
type Error struct {
	Code Code
	// AADSTS is the number that Entra gave its refusal, 0 if none. It is for people: Microsoft changes numbers without notice.
	AADSTS int
	// Detail is a fixed word that narrows the code down, such as "dns", "tls", "timeout" or "missing". May be empty.
	Detail string

	retryAfter time.Duration // asked for by Entra in a failure; until the next attempt in what a caller gets
	cause      error         // a context's error or nil
}

// Error is of the form "getting graph token: CODE (AADSTS700016)" or "getting graph token: CODE (DETAIL)".
func (e *Error) Error() string { return "getting graph token: " + e.summary() }

func (e *Error) summary() string {
	switch {
	case e.AADSTS != 0 && e.Detail != "":
		return fmt.Sprintf("%s (AADSTS%d, %s)", e.Code, e.AADSTS, e.Detail)
	case e.AADSTS != 0:
		return fmt.Sprintf("%s (AADSTS%d)", e.Code, e.AADSTS)
	case e.Detail != "":
		return fmt.Sprintf("%s (%s)", e.Code, e.Detail)
	}
	return string(e.Code)
}

// RetryAfter is how long a client should wait: whole seconds, at least one, fit for a Retry-After header.
func (e *Error) RetryAfter() time.Duration {
	return max((e.retryAfter + time.Second - 1).Truncate(time.Second), time.Second)
}

// Is makes every Error match [ErrUnavailable].
func (e *Error) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns the error of the caller's context, if that ended.
func (e *Error) Unwrap() error { return e.cause }

// aadsts finds the number in an answer of Entra, error_description or error page alike.
var aadsts = regexp.MustCompile(`AADSTS([0-9]{4,9})`)

// classify reduces an error of MSAL to an [Error]. No text of it survives.
func classify(err error, now time.Time) *Error {
	var credential *credentialError
	var call msalerrors.CallErr
	var notJSON msalerrors.InvalidJsonErr
	switch {
	case errors.As(err, &credential):
		return &Error{Code: CodeCredential, Detail: credential.detail, retryAfter: min(credential.retryAfter, maxRetryAfter)}
	case errors.As(err, &call) && call.Resp != nil:
		failure := &Error{Code: codeOfStatus(call.Resp.StatusCode), retryAfter: retryAfter(call.Resp.Header, now)}
		if failure.Code == CodeRejected {
			failure.AADSTS = aadstsIn(err)
		}
		return failure
	case errors.Is(err, errTooLarge):
		return &Error{Code: CodeMalformed, Detail: "too_large"}
	case errors.Is(err, errNotHTTPS):
		return &Error{Code: CodeMalformed, Detail: "not_https"}
	case errors.Is(err, errNotEntra):
		return &Error{Code: CodeMalformed, Detail: "other_host"}
	case errors.As(err, &notJSON):
		return &Error{Code: CodeMalformed, Detail: "not_json"}
	}
	if detail := networkDetail(err); detail != "" {
		return &Error{Code: CodeUnreachable, Detail: detail}
	}
	return &Error{Code: CodeMalformed, Detail: "unexpected"}
}

func codeOfStatus(status int) Code {
	switch {
	case status == http.StatusTooManyRequests:
		return CodeThrottled
	case status == http.StatusRequestTimeout || status >= 500:
		return CodeUnavailable
	case status >= 400:
		return CodeRejected
	}
	return CodeMalformed // MSAL takes 200 and 201 only; redirects are not followed
}

func aadstsIn(err error) int {
	match := aadsts.FindStringSubmatch(err.Error())
	if match == nil {
		return 0
	}
	number, _ := strconv.Atoi(match[1]) // nine digits at most
	return number
}

// networkDetail names the layer at which a connection failed, or is empty for an error that is not about the network.
func networkDetail(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var operation *net.OpError
	var network net.Error
	var failed *url.Error
	switch {
	case errors.As(err, &dns):
		return "dns"
	case errors.As(err, &certificate), errors.As(err, &record),
		errors.As(err, &operation) && operation.Op == "remote error": // crypto/tls: the other side sent an alert
		return "tls"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case errors.As(err, &failed), errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection"
	}
	return ""
}

// maxRetryAfter bounds what a server can ask for: a wrong header must not silence the process for a day.
const maxRetryAfter = time.Hour

// retryAfter reads the header (RFC 9110 section 10.2.3), in seconds or as a date; 0 if it is absent, past or nonsense. A date is by the
// server's clock, so it is held against the time that the answer says it was made (section 6.6.1), and against ours only without one.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if date, err := http.ParseTime(text); err == nil {
		if made, err := http.ParseTime(header.Get("Date")); err == nil {
			now = made
		}
		return min(max(date.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
