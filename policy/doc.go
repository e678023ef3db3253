// Package policy turns a Rego policy into decisions: which requests may go to
// the upstream, in which exact form, and which plan their response is rewritten
// by.
//
// Load (or NewEngine, which also watches the folders) comes first and compiles
// everything that can be compiled: endpoints to a router, shapes to plans. Then,
// per request, Snapshot.Route finds the endpoint and Snapshot.Decide evaluates
// data.graphveil.decision. A Snapshot never changes; one exchange uses one.
//
// The package names no path and no property of the upstream: these are in Rego,
// in lib/ and connectors/. It does not reveal tokens, read bodies, or answer
// clients.
package policy
