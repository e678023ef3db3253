package ladder

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/bench/load"
	"github.com/graphveil/graphveil/bench/result"
	"github.com/graphveil/graphveil/envoy"
	"github.com/graphveil/graphveil/extproc/pseudonym"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// buildGraphveil builds the program that is measured.
func buildGraphveil(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "graphveil")
	if out, err := exec.Command("go", "build", "-o", binary, "../..").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// TestRun goes up all three rungs, through real Envoys, as a smoke run does.
func TestRun(t *testing.T) {
	temporary, err := os.MkdirTemp("", "l-") // short, for socket paths
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temporary)
	binary := buildGraphveil(t)
	t.Setenv("TMPDIR", temporary)
	var told []string
	figures, histograms, err := Run(t.Context(), Options{
		Binary: binary, Rounds: 2, Duration: 50 * time.Millisecond,
		Only:     []string{"stream", "ladder/h2/1KB", "ladder/h2/50KB/gzip/"},
		Progress: func(what string, _ time.Duration) { told = append(told, what) },
	})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]result.Figure{}
	for _, f := range figures {
		found[f.String()] = f
	}
	for _, situation := range []string{"h2/1KB/plain", "h2/50KB/gzip"} {
		for _, subject := range subjects {
			for _, name := range []string{
				"ladder " + situation + "/max " + subject + " req/s",
				"ladder " + situation + "/half/p50 " + subject + " ms",
				"ladder " + situation + "/half/p99 " + subject + " ms",
				"stream slow-page/first-byte " + subject + " records",
			} {
				f := found[name]
				if len(f.Rounds) != 2 || f.Median() <= 0 || !strings.HasPrefix(f.Command, "go run ./bench/harness -only ") {
					t.Errorf("%s: %v", name, f)
				}
			}
		}
	}
	if len(histograms) != 2*len(subjects) {
		t.Errorf("%d histograms", len(histograms))
	}
	if err := (result.Results{Schema: result.Schema, Figures: figures, Histograms: histograms}).Check(); err != nil {
		t.Error(err)
	}
	if len(told) < 10 {
		t.Errorf("told only %v", told)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	_, _, err := Run(t.Context(), Options{Binary: "no-such-program", Rounds: 1, Duration: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "make envoy build") {
		t.Errorf("got %v", err)
	}
	_, _, err = Run(t.Context(), Options{Only: []string{"ladder/h3"}})
	if err == nil || !strings.Contains(err.Error(), "ladder/h3") {
		t.Errorf("got %v", err)
	}
	t.Setenv("ENVOY", "/no/such/envoy")
	if _, _, err = Run(t.Context(), Options{Rounds: 1}); err == nil || !strings.Contains(err.Error(), "ENVOY") {
		t.Errorf("got %v", err)
	}
}

// An answer that is not the one expected is no answer to measure.
func TestAnswersAreJudged(t *testing.T) {
	codec, err := pseudonym.New(pseudonym.Config{Salt: salt, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPages(t.TempDir(), codec)
	if err != nil {
		t.Fatal(err)
	}
	page, err := p.make(pageName{medium, "gzip"})
	if err != nil {
		t.Fatal(err)
	}
	a := page.asked[0]
	found := addresses(a.body)
	if len(found) < 5 || page.bytes < 40_000 || page.bytes > 60_000 {
		t.Fatalf("%d addresses in %d bytes", len(found), page.bytes)
	}
	sanitized := a.body
	for _, address := range found {
		sanitized = bytes.ReplaceAll(sanitized, address, []byte("t~token@contoso.example"))
	}
	sanitized = bytes.ReplaceAll(sanitized, []byte(`"webLink"`), []byte(`"w"`))
	leaking := bytes.Replace(sanitized, []byte("t~token@contoso.example"), bytes.ToUpper(found[0]), 1)
	for name, test := range map[string]struct {
		subject string
		body    []byte
		want    string
	}{
		"sanitized":          {graphveil, sanitized, ""},
		"as it was":          {graphveil, a.body, "no pseudonym came"},
		"an address":         {graphveil, leaking, "an address came as it was"},
		"cut":                {graphveil, sanitized[:len(sanitized)-1], "not JSON"},
		"empty":              {graphveil, []byte(`{"value":[]}`), "ids came"},
		"compressed":         {graphveil, a.wire, "not JSON"},
		"passed on":          {noop, a.wire, ""},
		"passed on, cut":     {noop, a.wire[1:], "not the"},
		"passed on, changed": {alone, a.body, "not the"},
	} {
		err := a.judge(test.subject, test.body)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestRecordEnds(t *testing.T) {
	body := []byte(`{"a":1,"value":[{"id":1}, {"id":2,"x":[]},{}],"z":"]"}`)
	from, to, ends, err := recordEnds(body)
	if err != nil || len(ends) != 3 || ends[2] != to+1 {
		t.Fatalf("%d to %d, %v, %v", from, to, ends, err)
	}
	if got := string(body[from:to]); got != `{"id":1}, {"id":2,"x":[]},{}` {
		t.Errorf("records %s", got)
	}
	if got := string(body[from:ends[0]]); got != `{"id":1},` {
		t.Errorf("first record %s", got)
	}
	if _, _, _, err := recordEnds([]byte(`{"id":1}`)); err == nil {
		t.Error("a page without records was taken")
	}
}

func TestRotation(t *testing.T) {
	all := []string{"a", "b", "c"}
	got := ""
	for round := range 4 {
		got += strings.Join(rotated(all, round), "") + " "
	}
	if got != "abc bca cab abc " {
		t.Error(got)
	}
}

// A subject that refuses, or whose processor has gone, is not measured.
func TestFailuresEndTheRun(t *testing.T) {
	binary, err := envoy.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSite(t.Context(), binary, "", []pageName{smallPage})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	up, err := s.startRung(t.Context(), noop)
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	page := s.page(smallPage)
	lengths, err := s.check(t.Context(), up, page)
	if err != nil || len(lengths) != users {
		t.Fatalf("%d answers, %v", len(lengths), err)
	}
	r := &run{Options: Options{Rounds: 1, Duration: 50 * time.Millisecond}, site: s}
	r.rungs = map[string]*rung{noop: up}
	situation := situation{"h2", smallPage, false}
	measure := func(lengths map[string]int64) error {
		_, err := r.apply(t.Context(), &result.Table{}, "case", noop, load.Max, r.load(situation, page, up, lengths))
		return err
	}
	if err := measure(lengths); err != nil {
		t.Error(err)
	}
	for url := range lengths {
		lengths[url]++
	}
	if err := measure(lengths); err == nil || !strings.Contains(err.Error(), "not the length expected") {
		t.Errorf("bodies of another length: %v", err)
	}
	if err := up.processor.stop(); err != nil {
		t.Fatal(err)
	}
	if err := measure(lengths); err == nil || !strings.Contains(err.Error(), "noop has ended") {
		t.Errorf("no processor: %v", err)
	}
	if _, err := s.check(t.Context(), up, page); err == nil {
		t.Error("no processor, and the check passed")
	}
}
