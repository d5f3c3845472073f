// Command pulumi-resource-docker is the Pulumi plugin "docker": the Terraform docker provider
// behind Pulumi's plugin protocol.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// schema is generated ahead, so that starting the plugin costs no schema generation.
//
//go:embed schema.json
var schema []byte

func main() {
	tfbridge.Main(pluginName, version, newProvider(), schema)
}
