package ladder

import (
	"os"
	"testing"
	"time"
)

func TestUsageOfThisProcess(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 200*time.Millisecond; {
	}
	after, err := cpuTime(os.Getpid())
	if err != nil || after-before < 20*time.Millisecond || after-before > 5*time.Second {
		t.Errorf("%v after 200ms of work, %v", after-before, err)
	}
	held := make([]byte, 64<<20)
	for i := range held {
		held[i] = 1
	}
	now, peak, err := resident(os.Getpid())
	if err != nil || now < 64e6 || peak < now {
		t.Errorf("%v bytes, at most %v, %v", now, peak, err)
	}
	if held[0] != 1 {
		t.Error("gone")
	}
	if _, err := cpuTime(1 << 30); err == nil {
		t.Error("a process that is not there has used something")
	}
}
