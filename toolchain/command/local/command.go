// Package local holds the resources and functions of the module command:local.
package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"mlops/toolchain/command/output"
)

// Command is a resource that runs commands on this machine when it is created, updated or deleted.
type Command struct{}

// CommandArgs are the inputs of Command.
type CommandArgs struct {
	Execution
	// Create runs when the resource is created, and when it is updated without an Update.
	Create *string `pulumi:"create,optional"`
	// Update runs when an input has changed.
	Update *string `pulumi:"update,optional"`
	// Delete runs when the resource is deleted or, after its replacement was made, replaced.
	Delete *string `pulumi:"delete,optional"`
	// Triggers are values of any type; the resource is replaced when one of them changes.
	Triggers *[]any `pulumi:"triggers,optional" provider:"replaceOnChanges"`
}

// CommandState is what the resource's state holds.
type CommandState struct {
	CommandArgs
	Result
}

// WireDependencies implements infer.ExplicitDependencies: a command that is given a secret may write
// it, so what it leaves behind is secret then.
func (Command) WireDependencies(
	fields infer.FieldSelector, arguments *CommandArgs, state *CommandState,
) {
	given := []infer.InputField{
		fields.InputField(&arguments.Create).Secret(),
		fields.InputField(&arguments.Update).Secret(),
		fields.InputField(&arguments.Environment).Secret(),
		fields.InputField(&arguments.Stdin).Secret(),
		fields.InputField(&arguments.Interpreter).Secret(),
	}
	fields.OutputField(&state.Stdout).DependsOn(given...)
	fields.OutputField(&state.Stderr).DependsOn(given...)
	fields.OutputField(&state.Assets).DependsOn(given...)
	fields.OutputField(&state.Archive).DependsOn(given...)
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
	response.Output.Result, err = runOptional(ctx,
		request.Inputs.Create, request.Inputs.Execution, Result{})
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
	response.Output.Result, err = runOptional(ctx,
		command, request.Inputs.Execution, request.State.Result)
	return response, err
}

// Delete runs the delete command, if there is one.
func (Command) Delete(
	ctx context.Context, request infer.DeleteRequest[CommandState],
) (infer.DeleteResponse, error) {
	_, err := runOptional(ctx, request.State.Delete, request.State.Execution, request.State.Result)
	return infer.DeleteResponse{}, err
}

func runOptional(
	ctx context.Context, command *string, execution Execution, previous Result,
) (Result, error) {
	if command == nil {
		return previous, nil
	}
	return execution.run(ctx, *command, previous)
}
