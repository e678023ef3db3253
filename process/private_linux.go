package process

import (
	"os"
	"syscall"
)

// KeepPrivate keeps what this process holds, salt, keys and tokens, from other processes
// of the same user: none may attach to it or read its memory and its environment
// (PR_SET_DUMPABLE(2const)), and there is no core dump of it. Nor is there one of what it
// starts: of Envoy, which holds tokens and answers of Graph. The limit is one byte, not
// zero, for a core that is piped to a program ignores zero (core(5), fs/coredump.c).
//
// GRAPHVEIL_DEBUGGABLE=1 in the environment leaves all that out, for debuggers and
// profilers.
func KeepPrivate() {
	if os.Getenv("GRAPHVEIL_DEBUGGABLE") == "1" {
		return
	}
	// An error means that it is as on other systems, and nothing else.
	_, _, _ = syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0)
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil {
		limit.Max = min(limit.Max, 1)
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
}
