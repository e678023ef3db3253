package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// sbomType is the media type of CycloneDX.
const sbomType types.MediaType = "application/vnd.cyclonedx+json"

// write leaves in a folder an OCI layout of the image, named as the image, and
// beside it, for each architecture, an archive that engines load, and the bill of
// materials. It returns the digest of the index.
func (b built) write(out string) (v1.Hash, error) {
	index, err := b.index()
	if err != nil {
		return v1.Hash{}, err
	}
	folder := filepath.Join(out, b.name)
	stale, err := filepath.Glob(folder + "-linux-*") // of another version, for other architectures
	if err != nil {
		return v1.Hash{}, err
	}
	for _, made := range append(stale, folder) {
		if err := os.RemoveAll(made); err != nil {
			return v1.Hash{}, err
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return v1.Hash{}, err
	}
	l, err := layout.Write(folder, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return v1.Hash{}, err
	}
	if err := l.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": b.tag()})); err != nil {
		return v1.Hash{}, err
	}
	tag, err := name.NewTag(b.name + ":" + b.tag())
	if err != nil {
		return v1.Hash{}, err
	}
	for _, p := range b.platforms {
		base := folder + "-linux-" + p.arch
		if err := tarball.WriteToFile(base+".tar", tag, p.image); err != nil {
			return v1.Hash{}, err
		}
		if err := os.WriteFile(base+".cdx.json", p.sbom, 0o644); err != nil {
			return v1.Hash{}, err
		}
	}
	return index.Digest()
}

// tag is the version, in the characters that a tag may have.
func (b built) tag() string { return strings.ReplaceAll(b.source.version, "+", "-") }

// index has the image of each architecture and the bill of materials of each. The
// latter refers to its image, so registries list it among the image's referrers,
// and is of no platform that an engine would choose.
func (b built) index() (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range b.platforms {
		digest, err := partial.Descriptor(p.image)
		if err != nil {
			return nil, err
		}
		sbom, err := p.referrer(*digest)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index,
			mutate.IndexAddendum{Add: p.image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p.arch}}},
			mutate.IndexAddendum{Add: sbom, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}, ArtifactType: string(sbomType)}})
	}
	return mutate.Annotations(index, b.source.labels(b.name)).(v1.ImageIndex), nil
}

// referrer is the bill of materials as an artifact that refers to the image.
func (p platform) referrer(subject v1.Descriptor) (v1.Image, error) {
	artifact, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(p.sbom, sbomType))
	if err != nil {
		return nil, err
	}
	return mutate.Subject(mutate.ConfigMediaType(artifact, sbomType), subject).(v1.Image), nil
}
