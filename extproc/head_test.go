package extproc_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestLocation leads past the sidecar, to a file without a login even, so it never
// leaves as it came; where it says that a delta is to begin anew, it is sealed.
func TestLocation(t *testing.T) {
	const fresh = "https://" + upstream + "/v1.0/things/delta?token=CANARY"
	gone := `{"error":{"code":"resyncRequired","message":"CANARY"}}`
	jsonType := []string{"application/json"}
	for name, test := range map[string]struct {
		status    int
		locations []string
		body      string
		want      int
		code      string // of the body, if it is an error
		location  string
	}{
		"410":                           {410, []string{fresh}, gone, 410, "resyncRequired", origin + "/v1.0/things/delta?$deltatoken=gv~"},
		"410 to a page":                 {410, []string{"https://" + upstream + "/v1.0/things?$skiptoken=CANARY"}, gone, 410, "resyncRequired", origin + "/v1.0/things?$skiptoken=gv~"},
		"410 to elsewhere":              {410, []string{"https://elsewhere.example/CANARY"}, gone, 410, "resyncRequired", ""},
		"410 to what is not served":     {410, []string{"https://" + upstream + "/v1.0/CANARY"}, gone, 410, "resyncRequired", ""},
		"410, relative":                 {410, []string{"/v1.0/things/delta?token=CANARY"}, gone, 410, "resyncRequired", ""},
		"410, twice":                    {410, []string{fresh, fresh}, gone, 410, "resyncRequired", ""},
		"410, twice, one elsewhere":     {410, []string{"https://elsewhere.example/CANARY", fresh}, gone, 410, "resyncRequired", ""},
		"410 without":                   {410, nil, gone, 410, "resyncRequired", ""},
		"410 without a body":            {410, []string{fresh}, "", 410, "upstream_error", ""},
		"404":                           {404, []string{fresh}, gone, 404, "resyncRequired", ""},
		"503":                           {503, []string{fresh}, gone, 503, "resyncRequired", ""},
		"200":                           {200, []string{fresh}, oneThing, 200, "", ""},
		"201":                           {201, []string{"https://" + upstream + "/v1.0/things/CANARY"}, oneThing, 201, "", ""},
		"202":                           {202, []string{fresh}, oneThing, 202, "", ""},
		"204":                           {204, []string{fresh}, "", 204, "", ""},
		"304":                           {304, []string{fresh}, "", 304, "", ""},
		"300":                           {300, []string{fresh}, oneThing, 502, "response_redirect", ""},
		"301":                           {301, []string{fresh}, "", 502, "response_redirect", ""},
		"302 to a file without a login": {302, []string{"https://tenant.files.example/CANARY?tempauth=CANARY"}, "", 502, "response_redirect", ""},
		"302 with a body":               {302, []string{fresh}, oneThing, 502, "response_redirect", ""},
		"303":                           {303, []string{fresh}, "", 502, "response_redirect", ""},
		"307":                           {307, []string{fresh}, "", 502, "response_redirect", ""},
		"308":                           {308, []string{fresh}, "", 502, "response_redirect", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.upstream.status, w.upstream.body = test.status, test.body
			w.upstream.header = http.Header{"Content-Type": jsonType, "Location": test.locations, "Content-Location": {"https://elsewhere.example/CANARY"}}
			r := w.get(t, "/v1.0/things")
			if r.Status != test.want || test.code != "" && !strings.Contains(string(r.Body), fmt.Sprintf(`"code":%q`, test.code)) {
				t.Errorf("got %d %s, want %d %s", r.Status, r.Body, test.want, test.code)
			}
			for name, values := range r.Header {
				if strings.Contains(strings.Join(values, " "), canary) || strings.Contains(strings.ToLower(name), "location") && test.location == "" {
					t.Errorf("%s: %q", name, values)
				}
			}
			got := r.Header.Values("Location")
			if test.location == "" {
				return
			}
			if len(got) != 1 || !strings.HasPrefix(got[0], test.location) {
				t.Fatalf("Location %q, want %s…", got, test.location)
			}
			w.upstream.status, w.upstream.body = 200, `{"value":[]}`
			if r := w.get(t, strings.TrimPrefix(got[0], origin)); r.Status != 200 || "https://"+upstream+w.upstream.last.RequestURI != test.locations[0] {
				t.Errorf("following it: %d %s, upstream got %s", r.Status, r.Body, w.upstream.last.RequestURI)
			}
		})
	}
}

// TestNoContentWithContent: a response that must have no body and has one.
func TestNoContentWithContent(t *testing.T) {
	for _, status := range []int{204, 304} {
		w := newWorld(t)
		w.upstream.status, w.upstream.body = status, oneThing
		if r := w.get(t, "/v1.0/things"); r.Status != 502 || code(t, r.Body) != "response_malformed" {
			t.Errorf("%d: got %d %s", status, r.Status, r.Body)
		}
	}
}

// TestRawValues: streams and whole messages are not served, however they are asked for.
func TestRawValues(t *testing.T) {
	w := newWorld(t)
	id := string(w.codec.AppendReversible(nil, []byte(thingID)))
	for target, want := range map[string]string{
		"/v1.0/things/" + id + "/$value":       "path_not_allowed",
		"/v1.0/things/" + id + "/%24value":     "path_not_allowed",
		"/v1.0/things('" + id + "')/$VALUE":    "path_not_allowed",
		"/v1.0/things/" + id + "/photo/$value": "path_not_allowed",
		"/v1.0/things/" + id + "/$ref":         "path_not_allowed",
		"/v1.0/things/$value":                  "id_not_pseudonymous",
		"/v1.0/things/" + id + "/parts/$value": "id_not_allowed",
		"/v1.0/things/$count/$value":           "path_not_allowed",
		"/v1.0/$batch":                         "path_not_allowed",
	} {
		if r := w.get(t, target); r.Status != 403 || code(t, r.Body) != want {
			t.Errorf("%s: %d %s, want %s", target, r.Status, r.Body, want)
		}
	}
	if w.upstream.last != nil {
		t.Errorf("%s arrived upstream", w.upstream.last.RequestURI)
	}
	// Nor does one leave that came unasked.
	for _, contentType := range []string{"message/rfc822", "application/octet-stream", "text/plain", "image/jpeg"} {
		w := newWorld(t)
		w.upstream.header, w.upstream.body = http.Header{"Content-Type": {contentType}}, "From: CANARY@acme.com"
		if r := w.get(t, "/v1.0/things"); r.Status != 502 || code(t, r.Body) != "response_not_json" {
			t.Errorf("%s: %d %s", contentType, r.Status, r.Body)
		}
	}
}

// TestErrorsInsideResults: a service may answer 200 and say in the result that part
// of it failed. Its messages quote the request as those of errors do.
func TestErrorsInsideResults(t *testing.T) {
	const said = `{"code":"ErrorAccessDenied","message":"CANARY is not allowed to read CANARY@acme.com","innerError":{"date":"CANARY"}}`
	for name, test := range map[string]struct{ body, want string }{
		"an item with an error":        {`{"value":[{"size":1,"error":` + said + `},{"size":2}]}`, `{"value":[{"size":1},{"size":2}]}`},
		"an item that is an error":     {`{"value":[{"error":` + said + `}]}`, `{"value":[{}]}`},
		"an annotation of an item":     {`{"value":[{"@odata.error":` + said + `,"size":1}]}`, `{"value":[{"size":1}]}`},
		"an annotation of a property":  {`{"value":[{"owner@odata.error":` + said + `,"size@Core.Error":` + said + `,"size":1}]}`, `{"value":[{"size":1}]}`},
		"an error beside the results":  {`{"value":[{"size":1}],"error":` + said + `}`, `{"value":[{"size":1}]}`},
		"an error before the results":  {`{"error":` + said + `,"value":[]}`, `{"value":[]}`},
		"an annotation of the results": {`{"@odata.error":` + said + `,"value@odata.error":` + said + `,"value":[]}`, `{"value":[]}`},
		"an error in place of a value": {`{"value":[{"size":` + said + `,"owner":` + said + `}]}`, `{"value":[{}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.upstream.body = test.body
			if r := w.get(t, "/v1.0/things"); r.Status != 200 || string(r.Body) != test.want {
				t.Errorf("got %d %s, want %s", r.Status, r.Body, test.want)
			}
		})
	}
}
