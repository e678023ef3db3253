// Command graphveil is a privacy sidecar for Microsoft Graph.
package main

func main() {}
