// Package mesh checks the resources for service meshes and gateways in deploy/istio and
// deploy/envoy-gateway. It has tests only: the manifests are decoded into the types of
// Kubernetes, Gateway API, Envoy Gateway and Istio, what they say to Envoy is compared
// with package envoy, and what Envoy Gateway and Istio make of them (testdata, written
// by their own code, see translate_test.go) is run by the real Envoy.
package mesh
