//go:build race

package policy_test

// slowdown is how much longer the race detector lets things take: what is
// promised is promised of a program without it.
const slowdown = 5
