// Service is the reference rate limit service as its authors run it, with all its
// settings from the environment. It is a module of its own, for it needs older
// libraries than the rest.
package main

import (
	"github.com/envoyproxy/ratelimit/src/service_cmd/runner"
	"github.com/envoyproxy/ratelimit/src/settings"
)

func main() {
	r := runner.NewRunner(settings.NewSettings())
	r.Run()
}
