package main

import "runtime/debug"

// release is the version of the sources that an image is built from; the linker sets
// it (deploy/kit/image).
var release string

// version is that of the release, or else the module's as the Go tool recorded it,
// or "devel".
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// userAgent is what the upstream sees instead of the client's.
func userAgent() string { return "graphveil/" + version() }
