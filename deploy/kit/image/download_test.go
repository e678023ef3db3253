package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStore gives a store the pinned file, another one, and none: only the pinned one
// is used, whether it was downloaded or put there, and errors say what to do.
func TestStore(t *testing.T) {
	sum := sha256.Sum256([]byte("right"))
	pin := pinned{file: "package", sha256: hex.EncodeToString(sum[:]), url: "https://packages.example/package"}
	put := func(text string) func(string) error {
		return func(folder string) error {
			return os.WriteFile(filepath.Join(folder, pin.file), []byte(text), 0o644)
		}
	}
	never := func(string) error {
		t.Error("downloaded what is there")
		return nil
	}
	for _, c := range []struct {
		name     string
		there    string // in the store before
		download func(folder string) error
		want     string // in the error
	}{
		{"downloaded", "", put("right"), ""},
		{"there", "right", never, ""},
		{"another is downloaded", "", put("wrong"), "not the pinned file"},
		{"another is there", "wrong", never, "hint: remove it"},
		{"offline", "", func(string) error { return errors.New("no network") }, "hint: put the file into"},
		{"nothing comes of it", "", func(string) error { return nil }, "hint: put the file into"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := store(filepath.Join(t.TempDir(), "store"))
			if c.there != "" {
				if err := os.MkdirAll(string(s), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := put(c.there)(string(s)); err != nil {
					t.Fatal(err)
				}
			}
			path, err := s.get(pin, c.download)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || c.there == "" && !strings.Contains(err.Error(), pin.sha256) {
					t.Errorf("%v", err)
				}
				if _, gone := os.Stat(filepath.Join(string(s), pin.file)); c.there == "" && gone == nil {
					t.Error("it is kept")
				}
				return
			}
			if text, read := os.ReadFile(path); err != nil || read != nil || string(text) != "right" {
				t.Errorf("%q, %v, %v", text, err, read)
			}
			if left, _ := os.ReadDir(string(s)); len(left) != 1 {
				t.Errorf("left in the store: %v", left)
			}
		})
	}
}
