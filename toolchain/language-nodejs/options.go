package main

import (
	"fmt"

	"github.com/google/shlex"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/pulumi/pulumi/sdk/v3/nodejs/npm"
)

// options are the settings below runtime.options in Pulumi.yaml.
type options struct {
	// typescript says that the program is TypeScript source, compiled while it loads.
	// Default true, as for every Pulumi project.
	typescript bool
	// nodeArguments go to the Node.js process before the program.
	nodeArguments []string
	// packageManager installs the dependencies. Default: told from the lock file.
	packageManager npm.PackageManagerType
}

// parseOptions refuses an option it does not know, or whose value has the wrong type, by name.
func parseOptions(given *structpb.Struct) (options, error) {
	parsed := options{typescript: true, packageManager: npm.AutoPackageManager}
	for name, value := range given.AsMap() {
		var ok bool
		switch name {
		case "typescript":
			parsed.typescript, ok = value.(bool)
		case "nodeargs":
			var line string
			if line, ok = value.(string); ok {
				arguments, err := shlex.Split(line)
				if err != nil {
					return options{}, fmt.Errorf("runtime.options.nodeargs in Pulumi.yaml: %w", err)
				}
				parsed.nodeArguments = arguments
			}
		case "packagemanager":
			var manager string
			manager, ok = value.(string)
			parsed.packageManager = npm.PackageManagerType(manager)
		default:
			return options{}, fmt.Errorf("runtime.options.%s in Pulumi.yaml is not an option: "+
				"use typescript, nodeargs or packagemanager", name)
		}
		if !ok {
			return options{}, fmt.Errorf("runtime.options.%s in Pulumi.yaml has the wrong type: %T",
				name, value)
		}
	}
	return parsed, nil
}
