package opa_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// TestHostileServer: a server can keep a policy from changing, and nothing else. The
// last good one stays in force through all of it, and a new good one is taken after.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var answer atomic.Pointer[http.HandlerFunc]
	var seen sync.Map
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		seen.Store("redirected "+q.Header.Get("Authorization"), true)
		_, _ = w.Write(opatest.Bundle(t, "evil", things("evil"), opatest.NewKey(t)))
	}))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { (*answer.Load())(w, q) }))
	defer server.Close()
	var asked atomic.Int64
	set := func(f http.HandlerFunc) {
		asked.Store(0)
		counted := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			f(w, q)
			asked.Add(1)
		})
		answer.Store(&counted)
	}
	serve := func(etag string, file []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", etag)
			_, _ = w.Write(file)
		}
	}
	good := opatest.Bundle(t, "v1", things("one"), r.key)
	set(serve("same", good))
	config := strings.Replace(r.Config(r.key, opatest.BundleSection("main")), r.URL, server.URL, 1)
	r.startWith(config)
	r.loaded()

	release := make(chan struct{})
	defer close(release)
	evil := opatest.Bundle(t, "evil", things("evil"), opatest.NewKey(t))
	for what, f := range map[string]http.HandlerFunc{
		"another bundle by the same ETag": serve("same", evil),
		"not modified for ever":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"nothing":                         func(http.ResponseWriter, *http.Request) {},
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			_, _ = w.Write(good[:len(good)/2])
		},
		"a redirect to another host": func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
		},
		"redirects without end": func(w http.ResponseWriter, q *http.Request) { http.Redirect(w, q, q.URL.Path, http.StatusFound) },
		"an empty archive":      serve("", nil),
	} {
		set(f)
		r.wait(what, func() bool { return asked.Load() >= 1 })
		time.Sleep(50 * time.Millisecond)
		if s := r.engine.Current(); !r.serves("/one") || s.Bundles()["main"] != "v1" {
			t.Errorf("%s changed the policy", what)
		}
	}
	if _, there := seen.Load("redirected "); !there {
		t.Error("no redirect was followed: this shows nothing")
	}
	if _, there := seen.Load("redirected Bearer " + opatest.Token); there {
		t.Error("the token went to another host")
	}
	set(serve("new", opatest.Bundle(t, "v2", things("two"), r.key)))
	r.wait("a good bundle after all that", func() bool { return r.serves("/two") })

	// A body that never ends: nothing is in force of it, and stopping does not wait.
	set(func(w http.ResponseWriter, q *http.Request) {
		_, _ = w.Write(good[:len(good)/2])
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-q.Context().Done():
		}
	})
	time.Sleep(1200 * time.Millisecond)
	stopping := time.Now()
	r.stop()
	if took := time.Since(stopping); took > 4*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if !r.serves("/two") {
		t.Error("half a body changed the policy")
	}
}

// TestReloadsLeaveNothing: many revisions leave no goroutine and no memory behind, and
// a folder in which somebody writes without end is read all the same.
func TestReloadsLeaveNothing(t *testing.T) {
	r := newRig(t)
	folder := t.TempDir()
	file := filepath.Join(folder, "policy.tar.gz")
	put := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "next"+name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(folder, "next"+name), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	version := func(n int) {
		t.Helper()
		name := fmt.Sprintf("v%d", n)
		put("policy.tar.gz", opatest.Bundle(t, name, things(name), r.key))
		r.wait(name, func() bool { return r.serves("/" + name) })
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				_ = os.WriteFile(filepath.Join(folder, "other"), []byte(fmt.Sprint(n)), 0o600)
			}
		}
	})
	r.start("bundles: {main: {resource: 'file://" + file + "', signing: {keyid: release}}}\n")
	version(0) // may be there when the folder is first read
	version(1)
	close(stop)
	writing.Wait()
	used := func() (int, uint64) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	version(2)
	goroutines, heap := used()
	for n := 3; n < 9; n++ {
		version(n)
	}
	r.wait("goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	if _, now := used(); now > heap+4<<20 {
		t.Errorf("6 revisions left %d kB", (now-heap)>>10)
	}
}
