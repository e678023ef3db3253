package main

import "runtime/debug"

// settleMemory collects what loading a policy leaves behind and returns it to the
// system at once, which the runtime alone would do over minutes. The collection
// runs beside the requests.
func settleMemory() { debug.FreeOSMemory() }
