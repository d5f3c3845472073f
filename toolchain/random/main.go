// Command pulumi-resource-random is the Pulumi plugin "random": the Terraform random provider
// behind Pulumi's plugin protocol.
package main

import (
	"context"
	_ "embed"

	pftfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
)

// schema is generated ahead, so that starting the plugin costs no schema generation.
//
//go:embed schema.json
var schema []byte

func main() {
	pftfbridge.Main(context.Background(), pluginName, newProvider(),
		pftfbridge.ProviderMetadata{PackageSchema: schema})
}
