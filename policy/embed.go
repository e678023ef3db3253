package policy

import "embed"

// Builtin names the shipped connectors in Config.Paths.
const Builtin = "builtin"

// shipped holds the library, the shipped connectors and their tests.
//
//go:embed all:lib all:connectors
var shipped embed.FS

// schemas are JSON Schemas of what data.graphveil.decision reads and returns.
//
//go:embed schemas/*.json
var schemas embed.FS
