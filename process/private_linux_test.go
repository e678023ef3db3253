package process

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// privateVariable makes TestKeepPrivate the process that is looked at.
const privateVariable = "GRAPHVEIL_TEST_PRIVATE"

// TestKeepPrivate asks the kernel in a process of its own.
func TestKeepPrivate(t *testing.T) {
	if os.Getenv(privateVariable) != "" {
		if os.Getuid() == 0 { // as it runs in a container; changing the user changes this, too
			if err := syscall.Setuid(65532); err != nil {
				t.Fatal(err)
			}
			_, _, _ = syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 1, 0)
		}
		KeepPrivate()
		dumpable, _, _ := syscall.Syscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil {
			t.Fatal(err)
		}
		releaseCode() // it reads /proc/self, which belongs to root now
		_, err := os.ReadFile("/proc/self/smaps")
		fmt.Println("dumpable", dumpable, "core", limit.Cur <= 1 && limit.Max <= 1, "smaps", err == nil)
		return
	}
	t.Parallel()
	for debuggable, want := range map[string]string{"0": "dumpable 0 core true smaps true", "1": "dumpable 1"} {
		c := exec.Command(os.Args[0], "-test.run", "^TestKeepPrivate$")
		c.Env = append(os.Environ(), privateVariable+"=1", "GRAPHVEIL_DEBUGGABLE="+debuggable)
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("debuggable %s: %s, %v", debuggable, out, err)
		}
	}
}
