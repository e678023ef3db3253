package extproc

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Refusal ends an exchange with an answer of our own instead of the upstream's.
type Refusal struct {
	// Code is stable and public: a key of the table of answers, or a code that
	// the policy defines.
	Code string
	// Message overrides the table's sentence. It comes from the policy's text,
	// never from a request or a response.
	Message string
	// Reasons are the ids of the rules that refused.
	Reasons []string
	// Status overrides the table's HTTP status. Zero means the table's.
	Status int
	// RetryAfter is sent as a Retry-After header in whole seconds, rounded up.
	// Zero or less sends none.
	RetryAfter time.Duration
}

// Error makes a Refusal usable as an error: the code, and nothing else.
func (r *Refusal) Error() string { return "refusing the exchange: " + r.Code }

type answer struct {
	status  int
	message string
}

// answers is the one table from stable code to HTTP status and public sentence.
// A code that is not here is one that the policy defines: 403.
var answers = map[string]answer{
	// The request.
	"request_refused":             {400, "The proxy refused the request: its target is malformed or ambiguous, or its headers are."},
	"caller_not_verified":         {401, "A valid token of the caller is needed, made for this service, as Authorization: Bearer."},
	"target_malformed":            {400, "The request target is not a valid path and query. Send each character that needs it percent-encoded once, in UTF-8."},
	"target_ambiguous":            {400, "The request target can be read in more than one way (encoded slashes, dot segments, double encoding, or the like). Send it in its plain form."},
	"query_malformed":             {400, "A query option could not be parsed, or was given twice. Check its OData syntax."},
	"body_not_allowed":            {400, "Requests with a body are not served. Send the request without one."},
	"path_not_allowed":            {403, "No connector of the policy serves this path. `graphveil policy list` shows the paths that are served."},
	"method_not_allowed":          {403, "The policy does not allow this method here."},
	"query_not_allowed":           {403, "The policy does not allow this query option here. `graphveil policy list` shows the options of each endpoint."},
	"query_value_not_allowed":     {403, "The policy does not allow this value of a query option."},
	"filter_property_not_allowed": {403, "A filter or an order may only use properties that this endpoint lists and that the response keeps in clear."},
	"header_value_not_allowed":    {403, "The policy does not allow this value of a request header."},
	"id_not_allowed":              {403, "The policy does not allow this id in the path."},
	"id_not_pseudonymous":         {403, "Use the reversible token (p~…) that a response of this service gave you instead of a plain id."},
	"id_not_revealed":             {404, "The token in the path, or in an option, is not known here."},
	"link_not_valid":              {400, "This page link was not made here for this path and caller, or its key is gone. Start the listing again."},
	"link_not_alone":              {400, "A page link must be used as it was given, without further query options."},
	"denied_by_policy":            {403, "The policy denies this request."},
	"policy_error":                {500, "The policy could not decide. The operator finds the cause in the log."},
	"policy_not_loaded":           {503, "The policy of this service has not been loaded yet. Try again later."},
	"token_unavailable":           {503, "No access token for the upstream is to be had at the moment. Try again later."},

	// The response.
	"upstream_token_rejected":       {503, "The upstream no longer accepts the access token that was used; another is on its way. Send the request again."},
	"upstream_unauthorized":         {502, "The upstream did not accept the access token of this service. The operator finds the cause in the log."},
	"upstream_error":                {502, "The upstream failed without an explanation that can be passed on."},
	"upstream_truncated":            {502, "The upstream ended its response early."},
	"response_redirect":             {502, "The upstream answered with a redirect, which is not passed on."},
	"response_encoding_not_allowed": {502, "The upstream encoded its response in a way that is not accepted."},
	"response_encoding_malformed":   {502, "The upstream's response is not valid gzip."},
	"response_ratio":                {502, "The upstream's response inflates to more than is accepted for its length."},
	"response_not_json":             {502, "The upstream's response is not JSON."},
	"response_media_not_allowed":    {502, "The upstream's response is not of the media type that the policy names."},
	"response_malformed":            {502, "The upstream's response is not valid JSON, or not the number that it should be."},
	"response_limit":                {502, "The upstream's response exceeds a limit (its length, depth, length of a key or number, members of an object)."},

	// Ourselves, and Envoy before us.
	"envoy_mode_refused": {500, "The Envoy in front of this service is set up in a way that could let undecided data pass, so nothing is served. The operator finds the cause in the log."},
	"internal":           {500, "The request could not be processed. The operator finds the cause in the log."},
}

func (r *Refusal) status() int {
	if r.Status != 0 {
		return r.Status
	}
	if a, ok := answers[r.Code]; ok {
		return a.status
	}
	return http.StatusForbidden
}

func (r *Refusal) message() string {
	if r.Message != "" {
		return r.Message
	}
	if a, ok := answers[r.Code]; ok {
		return a.message
	}
	return answers["denied_by_policy"].message
}

// appendBody appends the answer as the API's own error shape, so that its
// clients parse it: {"error":{"code","message"}}.
// Source: Microsoft Graph, "error responses and resource types".
func (r *Refusal) appendBody(dst []byte) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = appendJSONString(dst, r.Code)
	dst = append(dst, `,"message":`...)
	dst = appendJSONString(dst, r.message())
	return append(dst, "}}"...)
}

// appendJSONString quotes s as a JSON string (RFC 8259, section 7).
func appendJSONString(dst []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(dst, s)
	if err != nil { // s is not UTF-8: our own codes and sentences are
		return append(dst, `""`...)
	}
	return quoted
}

// retryAfter renders the Retry-After header (RFC 9110, section 10.2.3), or "".
func (r *Refusal) retryAfter() string {
	if r.RetryAfter <= 0 {
		return ""
	}
	seconds := (r.RetryAfter + time.Second - 1) / time.Second
	return strconv.FormatInt(int64(seconds), 10)
}
