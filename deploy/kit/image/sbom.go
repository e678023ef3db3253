package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/package-url/packageurl-go"
)

// authoritiesModule is where authorities come from; its version is the kit's.
const authoritiesModule = "golang.org/x/crypto/x509roots/fallback"

// bill is the bill of materials of an image: the modules that the binary says it is
// made of, the Go release, the authorities, and with Envoy what it came in, what it is
// called where vulnerabilities are, and the C library.
func bill(src source, arch, binary string, modules []module, withEnvoy bool) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	licenses := map[string][]string{}
	for _, m := range modules {
		licenses[m.path] = m.licenses
	}
	var parts []cdx.Component
	add := func(kind cdx.ComponentType, p *packageurl.PackageURL, sha256 string, licenses ...string) *cdx.Component {
		c := cdx.Component{BOMRef: p.ToString(), Type: kind, Name: strings.Trim(p.Namespace+"/"+p.Name, "/"), Version: p.Version, PackageURL: p.ToString(), Licenses: licensed(licenses)}
		if sha256 != "" {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sha256}}
		}
		parts = append(parts, c)
		return &parts[len(parts)-1]
	}
	add(cdx.ComponentTypeLibrary, goPackage("std", strings.TrimPrefix(info.GoVersion, "go")), "", licenses["std"]...)
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if len(licenses[m.Path]) == 0 {
			return nil, fmt.Errorf("the binary has the module %s, the list of its packages has not", m.Path)
		}
		add(cdx.ComponentTypeLibrary, goPackage(m.Path, m.Version), "", licenses[m.Path]...)
	}
	if own, ok := debug.ReadBuildInfo(); ok {
		for _, m := range own.Deps {
			if m.Path == authoritiesModule {
				add(cdx.ComponentTypeData, goPackage(m.Path, m.Version), "", "BSD-3-Clause", "MPL-2.0") // the module, and Mozilla's list
			}
		}
	}
	if withEnvoy {
		wheel := packageurl.NewPackageURL(packageurl.TypePyPi, "", envoyPackage, envoyVersion, nil, "")
		add(cdx.ComponentTypeFile, wheel, envoyWheels[arch].sha256, "MIT")
		envoy := add(cdx.ComponentTypeApplication, packageurl.NewPackageURL(packageurl.TypeGithub, "envoyproxy", "envoy", "v"+envoyVersion, nil, ""), "", "Apache-2.0")
		envoy.CPE = "cpe:2.3:a:envoyproxy:envoy:" + envoyVersion + ":*:*:*:*:*:*:*"
		add(cdx.ComponentTypeLibrary, packageurl.NewPackageURL(packageurl.TypeDebian, "debian", "libc6", libcVersion,
			packageurl.QualifiersFromMap(map[string]string{"arch": arch, "distro": libcSuite}), ""), libcPackages[arch].sha256, "LGPL-2.1-or-later")
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
	err = cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(doc, cdx.SpecVersion1_6) // more tools read it than 1.7
	return out.Bytes(), err
}

// licensed is a component's licences, all of which apply.
func licensed(ids []string) *cdx.Licenses {
	if len(ids) == 1 {
		return &cdx.Licenses{{License: &cdx.License{ID: ids[0]}}}
	}
	return &cdx.Licenses{{Expression: strings.Join(ids, " AND ")}}
}

// goPackage names a Go module, whose path is namespace and name.
func goPackage(path, version string) *packageurl.PackageURL {
	namespace, name := "", path
	if i := strings.LastIndex(path, "/"); i >= 0 {
		namespace, name = path[:i], path[i+1:]
	}
	return packageurl.NewPackageURL(packageurl.TypeGolang, namespace, name, version, nil, "")
}
