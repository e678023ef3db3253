package sanitize

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharedFile opens a file of the shared conformance data, which lies beside the
// repository. Without that folder the test is skipped.
func sharedFile(t *testing.T, name string) *os.File {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			t.Fatal("no go.mod above the test")
		}
		root = up
	}
	shared := filepath.Join(root, "..", "shared")
	if _, err := os.Stat(shared); errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared is absent: the conformance data is not here")
	}
	f, err := os.Open(filepath.Join(shared, "conformance", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func eachLine(t *testing.T, f *os.File, do func(line []byte)) {
	t.Helper()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		do(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// The num-* vectors show the text that Psoxy gives a number.
func TestNumberVectors(t *testing.T) {
	tested := 0
	eachLine(t, sharedFile(t, "vectors.jsonl"), func(line []byte) {
		var v struct{ ID, Input, Output string }
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(v.ID, "num-") {
			return
		}
		number := func(body string) string {
			return strings.Trim(strings.TrimSuffix(strings.TrimPrefix(body, `{"v":`), `}`), `"`)
		}
		tested++
		if got, want := string(appendNumberText(nil, []byte(number(v.Input)))), number(v.Output); got != want {
			t.Errorf("%s: text of %s = %s, want %s", v.ID, number(v.Input), got, want)
		}
	})
	if tested < 10 {
		t.Errorf("%d vectors tested", tested)
	}
}

// Graph documents with every documented property, by random plans, in pieces.
func TestConformanceDocuments(t *testing.T) {
	tested := 0
	r := New(Limits{})
	eachLine(t, sharedFile(t, "documents.jsonl"), func(line []byte) {
		var v struct {
			ID       string
			Original json.RawMessage
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if len(v.Original) > 0 && v.Original[0] == '"' {
			var text string
			if err := json.Unmarshal(v.Original, &text); err != nil {
				t.Fatal(err)
			}
			v.Original = json.RawMessage(text)
		}
		tested++
		rng := newRand(uint64(tested))
		for range 5 {
			p := randomPlan(rng, v.Original)
			checkOracle(t, p, v.Original, deliver(t, r, p, v.Original, randomCuts(rng, len(v.Original))...))
		}
		if p, ok := keepAllPlan(v.Original); ok {
			d := deliver(t, r, p, v.Original, every(len(v.Original), 1)...)
			checkOracle(t, p, v.Original, d)
		}
	})
	if tested < 10 {
		t.Errorf("%d documents tested", tested)
	}
}
