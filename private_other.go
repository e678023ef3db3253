//go:build !linux

package main

// keepPrivate does something on Linux only.
func keepPrivate() {}
