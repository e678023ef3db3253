package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// TestRegistry writes the image, pushes what was written to a registry as any
// client would, and gets it back by architecture, with its bill of materials.
func TestRegistry(t *testing.T) {
	all, err := images()
	if err != nil {
		t.Fatal(err)
	}
	b, out := all[0], t.TempDir()
	written, err := b.write(out)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := layout.ImageIndexFromPath(out + "/" + b.name)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := whole.IndexManifest()
	if err != nil || len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest != written {
		t.Fatalf("%v, %v", manifest, err)
	}
	index, err := whole.ImageIndex(written)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/" + b.name + ":" + b.tag())
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	for _, p := range b.platforms {
		pulled, err := remote.Image(ref, remote.WithPlatform(v1.Platform{OS: "linux", Architecture: p.arch}))
		if err != nil {
			t.Fatal(err)
		}
		if digest(t, pulled) != digest(t, p.image) {
			t.Errorf("%s: another image than was built", p.arch)
		}
		referrers, err := remote.Referrers(ref.Context().Digest(digest(t, p.image).String()))
		if err != nil {
			t.Fatal(err)
		}
		found, err := referrers.IndexManifest()
		if err != nil || len(found.Manifests) != 1 || found.Manifests[0].ArtifactType != string(sbomType) {
			t.Fatalf("%s: referrers %+v, %v", p.arch, found, err)
		}
		artifact, err := remote.Image(ref.Context().Digest(found.Manifests[0].Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		layers, err := artifact.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatal(layers, err)
		}
		r, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		beside, err := os.ReadFile(out + "/" + b.name + "-linux-" + p.arch + ".cdx.json")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, p.sbom) || !bytes.Equal(beside, p.sbom) {
			t.Errorf("%s: another bill of materials: %v", p.arch, err)
		}
		loaded, err := tarball.ImageFromPath(out+"/"+b.name+"-linux-"+p.arch+".tar", nil)
		if err != nil {
			t.Fatal(err)
		}
		if config, err := loaded.ConfigFile(); err != nil || config.Architecture != p.arch || config.Config.User != "65532:65532" {
			t.Errorf("%s: the archive has %+v, %v", p.arch, config, err)
		}
	}
}
