package extproc_test

import "testing"

func TestServesAPage(t *testing.T) {
	w := newWorld(t)
	w.upstream.body = `{"value":[{"id":"48d31887-5fad-4d73-a9f5-3c356e68a038","owner":"CANARY@acme.com","size":1e2,"secret":"CANARY"}]}`
	r := w.get(t, "/v1.0/things?$top=5")
	t.Logf("%d %v %s", r.Status, r.Header, r.Body)
	t.Log(w.log)
	t.Log(w.upstream.last)
}
