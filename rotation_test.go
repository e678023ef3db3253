package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// volume is a folder that changes as a Secret volume does: its files are links
// through "..data", which is swapped.
type volume struct {
	l      *lab
	dir    string
	number int
	files  map[string]string
}

func (l *lab) volume(name string, files map[string]string) *volume {
	v := &volume{l: l, dir: l.file(name), files: map[string]string{}}
	l.check(os.Mkdir(v.dir, 0o755))
	v.publish(files)
	for file := range files {
		l.check(os.Symlink("..data/"+file, v.file(file)))
	}
	return v
}

func (v *volume) file(name string) string { return v.dir + "/" + name }

// publish changes some files, all at once.
func (v *volume) publish(files map[string]string) {
	v.l.t.Helper()
	for name, text := range files {
		v.files[name] = text
	}
	v.number++
	folder := fmt.Sprintf("..%d", v.number)
	l := v.l
	l.check(os.Mkdir(v.file(folder), 0o755))
	for name, text := range v.files {
		l.check(os.WriteFile(v.file(folder)+"/"+name, []byte(text), 0o600))
	}
	l.check(os.Symlink(folder, v.file("..data_tmp")))
	l.check(os.Rename(v.file("..data_tmp"), v.file("..data")))
	if v.number > 1 {
		l.check(os.RemoveAll(v.file(fmt.Sprintf("..%d", v.number-1))))
	}
}

// TestKeyRotation carries out the procedure of docs/rotation.md on a running sidecar,
// under load, with the mistakes that it warns of.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	const next = "the NEXT key"
	l := newLab(t, nil)
	codecOf := func(key string) *pseudonym.Codec {
		c, err := pseudonym.New(pseudonym.Config{Salt: labSalt, Key: key})
		l.check(err)
		return c
	}
	v := l.volume("secrets", map[string]string{"salt": labSalt, "key": labKey, "key.previous": "a retired key"})
	l.config.Pseudonyms = PseudonymConfig{SaltFile: v.file("salt"), KeyFile: v.file("key"), PreviousKeyFiles: []string{v.file("key.previous")}}
	r := l.start()
	path := func(key string) string {
		return "/v1.0/users/" + string(codecOf(key).AppendReversible(nil, []byte(l.Graph.UserID(0))))
	}
	oldPath, newPath := path(labKey), path(next)
	if hash := len("/v1.0/users/p~") + 42; oldPath[:hash] != newPath[:hash] || oldPath == newPath {
		t.Errorf("%s and %s do not differ in their endings alone", oldPath, newPath)
	}
	status := func(target string) string {
		response := call(t, r.address, l.tls(), wireCall{protocol: "h2", target: target})
		return response.String()
	}
	// page is the first user's token and the link to the page after it.
	page := func() (string, string) {
		t.Helper()
		response := call(t, r.address, l.tls(), wireCall{protocol: "h2", target: "/v1.0/users?$top=2"})
		var body struct {
			Value []struct{ ID string }
			Next  string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(response.body, &body); err != nil || len(body.Value) == 0 || body.Next == "" {
			t.Fatalf("%s %.300s", &response, response.body)
		}
		return "/v1.0/users/" + body.Value[0].ID, body.Next[strings.Index(body.Next, "/v1.0"):]
	}
	reloads := func(result string) string {
		_, metrics := get(t, r.adminURL+"/metrics")
		return strings.TrimSpace(strings.TrimPrefix(linesWith(metrics, `graphveil_key_reloads_total{result="`+result+`"}`), `graphveil_key_reloads_total{result="`+result+`"}`))
	}
	rejected := 0
	// refused publishes a mistake, which changes nothing and is told once, and takes
	// it back.
	refused := func(code string, files map[string]string) {
		t.Helper()
		good := map[string]string{}
		for name := range files {
			good[name] = v.files[name]
		}
		before, _ := page()
		rejected++
		v.publish(files)
		wait(t, code, func() bool { return reloads("rejected") == fmt.Sprint(rejected) })
		if log := linesWith(r.logs.String(), "keys not reloaded"); !strings.Contains(log, `"code":"`+code+`"`) {
			t.Errorf("%s: the log says %s", code, log)
		}
		if after, _ := page(); after != before {
			t.Errorf("%s: the keys changed", code)
		}
		v.publish(good)
	}
	done := 0
	step := func(files map[string]string) {
		t.Helper()
		v.publish(files)
		done++
		wait(t, "the keys to be reloaded", func() bool { return reloads("ok") == fmt.Sprint(done) })
	}
	wantStatus := func(when, target, want string) {
		t.Helper()
		if got := status(target); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}

	first, oldLink := page()
	if first != oldPath {
		t.Fatalf("the key is not the one in the file: %s", first)
	}
	wantStatus("a token of a key that is not there yet", newPath, "404 id_not_revealed")
	traffic := l.startTraffic("https://" + r.address)
	traffic.more(t, "before")

	refused("key_dropped", map[string]string{"key": next})
	refused("salt_changed", map[string]string{"salt": "SALT of tomorrow"})
	refused("key_unreadable", map[string]string{"key": "\n"})

	step(map[string]string{"key.previous": next}) // known everywhere before it is used anywhere
	if got, _ := page(); got != oldPath {
		t.Errorf("the new key is used before its time: %s", got)
	}
	wantStatus("a token of another sidecar that is ahead", newPath, "200")
	step(map[string]string{"key": next, "key.previous": labKey})
	got, newLink := page()
	if got != newPath {
		t.Errorf("the new key is not used: %s", got)
	}
	for _, target := range []string{oldPath, newPath, oldLink, newLink} {
		wantStatus("with both keys", target, "200")
	}
	traffic.more(t, "after the rotation")
	traffic.stopping.Store(true)
	traffic.running.Wait()
	traffic.check(t, "at the end")

	step(map[string]string{"key.previous": next})
	wantStatus("a token of the key that is gone", oldPath, "404 id_not_revealed")
	wantStatus("a link of the key that is gone", oldLink, "400 link_not_valid")
	wantStatus("a token of the key in use", newPath, "200")
	wantStatus("a link of the key in use", newLink, "200")

	_, metrics := get(t, r.adminURL+"/metrics")
	for where, text := range map[string]string{"log": r.logs.String(), "metrics": metrics} {
		for _, secret := range []string{labKey, labSalt, next, "SALT of tomorrow"} {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is in the %s", where)
			}
		}
	}
}

// Which secrets may take the place of others.
func TestWhichKeysMayReplaceOthers(t *testing.T) {
	old := secrets{codec: pseudonym.Config{Salt: "s", Key: "k", PreviousKeys: []string{"p"}, DomainSalt: "ds", DomainKey: "dk", IPSalt: "is", IPKey: "ik"}, links: [][]byte{{1}, {2}}}
	for _, test := range []struct {
		want   string
		change func(*secrets)
	}{
		{"", func(s *secrets) { s.codec.PreviousKeys = nil }},
		{"", func(s *secrets) { s.codec.Key, s.codec.PreviousKeys = "n", []string{"k"} }},
		{"", func(s *secrets) { s.links = [][]byte{{3}, {1}} }},
		{"", func(s *secrets) { s.links = [][]byte{{1}} }},
		{"key_dropped", func(s *secrets) { s.codec.Key = "n" }},
		{"key_dropped", func(s *secrets) { s.codec.Key, s.codec.PreviousKeys = "p", nil }},
		{"link_key_dropped", func(s *secrets) { s.links = [][]byte{{2}} }},
		{"salt_changed", func(s *secrets) { s.codec.Salt = "n" }},
		{"salt_changed", func(s *secrets) { s.codec.DomainSalt = "n" }},
		{"salt_changed", func(s *secrets) { s.codec.IPSalt = "n" }},
		{"own_key_changed", func(s *secrets) { s.codec.DomainKey = "n" }},
		{"own_key_changed", func(s *secrets) { s.codec.IPKey = "n" }},
	} {
		next := old
		test.change(&next)
		code := ""
		if why := next.replaces(old); why != nil {
			code = why.code
		}
		if code != test.want || next.equal(old) {
			t.Errorf("%+v: %q, want %q", next, code, test.want)
		}
	}
	if !old.equal(old) || old.replaces(old) != nil {
		t.Error("secrets differ from themselves")
	}
}

// Files with keys of links of their own change alike, also where they are written one
// after the other, in place.
func TestLinkKeyRotation(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	key := func(b byte) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), pseudonym.LinkKeySize)))
	}
	l.config.Pseudonyms.LinkKeyFiles = []string{l.write("links/1", key('a')), l.write("links/2", key('b'))}
	r := l.start()
	link := func() string {
		t.Helper()
		response := call(t, r.address, l.tls(), wireCall{protocol: "h1", target: "/v1.0/users?$top=2"})
		var body struct {
			Next string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(response.body, &body); err != nil || response.status != http.StatusOK {
			t.Fatalf("%s %v", &response, err)
		}
		return body.Next[strings.Index(body.Next, "/v1.0"):]
	}
	old := link()
	l.write("links/2", key('a'))
	l.write("links/1", key('b'))
	wait(t, "the other key of links", func() bool { return link() != old })
	if response := call(t, r.address, l.tls(), wireCall{protocol: "h1", target: old}); response.status != http.StatusOK {
		t.Errorf("a link of the key before: %s", &response)
	}
	l.write("links/1", key('c'))
	wait(t, "the mistake to be told", func() bool { return strings.Contains(r.logs.String(), `"code":"link_key_dropped"`) })
}

// envoySecrets are the names of what Envoy discovers from files.
var envoySecrets = []string{"graph_authorities", "ingress_certificate"}

// docs/rotation.md has every code of a rejection, and names secrets and metrics that
// there are. Of the tests that it names see TestPagesNameTests.
func TestRotationDocument(t *testing.T) {
	text, err := os.ReadFile("docs/rotation.md")
	if err != nil {
		t.Fatal(err)
	}
	document := string(text)
	var sources strings.Builder
	for _, file := range []string{"keys.go", "keys_reload.go", "rotation_test.go", "e2e_certificate_test.go", "envoy/secrets_test.go", "envoy/secrets_bad_test.go", "admin.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(source)
	}
	codes := regexp.MustCompile(`refusal\{"([a-z_]+)"`).FindAllStringSubmatch(sources.String(), -1)
	if len(codes) < 5 {
		t.Fatalf("%d codes", len(codes))
	}
	for _, code := range codes {
		if !strings.Contains(document, "| `"+code[1]+"` |") {
			t.Errorf("the document lacks the code %s", code[1])
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(document, -1) {
		if !strings.Contains(sources.String(), `refusal{"`+row[1]+`"`) {
			t.Errorf("the document has a code that is not there: %s", row[1])
		}
	}
	named := regexp.MustCompile("`graphveil_([a-z_]+_(?:total|seconds))").FindAllStringSubmatch(document, -1)
	if len(named) < 3 {
		t.Fatalf("%d metrics", len(named))
	}
	for _, name := range named {
		if !strings.Contains(sources.String(), strings.TrimPrefix(name[1], "token_")) {
			t.Errorf("the document names graphveil_%s, which is not there", name[1])
		}
	}
	for _, message := range []string{"keys reloaded", "keys not reloaded, the old ones stay in use", "Failed to reload certificates", "ingress_certificate", "ingress_authorities"} {
		if !strings.Contains(document, message) || !strings.Contains(sources.String(), message) {
			t.Errorf("not in both: %s", message)
		}
	}
}
