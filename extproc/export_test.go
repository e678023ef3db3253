package extproc

import "google.golang.org/grpc/mem"

// SetBuffers makes gRPC servers that are made from now on, and their exchanges, use
// another pool.
func (s *Server) SetBuffers(p mem.BufferPool) { s.buffers = p }
