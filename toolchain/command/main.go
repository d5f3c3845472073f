// Command pulumi-resource-command is the Pulumi plugin "command": resources whose life cycle is
// that of a command, run on this machine or over SSH.
package main

import (
	"context"
	"fmt"
	"os"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"

	"mlops/toolchain/command/local"
	"mlops/toolchain/command/remote"
)

const (
	// pluginName is the name of the package, as in the npm package @pulumi/command.
	pluginName = "command"
	// version is that of the npm package whose programs this plugin serves.
	version = "1.2.1"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-command:", err)
		os.Exit(1)
	}
}

func run() error {
	provider, err := newProvider()
	if err != nil {
		return err
	}
	return p.RunProvider(context.Background(), pluginName, version, provider)
}

// newProvider serves the commands of the npm package. Its two resources that copy files to another
// machine are not served; the engine refuses them by name.
func newProvider() (p.Provider, error) {
	return infer.NewProviderBuilder().
		WithResources(
			infer.Resource(local.Command{}),
			infer.Resource(remote.Command{}),
		).
		WithFunctions(infer.Function(local.Run{})).
		Build()
}
