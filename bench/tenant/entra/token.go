package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxTokenRequest bounds the form of a token request: an assertion of a few kilobytes and some names.
const maxTokenRequest = 64 << 10

// assertionType is the client_assertion_type of RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// serveToken answers the client-credentials grant (RFC 6749 section 4.4) authenticated by a client assertion (RFC 7523) or a secret.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		s.refuse(w, refusal{900561, http.StatusMethodNotAllowed, "invalid_request",
			"The endpoint only accepts POST requests. Received a " + r.Method + " request."})
		return
	}
	if !s.isTenant(r) {
		s.refuse(w, unknownTenant(r.PathValue("tenant"), "invalid_request"))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenRequest)
	if r.ParseForm() != nil || r.URL.RawQuery != "" {
		s.refuse(w, malformedRequest)
		return
	}
	app, method, no := s.authenticate(r)
	if no != nil {
		s.refuse(w, *no)
		return
	}
	want, no := wantedOf(r.PostForm)
	if no == nil {
		no = s.checkEnabled(app)
	}
	if no != nil {
		s.refuse(w, *no)
		return
	}
	token, err := s.issue(app.ClientID, method, want)
	if err != nil {
		s.refuse(w, refusal{90033, http.StatusServiceUnavailable, "temporarily_unavailable", "A transient error has occurred."})
		return
	}
	seconds := max(int(s.lifetime(want)/time.Second)-1, 0) // Entra says 3599 for an hour
	answer := map[string]any{
		"token_type":     "Bearer",
		"expires_in":     seconds,
		"ext_expires_in": seconds,
		"access_token":   token,
	}
	if s.cfg.RefreshIn > 0 {
		answer["refresh_in"] = int(s.cfg.RefreshIn / time.Second)
	}
	s.mu.Lock()
	s.stats.Issued++
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, answer)
}

// How an application proved that it is one, as the claim appidacr says it.
const (
	bySecret    = "1"
	byAssertion = "2"
)

// authenticate goes through everything that a token request has to be. It returns the application and how it authenticated, or why not.
func (s *Server) authenticate(r *http.Request) (app App, method string, no *refusal) {
	form := r.PostForm
	for _, values := range form {
		if len(values) > 1 { // RFC 6749 section 3.2: parameters must not be included more than once
			return App{}, "", &malformedRequest
		}
	}
	secret := form.Get("client_secret")
	if no := takeBasic(r, &secret); no != nil {
		return App{}, "", no
	}
	for _, name := range []string{"grant_type", "client_id", "scope"} {
		if form.Get(name) == "" {
			return App{}, "", missingParameter(name)
		}
	}
	if form.Get("grant_type") != "client_credentials" {
		return App{}, "", &refusal{70003, http.StatusBadRequest, "unsupported_grant_type",
			"The app requested an unsupported grant type '" + form.Get("grant_type") + "'."}
	}
	app, ok := s.app(form.Get("client_id"))
	if !ok {
		return App{}, "", &refusal{700016, http.StatusBadRequest, "unauthorized_client",
			"Application with identifier '" + form.Get("client_id") + "' was not found in the directory '" + s.cfg.TenantID + "'. This can " +
				"happen if the application has not been installed by the administrator of the tenant. You may have sent your authentication " +
				"request to the wrong tenant."}
	}
	if no := s.checkScope(form.Get("scope")); no != nil {
		return App{}, "", no
	}
	assertion := form.Get("client_assertion")
	switch {
	case assertion != "" && secret != "": // RFC 6749 section 2.3: one method of authentication in a request
		return App{}, "", &malformedRequest
	case secret != "":
		return app, bySecret, s.checkSecret(app, secret)
	case assertion == "":
		return App{}, "", &refusal{7000216, http.StatusUnauthorized, "invalid_client",
			"'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."}
	case form.Get("client_assertion_type") != assertionType:
		return App{}, "", &malformedRequest
	}
	return app, byAssertion, s.checkAssertion(r.Context(), app, "https://"+r.Host+"/"+s.cfg.TenantID+"/oauth2/v2.0/token", assertion)
}

// takeBasic moves client id and secret of HTTP Basic authentication (RFC 6749 section 2.3.1) to where those of the body are.
func takeBasic(r *http.Request, secret *string) *refusal {
	if r.Header.Get("Authorization") == "" {
		return nil
	}
	id, password, ok := r.BasicAuth()
	id, badID := url.QueryUnescape(id)
	password, badPassword := url.QueryUnescape(password)
	if !ok || badID != nil || badPassword != nil || *secret != "" {
		return &malformedRequest
	}
	if other := r.PostForm.Get("client_id"); other != "" && !strings.EqualFold(other, id) {
		return &malformedRequest
	}
	r.PostForm.Set("client_id", id)
	*secret = password
	return nil
}

// oidcScopes may stand beside the resource's scope. MSAL adds the first three to every request, and Entra ignores them here.
var oidcScopes = []string{"openid", "offline_access", "profile", "email"}

func (s *Server) checkScope(scope string) *refusal {
	wanted := slices.DeleteFunc(strings.Fields(scope), func(one string) bool { return slices.Contains(oidcScopes, one) })
	if len(wanted) != 1 || !strings.HasSuffix(wanted[0], "/.default") {
		return &refusal{1002012, http.StatusBadRequest, "invalid_scope",
			"The provided value for scope " + scope + " is not valid. Client credential flows must have a scope value with /.default " +
				"suffixed to the resource identifier (application ID URI)."}
	}
	if resource := strings.TrimSuffix(wanted[0], "/.default"); resource != s.cfg.Resource {
		return &refusal{500011, http.StatusBadRequest, "invalid_resource",
			"The resource principal named " + resource + " was not found in the tenant named " + s.cfg.TenantID + "."}
	}
	return nil
}
