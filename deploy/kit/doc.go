// Package kit is the root of the module that builds and checks what is shipped
// beside the binary, one package for each thing. It has no code of its own: start
// with README.md.
package kit
