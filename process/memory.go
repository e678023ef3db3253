package process

import (
	"os"
	"runtime"
	"runtime/debug"
)

// startGC is the garbage collector's percentage while a processor starts. Loading
// a policy allocates some 45 MB, most of it garbage, and takes a third less time
// where it is collected once or twice; serving has its own percentage.
const startGC = 400

// serveGC is the percentage while exchanges run, unless GOGC says another. At Go's
// default of 100 collecting took 8 to 10 % of the processor's time under load; this
// is half as often. The live heap is the policy, which is small: eight slow clients
// took 49 MB of resident memory at 200, 52 MB at 400, 62 MB at 100 and 50 MB at 400
// with a limit of 64 MiB (go run ./bench/harness -only memory/slow-8x50MB), but under
// load 400 took up to 276 MB. There is no limit of our own: near one, Go does little
// but collect. An operator can set GOMEMLIMIT.
const serveGC = 200

// CollectForStart sets the garbage collector up for the start of a processor. What it
// returns sets it up for exchanges.
func CollectForStart() (forServing func()) {
	operators := debug.SetGCPercent(startGC)
	return func() { collectForServing(operators) }
}

// collectForServing sets the garbage collector up for exchanges. operators is the
// percentage that it had at the start of the process.
func collectForServing(operators int) {
	if os.Getenv("GOGC") == "" {
		operators = serveGC
	}
	debug.SetGCPercent(operators)
}

// SettleMemory collects what loading a policy leaves behind and returns it to the
// system at once, which the runtime alone would do over minutes; so too the pages
// of code that only loading needs. It runs beside the requests. What OPA's pools
// hold, some 7 MB after loading, is garbage only after a second collection.
func SettleMemory() {
	runtime.GC()
	debug.FreeOSMemory()
	releaseCode()
}
