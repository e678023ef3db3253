// Package chart holds deploy/helm and deploy/kustomize against the libraries that
// render them, the types of Kubernetes, and the programs that they start. It has
// tests alone.
package chart
