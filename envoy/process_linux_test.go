package envoy_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// childVariable makes TestEndsWithParent the parent that is killed.
const childVariable = "ENVOY_TEST_CHILD"

// However its parent dies, Envoy does not stay behind with the port.
func TestEndsWithParent(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		r := newRig(t, &stub{}, hello)
		fmt.Println(r.Address())
		time.Sleep(time.Minute) // killed long before
		return
	}
	t.Parallel()
	parent := exec.Command(os.Args[0], "-test.run", "^TestEndsWithParent$")
	parent.Env = append(os.Environ(), childVariable+"=1", "TMPDIR="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	address := lines.Text()
	conn, dialErr := net.Dial("tcp", address)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	if dialErr != nil {
		t.Fatalf("envoy did not start at %q: %v", address, dialErr)
	}
	conn.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("envoy is still there")
		}
	}
}
