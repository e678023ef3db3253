package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"testing"
)

// readShared reads a file of ../shared: facts and conformance data, which lie
// beside the repository. It skips the test only where the folder is not there.
func readShared(t *testing.T, path string) []byte {
	t.Helper()
	if _, err := os.Stat("../shared"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared is not beside this checkout")
	}
	text, err := os.ReadFile("../shared/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// readSharedLines decodes a file of ../shared with a JSON text on each line.
func readSharedLines[T any](t *testing.T, path string) []T {
	t.Helper()
	text := readShared(t, path)
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	var all []T
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatalf("%s, line %d: %v", path, len(all)+1, err)
		}
		all = append(all, v)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%s: %d lines, %v", path, len(all), err)
	}
	return all
}

// psoxyDocument is a line of conformance/documents.jsonl: a response, and what
// Psoxy makes of it.
type psoxyDocument struct {
	ID, Variant, Method, URL string
	Original                 json.RawMessage
	Psoxy                    struct {
		Allowed bool
		Body    json.RawMessage
	}
}

func readDocuments(t *testing.T) []psoxyDocument {
	t.Helper()
	return readSharedLines[psoxyDocument](t, "conformance/documents.jsonl")
}
