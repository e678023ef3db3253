package process

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// releaseCode unmaps the pages of the program's file, its code and constants: those
// that are still needed come back with the next access, from the page cache. When
// it has started and loaded a policy the program has touched 37 MB of them; two
// seconds later it has asked for 4 MB again.
//
// This is safe at any time: it leaves out mappings that can be written to, and those
// that hold pages which differ from the file (relocations, breakpoints), so that
// what comes back is what was there.
func releaseCode() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range fileMappings(string(text), program) {
		// An error means that the pages stay, and nothing else.
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.start, m.end-m.start, syscall.MADV_DONTNEED)
	}
}

// mapping is a part of the address space.
type mapping struct{ start, end uintptr }

// fileMappings are those of a file, by /proc/<pid>/smaps (proc_pid_smaps(5)), that
// are as the file is: read-only and without a page of their own.
func fileMappings(smaps, file string) []mapping {
	var found []mapping
	var one mapping
	var candidate bool
	for line := range strings.Lines(smaps) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 5 && !strings.HasSuffix(fields[0], ":"): // start-end mode offset device inode file
			n, err := fmt.Sscanf(fields[0], "%x-%x", &one.start, &one.end)
			candidate = n == 2 && err == nil && !strings.Contains(fields[1], "w") && strings.HasSuffix(strings.TrimSpace(line), " "+file)
		case candidate && len(fields) >= 2 && fields[0] == "Anonymous:" && fields[1] == "0":
			found = append(found, one)
			candidate = false
		}
	}
	return found
}
