package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/graphveil/graphveil/extproc"
	"github.com/graphveil/graphveil/policy"
)

// importedFiles are whole rules documents, with the variants of Psoxy's own rules
// whose endpoints they have.
var importedFiles = map[string][]string{
	"conversations":       {"msft-teams_no-userIds"},
	"directory-and-mail":  {"entra-id_no-app-ids", "outlook-mail_no-app-ids"},
	"meetings-and-drives": {"outlook-cal", "msft-copilot_no-userIds", "msft-onedrive_no-app-ids"},
}

// A whole document becomes the Rego that testdata has (-update writes it), loads,
// is well written, and passes the tests that came with it.
func TestImportWritesAGoodConnector(t *testing.T) {
	for file := range importedFiles {
		t.Run(file, func(t *testing.T) {
			dir := importFile(t, file)
			golden := filepath.Join("testdata", "psoxy", file)
			connector := filepath.Join(dir, strings.ReplaceAll(file, "-", "_"))
			compareFolders(t, connector, golden)
			paths := policy.Config{Paths: []string{dir}}
			if err := policy.Check(t.Context(), paths); err != nil {
				t.Error(err)
			}
			report, err := policy.Test(t.Context(), paths)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Results {
				if r.Failed {
					t.Errorf("%s: %s", r.Name, r.Message)
				}
			}
			if len(report.Results) < 20 {
				t.Errorf("%d tests", len(report.Results))
			}
		})
	}
}

// importFile runs the command and returns the folder of the policy.
func importFile(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	if code := execute(t.Context(), []string{"policy", "import", "psoxy", "testdata/psoxy/" + file + ".yaml", "--out", dir}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	return dir
}

func compareFolders(t *testing.T, got, want string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(got, "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join(want, filepath.Base(file))
		if *update {
			if err := os.MkdirAll(want, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		expected, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != string(expected) {
			t.Errorf("%s differs from %s; look at both, then go test . -run ImportWrites -update", filepath.Base(file), golden)
		}
	}
}

// Documents that hold every documented property come out of the imported connector
// as they come out of Psoxy, but for page links. What Psoxy refuses is refused;
// what it admits by a tail or by a plain id may be.
func TestImportedFilesAreExact(t *testing.T) {
	documents := readDocuments(t)
	for file, variants := range importedFiles {
		snapshot, err := policy.Load(t.Context(), policy.Config{Paths: []string{importFile(t, file)}})
		if err != nil {
			t.Fatal(err)
		}
		gateway := gatewayOf(t, snapshot)
		served := map[string]int{}
		for _, d := range documents {
			if !slices.Contains(variants, d.Variant) {
				continue
			}
			url, _, _ := strings.Cut(d.URL, "?")
			exchange := offlineExchange{Method: "GET", URL: url, Status: 200, body: d.Original}
			out, result := sanitizeOne(t.Context(), gateway, exchange)
			if !d.Psoxy.Allowed && result.outcome != extproc.OutcomeDenied {
				t.Errorf("%s: %s, but Psoxy refuses it", d.ID, result.outcome)
			}
			if !d.Psoxy.Allowed {
				continue
			}
			if result.outcome == extproc.OutcomeDenied {
				exchange.URL = withTokens(snapshot, url)
				out, result = sanitizeOne(t.Context(), gateway, exchange)
			}
			switch result.outcome {
			case extproc.OutcomeRefused:
				t.Errorf("%s: %v", d.ID, result.reasons)
			case extproc.OutcomeSanitized:
				served[d.Variant]++
				if got, want := withoutLinks(string(out)), withoutLinks(string(d.Psoxy.Body)); got != want {
					t.Errorf("%s:\n got %s\nwant %s", d.ID, got, want)
				}
			}
		}
		t.Logf("%s: documents that are the same: %v", file, served)
		least := map[string]int{"conversations": 10, "directory-and-mail": 4, "meetings-and-drives": 8}
		if total := sum(served); total < least[file] {
			t.Errorf("%s: %d documents served", file, total)
		}
	}
}

func sum(counts map[string]int) int {
	total := 0
	for n := range maps.Values(counts) {
		total += n
	}
	return total
}

// A refused document writes nothing; an import never overwrites another unasked.
func TestImportWritesAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("allowAllEndpoints: true\nendpoints: [{pathTemplate: /a}]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	// Importable by itself, but the engine refuses it: neither path is the more
	// literal one.
	ambiguous := filepath.Join(dir, "ambiguous.yaml")
	if err := os.WriteFile(ambiguous, []byte("endpoints: [{pathTemplate: '/a/{x}'}, {pathTemplate: '/{y}/b'}]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	good := "testdata/psoxy/directory-and-mail.yaml"
	out := filepath.Join(dir, "out")
	for _, step := range []struct {
		args []string
		want int
	}{
		{[]string{bad, "--out", out}, exitFailed},
		{[]string{ambiguous, "--out", out}, exitFailed},
		{[]string{filepath.Join(dir, "none.yaml"), "--out", out}, exitUsage},
		{[]string{good}, exitUsage},
		{[]string{good, "--out", out, "--connector", "Not-A-Name"}, exitFailed},
	} {
		if code := execute(t.Context(), append([]string{"policy", "import", "psoxy"}, step.args...)); code != step.want {
			t.Errorf("%v: exit code %d, want %d", step.args, code, step.want)
		}
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}

	imported := []string{"policy", "import", "psoxy", good, "--out", out, "--connector", "mine"}
	if code := execute(t.Context(), imported); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	rego := filepath.Join(out, "mine", "mine.rego")
	if err := os.WriteFile(rego, []byte("# edited"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code := execute(t.Context(), imported); code != exitUsage {
		t.Errorf("over another: exit code %d", code)
	}
	if text, err := os.ReadFile(rego); err != nil || string(text) != "# edited" {
		t.Errorf("%q, %v", text, err)
	}
	if code := execute(t.Context(), append(imported, "--force")); code != 0 {
		t.Errorf("with --force: exit code %d", code)
	}
	if text, err := os.ReadFile(rego); err != nil || !strings.Contains(string(text), "package graphveil.connectors.mine") {
		t.Errorf("%q, %v", text, err)
	}
}

// Imported rules take bodies of several JSON texts, and so does --jsonl.
func TestSanitizeLinesWithSeveralTexts(t *testing.T) {
	dir := t.TempDir()
	rules := filepath.Join(dir, "several.yaml")
	if err := os.WriteFile(rules, []byte("endpoints: [{pathTemplate: /a, transforms: [{method: redact, jsonPaths: [$..x]}]}]"), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "policy")
	if code := execute(t.Context(), []string{"policy", "import", "psoxy", rules, "--out", out}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	snapshot, err := policy.Load(t.Context(), policy.Config{Paths: []string{out}})
	if err != nil {
		t.Fatal(err)
	}
	in := `{"id":1,"method":"GET","url":"/a","text":"{\"x\":1} {\"y\":2}"}
{"id":2,"method":"GET","url":"/a","text":""}
{"id":3,"method":"GET","url":"/a","body":{"x":1,"z":3}}
`
	want := `{"id":1,"outcome":"sanitized","reasons":[],"text":"{}\n{\"y\":2}"}
{"id":2,"outcome":"sanitized","reasons":[]}
{"id":3,"outcome":"sanitized","reasons":[],"body":{"z":3}}
`
	var got strings.Builder
	if err := sanitizeLines(t.Context(), gatewayOf(t, snapshot), strings.NewReader(in), &got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("got %s\nwant %s", got.String(), want)
	}
}

// Page links of imported endpoints lead back to the sidecar, and on from there.
func TestImportedLinksAreSealed(t *testing.T) {
	for _, link := range []struct{ file, url, upstream, want string }{
		{"directory-and-mail", "/v1.0/users", "/v1.0/users?$top=5&$skiptoken=secret", "https://localhost/v1.0/users?"},
		{"directory-and-mail", "/v1.0/groups/g1/members", "/v1.0/groups/g1/members?$skiptoken=secret", "https://localhost/v1.0/groups/g1/members?"},
		{"meetings-and-drives", "/v1.0/drives/d1/root/delta", "/v1.0/drives/d1/root/delta?token=secret", "https://localhost/v1.0/drives/d1/root/delta?"},
		{"meetings-and-drives", "/v1.0/drives/d1/root/delta", "/v1.0/drives/d1/root/delta(token='secret')", "https://localhost/v1.0/drives/d1/root/delta?"},
		{"directory-and-mail", "/v1.0/users", "/v1.0/auditLogs/signIns?$skiptoken=secret", ""},
	} {
		snapshot, err := policy.Load(t.Context(), policy.Config{Paths: []string{importFile(t, link.file)}})
		if err != nil {
			t.Fatal(err)
		}
		gateway := gatewayOf(t, snapshot)
		body := `{"@odata.nextLink":"https://graph.microsoft.com` + link.upstream + `","value":[]}`
		out, result := sanitizeOne(t.Context(), gateway, offlineExchange{Method: "GET", URL: link.url, Status: 200, body: []byte(body)})
		var page struct {
			Next string `json:"@odata.nextLink"`
		}
		if result.outcome != extproc.OutcomeSanitized || json.Unmarshal(out, &page) != nil {
			t.Errorf("%s: %v: %s", link.url, result, out)
			continue
		}
		if strings.Contains(string(out), "secret") || (page.Next == "") != (link.want == "") || !strings.HasPrefix(page.Next, link.want) {
			t.Errorf("%s: the link %s became %q", link.url, link.upstream, page.Next)
		}
		if page.Next == "" {
			continue
		}
		if _, result = sanitizeOne(t.Context(), gateway, offlineExchange{Method: "GET", URL: page.Next, Status: 200, body: []byte(`{"value":[]}`)}); result.outcome != extproc.OutcomeSanitized {
			t.Errorf("%s: the sealed link is not followed: %v", link.url, result.reasons)
		}
	}
}
