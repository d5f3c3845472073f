package local

import (
	"github.com/pulumi/pulumi-go-provider/infer/types"
)

// Execution is how a command runs, the same for the resource Command and the function run.
type Execution struct {
	// Interpreter is the program, with its first arguments, that gets the command as its last
	// argument. Default ["/bin/sh", "-c"].
	Interpreter *[]string `pulumi:"interpreter,optional"`
	// Dir is the working directory, which must exist. Default: that of the Pulumi project.
	Dir *string `pulumi:"dir,optional"`
	// Environment is added to the environment of the plugin.
	Environment *map[string]string `pulumi:"environment,optional"`
	// Stdin is written to the standard input of the command, which otherwise is empty.
	Stdin *string `pulumi:"stdin,optional"`
	// Logging says which streams are shown while the command runs and when it fails. Default both.
	Logging *Logging `pulumi:"logging,optional"`
	// AddPreviousOutputInEnv gives the command what the one before it wrote, in the variables
	// PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. Default true.
	AddPreviousOutputInEnv *bool `pulumi:"addPreviousOutputInEnv,optional"`
	// AssetPaths are globs, below Dir, of the files to return as assets after the command.
	AssetPaths *[]string `pulumi:"assetPaths,optional"`
	// ArchivePaths are globs, below Dir, of the files to return as one archive after the command.
	ArchivePaths *[]string `pulumi:"archivePaths,optional"`
}

// Result is what a command has left behind.
type Result struct {
	// Stdout is the standard output, without its last line break.
	Stdout string `pulumi:"stdout"`
	// Stderr is the standard error, without its last line break.
	Stderr string `pulumi:"stderr"`
	// Assets are the files that AssetPaths match, by their path below Dir.
	Assets *map[string]types.AssetOrArchive `pulumi:"assets,optional"`
	// Archive holds the files that ArchivePaths match.
	Archive *types.AssetOrArchive `pulumi:"archive,optional"`
}
