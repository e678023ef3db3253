package main

import (
	"bytes"
	"debug/buildinfo"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
)

// authoritiesModule is where authorities come from; its version is the kit's.
const authoritiesModule = "golang.org/x/crypto/x509roots/fallback"

// bill is the bill of materials of an image: the modules that the binary says it is
// made of, the Go release, the authorities, and with Envoy the pinned packages.
func bill(src source, arch, binary string, withEnvoy bool) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var parts []cdx.Component
	add := func(kind cdx.ComponentType, p *packageurl.PackageURL, sha256 string) {
		c := cdx.Component{BOMRef: p.ToString(), Type: kind, Name: strings.Trim(p.Namespace+"/"+p.Name, "/"), Version: p.Version, PackageURL: p.ToString()}
		if sha256 != "" {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sha256}}
		}
		parts = append(parts, c)
	}
	add(cdx.ComponentTypeLibrary, goPackage("std", strings.TrimPrefix(info.GoVersion, "go")), "")
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		add(cdx.ComponentTypeLibrary, goPackage(m.Path, m.Version), "")
	}
	if own, ok := debug.ReadBuildInfo(); ok {
		for _, m := range own.Deps {
			if m.Path == authoritiesModule {
				add(cdx.ComponentTypeData, goPackage(m.Path, m.Version), "")
			}
		}
	}
	if withEnvoy {
		add(cdx.ComponentTypeApplication, packageurl.NewPackageURL(packageurl.TypePyPi, "", envoyPackage, envoyVersion, nil, ""), envoyWheels[arch].sha256)
		add(cdx.ComponentTypeLibrary, packageurl.NewPackageURL(packageurl.TypeDebian, "debian", "libc6", libcVersion,
			packageurl.QualifiersFromMap(map[string]string{"arch": arch, "distro": libcSuite}), ""), libcPackages[arch].sha256)
	}

	main := goPackage(info.Main.Path, src.version)
	doc := cdx.NewBOM()
	doc.Metadata = &cdx.Metadata{
		Timestamp: src.created.Format("2006-01-02T15:04:05Z"),
		Component: &cdx.Component{BOMRef: main.ToString(), Type: cdx.ComponentTypeApplication, Name: info.Main.Path, Version: src.version, PackageURL: main.ToString(),
			Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}},
	}
	var refs []string
	for _, c := range parts {
		refs = append(refs, c.BOMRef)
	}
	doc.Components = &parts
	doc.Dependencies = &[]cdx.Dependency{{Ref: main.ToString(), Dependencies: &refs}}
	var out bytes.Buffer
	err = cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(doc)
	return out.Bytes(), err
}

// goPackage names a Go module, whose path is namespace and name.
func goPackage(path, version string) *packageurl.PackageURL {
	namespace, name := "", path
	if i := strings.LastIndex(path, "/"); i >= 0 {
		namespace, name = path[:i], path[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, version, nil, "")
}
