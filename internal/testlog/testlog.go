// Package testlog has what tests read a log from while it is written.
package testlog

import (
	"bytes"
	"sync"
)

// Buffer is a bytes.Buffer for goroutines: a logger or a process writes, a test reads.
// The zero Buffer is empty.
type Buffer struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.Write(p)
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes.String()
}

// Reset forgets all that was written.
func (b *Buffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes.Reset()
}
