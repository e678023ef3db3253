package result

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine is where it was measured. Its name is not in it.
type Machine struct {
	Model     string `json:"model"` // of the processor, empty when the system does not say
	Cores     int    `json:"cores"` // that this process may use
	MemoryMiB int    `json:"memory_mib"`
	OS        string `json:"os"`
	Go        string `json:"go"`
	Envoy     string `json:"envoy,omitempty"` // version, empty when Envoy had no part in it
}

// Here describes this machine. Model and memory are read from Linux's /proc, and
// left empty elsewhere.
func Here(envoy string) Machine {
	m := Machine{
		Model: procField("/proc/cpuinfo", "model name"),
		Cores: runtime.NumCPU(),
		OS:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:    runtime.Version(),
		Envoy: envoy,
	}
	var kib int
	if _, err := fmt.Sscanf(procField("/proc/meminfo", "MemTotal"), "%d kB", &kib); err == nil {
		m.MemoryMiB = kib / 1024
	}
	return m
}

func procField(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
