package entra

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestProjectedTokenIsNeverSeenInPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens", "azure-identity-token")
	write := func() {
		t.Helper()
		if err := testIssuer().WriteProjectedToken(path, subject, Audience, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	write()
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			// A folder may go away between resolving the link and opening: the kubelet's volumes have the same window.
			if token, err := os.ReadFile(path); err == nil && strings.Count(string(token), ".") != 2 {
				t.Errorf("read a part of a token: %d bytes", len(token))
				return
			}
		}
	})
	for range 20 {
		write()
	}
	close(stop)
	reader.Wait()

	last, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(first) == string(last) {
		t.Error("the token was not replaced")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 { // the link, ..data, and one folder
		t.Errorf("%d entries left in the volume: %v", len(entries), entries)
	}
}
