package graph

import (
	"encoding/base64"
	"net/http"
	"time"
)

// problem is a refusal in Graph's error shape. Its message quotes the request, as Graph's do.
type problem struct {
	status        int
	code, message string
	claims        string // with 401: what the next token must be asked for with
}

func (a *answer) problem(p *problem) {
	h := a.w.Header()
	switch p.status {
	case http.StatusUnauthorized:
		challenge := `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`
		if p.claims != "" {
			challenge += `, error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString([]byte(p.claims)) + `"`
		}
		h.Set("WWW-Authenticate", challenge)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusTooManyRequests:
		// The scope names the application and the tenant (graph-facts: "Headers").
		h.Set("x-ms-throttle-scope", "Tenant_Application/ReadWrite/"+string(a.s.keys.guid(kindSecret, 0))+"/"+a.s.cfg.TenantID+"/"+a.s.UserID(0))
		h.Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
		h.Set("x-ms-throttle-limit-percentage", "1.2")
	}
	a.start(p.status, "application/json")
	b := append(a.doc, `{"error":{"code":`...)
	b = appendString(b, p.code)
	b = append(b, `,"message":`...)
	b = appendString(b, p.message)
	b = append(b, `,"innerError":{"date":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05")
	b = append(b, `","request-id":"`...)
	b = append(b, a.requestID...)
	b = append(b, `","client-request-id":`...)
	b = appendString(b, a.clientRequestID())
	a.doc = append(b, "}}}"...)
}

// replace answers with what the fault says instead of data.
func (a *answer) replace() {
	status := a.f.Status
	if status == 0 {
		status = http.StatusOK
	}
	switch {
	case a.f.Body != nil:
		a.start(status, jsonContent)
		if err := a.f.Body(a); err != nil && a.err == nil {
			a.err = err
		}
	case status >= http.StatusBadRequest:
		a.problem(errorOf(status, a.r.URL.Path))
	default:
		a.start(status, jsonContent)
	}
}

// errorOf is what Graph says for a status that it gives without looking at the data; the message names the path.
func errorOf(status int, path string) *problem {
	code, text := "UnknownError", "The request failed for "
	switch status {
	case http.StatusUnauthorized:
		code, text = "InvalidAuthenticationToken", "Access token validation failure for "
	case http.StatusForbidden:
		code, text = "Authorization_RequestDenied", "Insufficient privileges to complete the operation on "
	case http.StatusNotFound:
		code, text = "Request_ResourceNotFound", "Resource not found: "
	case http.StatusTooManyRequests:
		code, text = "TooManyRequests", "Too many requests for "
	case http.StatusServiceUnavailable:
		code, text = "ServiceUnavailable", "The service is temporarily unavailable for "
	}
	return &problem{status: status, code: code, message: text + path}
}
