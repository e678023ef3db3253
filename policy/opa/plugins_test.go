package opa_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/graphveil/graphveil/policy"
	"github.com/graphveil/graphveil/policy/opa"
	"github.com/graphveil/graphveil/policy/opa/opatest"
)

// TestBundle follows one bundle through its revisions, good and bad.
func TestBundle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start(opatest.BundleSection("main") + statusSection)
	r.wait("the bundle to be missed", func() bool {
		return strings.Contains(r.plugins.Ready().Error(), `bundle "main": server replied with Not Found`)
	})
	select {
	case <-r.engine.Loaded():
		t.Error("loaded without a policy")
	default:
	}
	if r.rejected() != 0 {
		t.Error("a bundle that is not there was counted as refused")
	}

	r.set("main", "v1", things("one"))
	r.loaded()
	if err := r.plugins.Ready(); err != nil || !r.serves("/one") {
		t.Errorf("the first bundle: %v", err)
	}
	first := r.engine.Current()
	if first.Bundles()["main"] != "v1" {
		t.Errorf("bundles %v", first.Bundles())
	}
	r.wait("the status of v1", r.status(`"active_revision":"v1"`))

	// The same files in another revision: only its name is new.
	r.set("main", "v2", things("one"))
	r.wait("v2", func() bool { return r.engine.Current().Bundles()["main"] == "v2" })
	if r.engine.Current().Revision() != first.Revision() || first.Bundles()["main"] != "v1" {
		t.Error("the same policy has another digest, or the old snapshot changed")
	}

	for _, bad := range []struct {
		what, says string
		file       []byte
	}{
		{"a broken reference", "shape.kep", opatest.Bundle(t, "bad", broken, r.key)},
		{"no connector", "there is no Rego file in the bundles", opatest.Bundle(t, "bad", "", r.key)},
		{"a package of the library", "has no meaning here", opatest.Bundle(t, "bad", strings.ReplaceAll(closed, "graphveil.custom", "graphveil.shape"), r.key)},
		{"another key", "failed to verify JWT signature", opatest.Bundle(t, "bad", things("evil"), opatest.NewKey(t))},
		{"no signature", "bundle missing .signatures.json file", opatest.Bundle(t, "bad", things("evil"), nil)},
		{"an unsigned delta", "delta bundles do not support signature verification", opatest.Delta(t, "bad", "/closed", false)},
		{"no bundle", "gzip", []byte("CANARY no gzip")},
	} {
		before := r.rejected()
		r.Set("main", bad.file)
		r.wait(bad.what+" in the status", r.status(bad.says))
		r.wait(bad.what+" to be counted", func() bool { return r.rejected() > before })
		if s := r.engine.Current(); !r.serves("/one") || s.Revision() != first.Revision() || s.Bundles()["main"] != "v2" {
			t.Errorf("%s replaced the policy in force", bad.what)
		}
		if !strings.Contains(r.Status(), `"active_revision":"v2"`) || !strings.Contains(r.log.String(), bad.says) {
			t.Errorf("%s: status %.1000s", bad.what, r.Status())
		}
	}

	r.set("main", "v3", things("three"))
	r.wait("v3", func() bool { return r.serves("/three") })
	r.SetDown(true)
	sent := r.Served("main")
	time.Sleep(1500 * time.Millisecond)
	r.SetDown(false)
	r.wait("the status of the failure", func() bool {
		return strings.Contains(r.Received(), "server replied with Service Unavailable")
	})
	if !r.serves("/three") || r.serves("/one") {
		t.Error("a server that is down changed the policy")
	}
	r.wait("the server to be asked again", r.status(`"active_revision":"v3"`))
	time.Sleep(1500 * time.Millisecond)
	if again := r.Served("main") - sent; again > 2 {
		t.Errorf("an unchanged bundle was sent %d times", again)
	}
}

// TestBeside: an author's bundle of denials beside the shipped connectors.
func TestBeside(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const path = "/v1.0/users"
	r.set("denials", "v1", closed, "graphveil/custom", "closed")
	r.start(opatest.BundleSection("denials"), policy.Builtin)
	r.loaded()
	if len(r.engine.Current().Endpoints()) < 50 || r.serves(path) {
		t.Fatal("the shipped connectors are not there, or nothing denies")
	}
	r.set("denials", "v2", strings.Replace(closed, "true}", "false}", 1), "graphveil/custom", "closed")
	r.wait("the denial to be gone", func() bool { return r.serves(path) })
}

// TestBundlesTogether: what a bundle allows is not in force before the one that
// denies it is there.
func TestBundlesTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.set("main", "m1", things("one"), "graphveil/connectors")
	r.start(opatest.BundleSection("main", "denials") + statusSection)
	r.wait("main", r.status(`"active_revision":"m1"`))
	r.wait("denials to be missed", func() bool {
		return strings.Contains(r.plugins.Ready().Error(), `no policy yet: bundle "denials": server replied with Not Found`)
	})
	if r.engine.Current() != nil {
		t.Error("one of two bundles is in force")
	}
	r.set("denials", "d1", closed, "graphveil/custom", "closed")
	r.loaded()
	if r.serves("/one") {
		t.Error("the denial is not in force")
	}
	if b := r.engine.Current().Bundles(); b["main"] != "m1" || b["denials"] != "d1" {
		t.Errorf("bundles %v", b)
	}
	r.set("denials", "d2", strings.Replace(closed, "true}", "false}", 1), "graphveil/custom", "closed")
	r.wait("the denial to be gone", func() bool { return r.serves("/one") })
	// Bundles that claim the same are refused by OPA.
	r.set("denials", "d3", closed, "graphveil")
	r.wait("the overlap", func() bool { return r.rejected() > 0 })
	if !r.serves("/one") {
		t.Error("an overlap changed the policy")
	}
}

// TestDiscovery: the bundles are named by a configuration that is a bundle itself.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	discovered := func(names ...string) string {
		var sections []string
		for _, name := range names {
			sections = append(sections, `"`+name+`": {"service": "control", "signing": {"keyid": "release"}, "polling": {"min_delay_seconds": 1, "max_delay_seconds": 1}}`)
		}
		return "-- data.json --\n" + `{"bundles": {` + strings.Join(sections, ", ") + `}, "status": {"service": "control"}}` + "\n"
	}
	unsigned := strings.ReplaceAll(discovered("main"), `"signing": {"keyid": "release"}, `, "")
	r.set("main", "m1", things("one"), "graphveil/connectors")
	r.set("denials", "d1", closed, "graphveil/custom", "closed")
	r.start("discovery: {service: control, resource: /bundles/config, signing: {keyid: release}, polling: {min_delay_seconds: 1, max_delay_seconds: 1}}\n" + statusSection)
	r.wait("discovery to be missed", func() bool {
		return strings.Contains(r.plugins.Ready().Error(), "discovery: server replied with Not Found")
	})
	r.set("config", "c1", unsigned)
	r.wait("a configuration without signatures to be refused", func() bool {
		return strings.Contains(r.plugins.Ready().Error(), "bundles.main: the bundle need not be signed")
	})
	r.set("config", "c2", discovered("main"))
	r.loaded()
	if !r.serves("/one") {
		t.Fatal("the discovered bundle is not in force")
	}
	r.set("config", "c3", discovered("main", "denials"))
	r.wait("the second bundle", func() bool { return !r.serves("/one") })
	r.set("config", "c4", discovered("main"))
	r.wait("the second bundle to be gone", func() bool { return r.serves("/one") })
	if b := r.engine.Current().Bundles(); len(b) != 1 {
		t.Errorf("bundles %v", b)
	}
	// What is left must be a policy too, or the last one stays.
	r.set("config", "c5", discovered("main", "denials"))
	r.wait("the second bundle again", func() bool { return !r.serves("/one") })
	r.set("denials", "d2", strings.Replace(closed, "true}", "false}", 1), "graphveil/custom", "closed")
	r.wait("the denial to be gone", func() bool { return r.serves("/one") })
	before := r.rejected()
	r.set("config", "c6", discovered("denials"))
	r.wait("the loss of the connector to be refused", func() bool { return r.rejected() > before })
	if !r.serves("/one") || !strings.Contains(r.log.String(), "policy not reloaded, the old one stays in force") {
		t.Error("a policy without its connector is in force")
	}
}

// TestUnreachable: nobody answers at the start. Readiness says so, without the query of
// the URL, where signatures of links are; nothing was refused.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Close()
	section := strings.Replace(opatest.BundleSection("main"), "service: control", "service: control\n    resource: /bundles/main?sig=CANARY", 1)
	r.start(section)
	r.wait("the server to be missed", func() bool {
		return strings.Contains(r.plugins.Ready().Error(), "connection refused")
	})
	if r.engine.Current() != nil || r.rejected() != 0 {
		t.Error("there is a policy, or one was refused")
	}
	if said := r.plugins.Ready().Error(); !strings.Contains(said, r.URL+"/bundles/main?…") || strings.Contains(said+r.log.String(), "CANARY") {
		t.Errorf("readiness says %s", said)
	}
}

// TestFile: a signed bundle file in a ConfigMap volume, that is there late, changes by
// the swap of a link, and is refused if another key signed it.
func TestFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	volume := t.TempDir()
	file := filepath.Join(volume, "policy.tar.gz")
	swap := func(version string, content []byte) {
		t.Helper()
		publish(t, volume, ".."+version, "..data", content)
	}
	r.start("bundles: {main: {resource: 'file://" + file + "', signing: {keyid: release}}}\n" + statusSection)
	r.wait("the file to be missed", func() bool { return strings.Contains(r.plugins.Ready().Error(), "no such file") })
	swap("1", opatest.Bundle(t, "v1", things("one"), r.key))
	if err := os.Symlink("..data/policy.tar.gz", file); err != nil {
		t.Fatal(err)
	}
	r.loaded()
	swap("2", opatest.Bundle(t, "v2", things("two"), r.key))
	r.wait("the second version", func() bool { return r.serves("/two") })
	before := r.rejected()
	swap("3", opatest.Bundle(t, "v3", things("evil"), opatest.NewKey(t)))
	r.wait("the third version to be refused", func() bool { return r.rejected() > before })
	r.wait("its status", r.status("failed to verify JWT signature"))
	if !r.serves("/two") {
		t.Error("a file of another key is in force")
	}
}

// publish puts a bundle file into a new folder and makes a link lead there, in one step.
func publish(t *testing.T, at, folder, link string, file []byte) {
	t.Helper()
	for _, step := range []error{
		os.Mkdir(filepath.Join(at, folder), 0o700),
		os.WriteFile(filepath.Join(at, folder, "policy.tar.gz"), file, 0o600),
		os.Symlink(folder, filepath.Join(at, "..next")),
		os.Rename(filepath.Join(at, "..next"), filepath.Join(at, link)),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
}

// TestFileBehindLink: a signed bundle file in what git-sync publishes, by a link above it
// that is there late. Of the version before nothing tells that it is old.
func TestFileBehindLink(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	git := t.TempDir()
	commit := func(name string, file []byte) {
		t.Helper()
		publish(t, git, name, "current", file)
	}
	section := "bundles: {main: {resource: 'file://" + filepath.Join(git, "current", "policy.tar.gz") + "', signing: {keyid: release}}}\n"
	commit("v1", opatest.Bundle(t, "v1", things("one"), r.key))
	r.start(section)
	r.loaded()
	for _, name := range []string{"two", "three"} {
		commit(name, opatest.Bundle(t, name, things(name), r.key))
		r.wait(name, func() bool { return r.serves("/" + name) })
	}
	// One that says to be huge takes nothing down that reads it.
	before := r.rejected()
	commit("bomb", claims(t, 1<<60))
	r.wait("the bomb to be refused", func() bool { return r.rejected() > before })
	commit("four", opatest.Bundle(t, "four", things("four"), r.key))
	r.wait("four", func() bool { return r.serves("/four") })
	// The folder that the link leads to now is watched as well.
	if err := os.WriteFile(filepath.Join(git, "four", "policy.tar.gz"), opatest.Bundle(t, "five", things("five"), r.key), 0o600); err != nil {
		t.Fatal(err)
	}
	r.wait("five", func() bool { return r.serves("/five") })

	commit("bombs", claims(t, 1<<60))
	file := filepath.Join(t.TempDir(), "opa.yaml")
	if err := os.WriteFile(file, []byte(r.Config(r.key, section)), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := opa.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := opa.New(t.Context(), config, r.engine, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "bundles.main: the bundle has more than") {
		t.Errorf("started with a bomb: %v", err)
	}
}

// TestPersisted: a bundle that was kept on disk is verified again when it is loaded
// while the server is down.
func TestPersisted(t *testing.T) {
	folder := t.TempDir()
	section := opatest.BundleSection("main") + "    persist: true\npersistence_directory: " + folder + "\n"
	t.Run("kept", func(t *testing.T) {
		r := newRig(t)
		r.set("main", "v1", things("one"))
		r.start(section)
		r.loaded()
		r.wait("the file", func() bool {
			_, err := os.Stat(filepath.Join(folder, "bundles/main/bundle.tar.gz"))
			return err == nil
		})
		again := newRig(t)
		again.key = r.key
		again.SetDown(true)
		again.start(section)
		again.loaded()
		if !again.serves("/one") {
			t.Error("the bundle on disk is not in force")
		}
	})
	t.Run("other key", func(t *testing.T) {
		r := newRig(t)
		r.SetDown(true)
		r.start(section)
		r.wait("the server to be missed", func() bool { return strings.Contains(r.plugins.Ready().Error(), "Service Unavailable") })
		if r.engine.Current() != nil || !strings.Contains(r.log.String(), "failed to verify JWT signature") {
			t.Error("a bundle on disk that this key did not sign is in force")
		}
	})
	t.Run("no disk", func(t *testing.T) {
		r := newRig(t)
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		r.set("main", "v1", things("one"))
		r.start(strings.Replace(section, folder, file, 1))
		r.loaded()
		r.wait("the disk to be missed", func() bool { return strings.Contains(r.log.String(), "Persisting bundle to disk failed") })
		r.set("main", "v2", things("two"))
		r.wait("another bundle", func() bool { return r.serves("/two") })
		if r.rejected() != 0 {
			t.Error("a bundle that cannot be kept is counted as refused")
		}
		r.set("main", "bad", broken)
		r.wait("a bad one to be refused", func() bool { return r.rejected() > 0 })
		if !r.serves("/two") {
			t.Error("a bad bundle is in force")
		}
	})
}
