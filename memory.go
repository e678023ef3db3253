package main

import "runtime/debug"

// startGC is the garbage collector's percentage while a processor starts. Loading
// a policy allocates some 45 MB, most of it garbage, and takes a third less time
// where it is collected once or twice; serving has its own percentage.
const startGC = 400

// settleMemory collects what loading a policy leaves behind and returns it to the
// system at once, which the runtime alone would do over minutes; so too the pages
// of code that only loading needs. It runs beside the requests.
func settleMemory() {
	debug.FreeOSMemory()
	releaseCode()
}
