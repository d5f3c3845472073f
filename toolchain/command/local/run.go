package local

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
)

// Run is a function that runs a command each time the program runs, in a preview too.
type Run struct{}

// RunArgs are the arguments of Run.
type RunArgs struct {
	Execution
	// Command is the command to run.
	Command string `pulumi:"command"`
}

// RunResult is what Run returns.
type RunResult struct {
	RunArgs
	Result
}

// Invoke runs the command.
func (Run) Invoke(
	ctx context.Context, request infer.FunctionRequest[RunArgs],
) (infer.FunctionResponse[RunResult], error) {
	result, err := request.Input.run(ctx, request.Input.Command, Result{})
	return infer.FunctionResponse[RunResult]{
		Output: RunResult{RunArgs: request.Input, Result: result},
	}, err
}
