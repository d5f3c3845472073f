package main

import (
	pftfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"

	shim "github.com/terraform-providers/terraform-provider-random/shim"
)

const (
	// pluginName is the name of the package, as in the npm package @pulumi/random.
	pluginName = "random"
	// version is that of the npm package whose programs this plugin serves.
	version = "4.21.2"
)

// newProvider maps the Terraform random provider to the tokens of the npm package @pulumi/random.
func newProvider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            pftfbridge.ShimProvider(shim.NewProvider()),
		Name:         pluginName,
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	// "random_pet" is RandomPet: the prefix stays, unlike in most packages.
	info.MustComputeTokens(tokens.SingleModule("", "index", tokens.MakeStandard(pluginName)))
	return info
}
