//go:build !linux

package process

// KeepPrivate does something on Linux only.
func KeepPrivate() {}
