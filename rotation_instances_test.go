package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/graphveil/graphveil/extproc/pseudonym"
	"github.com/graphveil/graphveil/internal/testlog"
)

// understands says whether what an instance makes, another can reveal and open.
func understands(t *testing.T, maker, reader *derived) bool {
	t.Helper()
	binding := pseudonym.Binding{Connector: "c", Endpoint: "e"}
	token := maker.codec.AppendReversible(nil, []byte("alice@example.com"))
	revealed, ok := reader.codec.AppendReveal(nil, token)
	link, sealed := maker.links.AppendSeal(nil, []byte("/v1.0/users?x"), binding)
	target, opened := reader.links.AppendOpen(nil, link, binding)
	if ok != opened || !sealed || ok && (string(revealed) != "alice@example.com" || string(target) != "/v1.0/users?x") {
		t.Errorf("revealed %q %v, opened %q %v %v", revealed, ok, target, sealed, opened)
	}
	return ok && opened
}

// TestInstancesInDifferentSteps goes through the steps of docs/rotation.md, there and
// back, with two instances of which one is a step ahead: what either makes, the other
// understands, whichever a client asks next. And a running processor takes each step.
func TestInstancesInDifferentSteps(t *testing.T) {
	t.Parallel()
	step := func(key, previous string) *derived {
		s := secrets{codec: pseudonym.Config{Salt: "a salt of some length", Key: key, PreviousKeys: []string{previous}}}
		d, err := s.derive()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	steps := []*derived{step("old", "any"), step("old", "new"), step("new", "old"), step("new", "new")}
	for _, pair := range [][2]int{{0, 1}, {1, 2}, {2, 3}, {1, 0}, {2, 1}} { // the last two are the ways back
		from, to := steps[pair[0]], steps[pair[1]]
		if why := to.secrets.replaces(from.secrets); why != nil {
			t.Errorf("from step %d to %d: %s", pair[0], pair[1], why.code)
		}
		if !understands(t, from, to) && pair != [2]int{2, 3} || !understands(t, to, from) {
			t.Errorf("in steps %d and %d instances do not understand each other", pair[0], pair[1])
		}
	}
	// Why no step is left out: an instance that is behind does not know the new key.
	if understands(t, steps[2], steps[0]) {
		t.Error("step 1 is not needed")
	}
	// In step 3 an old token is worthless, which is what the step is for.
	if understands(t, steps[1], steps[3]) {
		t.Error("the old key is still understood at the end")
	}
}

// keysRig is a reloader of files in a folder.
type keysRig struct {
	t        *testing.T
	dir      string
	reloader *keyReloader
	logs     *testlog.Buffer
}

func newKeysRig(t *testing.T, config func(dir string) PseudonymConfig) *keysRig {
	t.Helper()
	k := &keysRig{t: t, dir: t.TempDir(), logs: &testlog.Buffer{}}
	c := config(k.dir)
	keys, err := c.keys()
	if err != nil {
		t.Fatal(err)
	}
	keys.identify()
	k.reloader = newKeyReloader(c, keys, func(*pseudonym.Codec, *pseudonym.Links) {}, slog.New(slog.NewJSONHandler(k.logs, nil)), prometheus.NewRegistry())
	return k
}

func (k *keysRig) write(name, text string) string {
	k.t.Helper()
	file := filepath.Join(k.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		k.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return file
}

func (k *keysRig) count(result string) int {
	return int(testutil.ToFloat64(k.reloader.total.WithLabelValues(result)))
}

// Whoever mends a mistake by another one is told that, too; files that stay as they are
// are not told again and again.
func TestEachMistakeIsTold(t *testing.T) {
	t.Parallel()
	var k *keysRig
	k = newKeysRig(t, func(dir string) PseudonymConfig {
		k = &keysRig{t: t, dir: dir}
		return PseudonymConfig{SaltFile: k.write("salt", "salt"), KeyFile: k.write("key", "old"), PreviousKeyFiles: []string{k.write("previous", "any")}}
	})
	for i, change := range []struct{ name, text, code string }{
		{"key", "new", "key_dropped"},
		{"key", "newer", "key_dropped"},
		{"previous", "", "key_unreadable"},
		{"key", "", "key_unreadable"},
		{"salt", "other", "key_unreadable"},
	} {
		k.write(change.name, change.text)
		before := k.count("rejected")
		for range 3 {
			k.reloader.reload()
		}
		told := 1
		if i == 4 { // the key is still what cannot be read first: nothing new to tell
			told = 0
		}
		if got := k.count("rejected") - before; got != told || !strings.Contains(k.logs.String(), change.code) {
			t.Errorf("%v: told %d times, want %d", change, got, told)
		}
	}
	k.write("salt", "salt")
	k.write("previous", "any")
	k.write("key", "old")
	k.reloader.reload()
	k.write("key", "new")
	k.reloader.reload()
	if k.count("rejected") != 5 || k.count("ok") != 0 {
		t.Errorf("after it was good again: %d rejected, %d ok", k.count("rejected"), k.count("ok"))
	}
	if log := k.logs.String(); strings.Contains(log, "newer") {
		t.Error("a key is in the log")
	}
}

// TestKeysBehindALink change where no event tells it: a folder above them is a link that
// is swapped, and the old folder stays.
func TestKeysBehindALink(t *testing.T) {
	t.Parallel()
	var k *keysRig
	k = newKeysRig(t, func(dir string) PseudonymConfig {
		k = &keysRig{t: t, dir: dir}
		for _, release := range []string{"1", "2"} {
			k.write("releases/"+release+"/salt", "salt")
		}
		k.write("releases/1/key", "old")
		k.write("releases/1/previous", "any")
		k.write("releases/2/key", "new")
		k.write("releases/2/previous", "old")
		if err := os.Symlink("releases/1", filepath.Join(dir, "current")); err != nil {
			t.Fatal(err)
		}
		at := func(name string) string { return filepath.Join(dir, "current", name) }
		return PseudonymConfig{SaltFile: at("salt"), KeyFile: at("key"), PreviousKeyFiles: []string{at("previous")}}
	})
	k.reloader.poll = 20 * time.Millisecond
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- k.reloader.watch(ctx) }()
	time.Sleep(100 * time.Millisecond)
	if err := os.Symlink("releases/2", filepath.Join(k.dir, "next")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(k.dir, "next"), filepath.Join(k.dir, "current")); err != nil {
		t.Fatal(err)
	}
	wait(t, "the keys behind the link", func() bool { return k.count("ok") == 1 })
	cancel()
	if err := <-ended; err == nil {
		t.Error("the watch ended without its cause")
	}
	if k.count("rejected") != 0 {
		t.Error(k.logs)
	}
}

// Instances are compared by ids, which change with the salt, or with salt or key, and
// tell neither.
func TestIDsOfSaltAndKey(t *testing.T) {
	t.Parallel()
	idsOf := func(salt, key string, links ...[]byte) ids {
		d, err := secrets{codec: pseudonym.Config{Salt: salt, Key: key}, links: links}.derive()
		if err != nil {
			t.Fatal(err)
		}
		d.identify()
		return d.ids
	}
	a := idsOf("salt", "key")
	if a != idsOf("salt", "key") || len(a.salt) != 8 || len(a.key) != 8 || a.salt == a.key {
		t.Errorf("got %+v", a)
	}
	if b := idsOf("salt", "other"); b.salt != a.salt || b.key == a.key {
		t.Errorf("another key: %+v, before %+v", b, a)
	}
	if b := idsOf("pepper", "key"); b.salt == a.salt || b.key == a.key {
		t.Errorf("another salt: %+v, before %+v", b, a)
	}
	if b := idsOf("salt", "key", make([]byte, pseudonym.LinkKeySize)); b != a {
		t.Errorf("keys of links change the ids: %+v, before %+v", b, a)
	}
	l := newLab(t, nil)
	r := l.start()
	want := idsOf(labSalt, labKey)
	if _, metrics := get(t, r.adminURL+"/metrics"); !strings.Contains(metrics, fmt.Sprintf("graphveil_pseudonyms_info{key_id=%q,salt_id=%q} 1\n", want.key, want.salt)) {
		t.Error("the metrics lack the ids of salt and key")
	}
	if log := linesWith(r.logs.String(), "processor listening"); !strings.Contains(log, `"salt_id":"`+want.salt+`","key_id":"`+want.key+`"`) {
		t.Errorf("the log lacks the ids of salt and key: %s", log)
	}
}
