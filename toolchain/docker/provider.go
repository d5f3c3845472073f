package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"

	shim "github.com/terraform-providers/terraform-provider-docker/shim"
)

const (
	// pluginName is the name of the package, as in the npm package @pulumi/docker.
	pluginName = "docker"
	// version is that of the npm package whose programs this plugin serves.
	version = "5.2.0"
	// maxNameLength is the longest name given to a resource whose program names none.
	maxNameLength = 255
)

// newProvider maps the Terraform docker provider to the tokens and property names of the npm
// package @pulumi/docker. Names that are not listed here follow the bridge's rules.
func newProvider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            sdkv2.NewProvider(shim.NewProvider(version)),
		Name:         pluginName,
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_image":  {Tok: "docker:index/remoteImage:RemoteImage"},
			"docker_config": {Tok: "docker:index/serviceConfig:ServiceConfig"},
			"docker_container": {
				Fields: map[string]*tfbridge.SchemaInfo{
					"command":           {Name: "command"},
					"networks_advanced": {Name: "networksAdvanced"},
				},
			},
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image": {Tok: "docker:index/getRemoteImage:getRemoteImage"},
		},
		Config: map[string]*tfbridge.SchemaInfo{
			"registry_auth": {Name: "registryAuth"},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("docker_", "index", tokens.MakeStandard(pluginName)))
	info.SetAutonaming(maxNameLength, "-")
	return info
}
