// Command az stands in for the Azure CLI in the tests of entra.sh.
package main

import (
	"os"

	"github.com/graphveil/graphveil/deploy/azure-cli/azuretest"
)

func main() { os.Exit(azuretest.Run(os.Args[1:])) }
