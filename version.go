package main

import "runtime/debug"

// version is the module's version as the Go tool recorded it, or "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

// userAgent is what the upstream sees instead of the client's.
func userAgent() string { return "graphveil/" + version() }
