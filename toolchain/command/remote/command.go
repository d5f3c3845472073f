// Package remote holds the resources of the module command:remote.
package remote

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"mlops/toolchain/command/output"
)

// Command is a resource that runs commands on another machine, over SSH, when it is created,
// updated or deleted.
type Command struct{}

// CommandArgs are the inputs of Command.
type CommandArgs struct {
	// Connection says how to reach the machine.
	Connection Connection `pulumi:"connection" provider:"secret"`
	// Create runs when the resource is created, and when it is updated without an Update.
	Create *string `pulumi:"create,optional"`
	// Update runs when an input has changed.
	Update *string `pulumi:"update,optional"`
	// Delete runs when the resource is deleted or, after its replacement was made, replaced.
	Delete *string `pulumi:"delete,optional"`
	// Triggers are values of any type; the resource is replaced when one of them changes.
	Triggers *[]any `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	// Environment is set for the command. The SSH server must accept each name (AcceptEnv).
	Environment *map[string]string `pulumi:"environment,optional"`
	// Stdin is written to the standard input of the command, which otherwise is empty.
	Stdin *string `pulumi:"stdin,optional"`
	// Logging says which streams are shown while the command runs and when it fails. Default both.
	Logging *Logging `pulumi:"logging,optional"`
	// AddPreviousOutputInEnv gives the command what the one before it wrote, in the variables
	// PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR, if the SSH server accepts them. Default true.
	AddPreviousOutputInEnv *bool `pulumi:"addPreviousOutputInEnv,optional"`
}

// Result is what a command has left behind.
type Result struct {
	// Stdout is the standard output, without its last line break.
	Stdout string `pulumi:"stdout"`
	// Stderr is the standard error, without its last line break.
	Stderr string `pulumi:"stderr"`
}

// CommandState is what the resource's state holds.
type CommandState struct {
	CommandArgs
	Result
}

// WireDependencies implements infer.ExplicitDependencies: a command that is given a secret may write
// it, so what it leaves behind is secret then. The connection, always secret, is not given to it.
func (Command) WireDependencies(
	fields infer.FieldSelector, arguments *CommandArgs, state *CommandState,
) {
	given := []infer.InputField{
		fields.InputField(&arguments.Create).Secret(),
		fields.InputField(&arguments.Update).Secret(),
		fields.InputField(&arguments.Environment).Secret(),
		fields.InputField(&arguments.Stdin).Secret(),
	}
	fields.OutputField(&state.Stdout).DependsOn(given...)
	fields.OutputField(&state.Stderr).DependsOn(given...)
}

// idLength is the length, in hexadecimal digits, of the random part of a resource's id.
const idLength = 8

// Check refuses inputs that are unknown or have a wrong type or value.
func (Command) Check(
	ctx context.Context, request infer.CheckRequest,
) (infer.CheckResponse[CommandArgs], error) {
	inputs, failures, err := infer.DefaultCheck[CommandArgs](ctx, request.NewInputs)
	if err == nil && len(failures) == 0 {
		failures = output.CheckLogging(inputs.Logging)
	}
	return infer.CheckResponse[CommandArgs]{Inputs: inputs, Failures: failures}, err
}

// Create runs the create command, if there is one.
func (Command) Create(
	ctx context.Context, request infer.CreateRequest[CommandArgs],
) (infer.CreateResponse[CommandState], error) {
	response := infer.CreateResponse[CommandState]{
		Output: CommandState{CommandArgs: request.Inputs},
	}
	id, err := resource.NewUniqueHex(request.Name, idLength, 0)
	if err != nil || request.DryRun {
		return response, err
	}
	response.ID = id
	response.Output.Result, err = request.Inputs.runOptional(ctx, request.Inputs.Create, Result{})
	return response, err
}

// Update runs the update command, or the create command where there is none.
func (Command) Update(
	ctx context.Context, request infer.UpdateRequest[CommandArgs, CommandState],
) (infer.UpdateResponse[CommandState], error) {
	response := infer.UpdateResponse[CommandState]{
		Output: CommandState{CommandArgs: request.Inputs, Result: request.State.Result},
	}
	if request.DryRun {
		return response, nil
	}
	command := request.Inputs.Update
	if command == nil {
		command = request.Inputs.Create
	}
	var err error
	response.Output.Result, err = request.Inputs.runOptional(ctx, command, request.State.Result)
	return response, err
}

// Delete runs the delete command, if there is one.
func (Command) Delete(
	ctx context.Context, request infer.DeleteRequest[CommandState],
) (infer.DeleteResponse, error) {
	_, err := request.State.runOptional(ctx, request.State.Delete, request.State.Result)
	return infer.DeleteResponse{}, err
}

func (c CommandArgs) runOptional(
	ctx context.Context, command *string, previous Result,
) (Result, error) {
	if command == nil {
		return previous, nil
	}
	return c.run(ctx, *command, previous)
}
