// Package systemd checks the units of deploy/systemd. It has tests only.
package systemd
