package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"mlops/toolchain/command/output"
)

// The variables that carry the output of the command before this one.
const (
	previousStdoutVariable = "PULUMI_COMMAND_STDOUT"
	previousStderrVariable = "PULUMI_COMMAND_STDERR"
)

// killDelay is how long a cancelled command, which gets SIGTERM, may take before it gets SIGKILL.
// It also bounds the wait for output of processes that the command has left running.
const killDelay = 5 * time.Second

// run runs command to its end and collects the files asked for. A command that exits with a code
// other than 0 is an error. When ctx ends, the command and all it has started are killed.
func (e Execution) run(ctx context.Context, command string, previous Result) (Result, error) {
	if _, err := os.ReadDir(e.directory()); err != nil {
		return Result{}, fmt.Errorf("the input \"dir\": %w", err)
	}
	arguments := []string{"/bin/sh", "-c"}
	if e.Interpreter != nil && len(*e.Interpreter) > 0 {
		arguments = *e.Interpreter
	}
	arguments = append(append([]string{}, arguments...), command)

	process := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	process.Dir = e.directory()
	process.Env = e.environ(previous)
	if e.Stdin != nil {
		process.Stdin = strings.NewReader(*e.Stdin)
	}
	capture := output.NewCapture(ctx, output.ShownBy(e.Logging))
	process.Stdout, process.Stderr = capture.Stdout, capture.Stderr
	killWholeGroup(process)

	err := process.Run()
	if ctx.Err() != nil && process.Process != nil {
		// The command is gone; what it started and did not end in time goes too.
		_ = syscall.Kill(-process.Process.Pid, syscall.SIGKILL)
	}
	capture.Stdout.Flush()
	capture.Stderr.Flush()
	switch {
	case ctx.Err() != nil:
		return Result{}, capture.Failure(fmt.Errorf("stopped: %w", context.Cause(ctx)))
	case errors.Is(err, syscall.E2BIG):
		return Result{}, fmt.Errorf("start the command: %w: its environment may be too large; "+
			"set addPreviousOutputInEnv to false if the command before wrote much", err)
	case err != nil && process.ProcessState == nil:
		return Result{}, fmt.Errorf("start the command: %w", err)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return Result{}, capture.Failure(err)
	}

	result := Result{Stdout: capture.Stdout.String(), Stderr: capture.Stderr.String()}
	if result.Assets, err = e.assets(); err != nil {
		return Result{}, err
	}
	result.Archive, err = e.archive()
	return result, err
}

// directory is relative to the plugin's own working directory, which is the project's.
func (e Execution) directory() string {
	if e.Dir == nil {
		return "."
	}
	return *e.Dir
}

// environ lets the inputs win over the plugin's environment.
func (e Execution) environ(previous Result) []string {
	environment := os.Environ()
	if e.AddPreviousOutputInEnv == nil || *e.AddPreviousOutputInEnv {
		if previous.Stdout != "" {
			environment = append(environment, previousStdoutVariable+"="+previous.Stdout)
		}
		if previous.Stderr != "" {
			environment = append(environment, previousStderrVariable+"="+previous.Stderr)
		}
	}
	if e.Environment != nil {
		for name, value := range *e.Environment {
			environment = append(environment, name+"="+value)
		}
	}
	return environment
}

// killWholeGroup gives the command a process group, so that ending it ends its children too.
func killWholeGroup(process *exec.Cmd) {
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	process.WaitDelay = killDelay
	process.Cancel = func() error {
		err := syscall.Kill(-process.Process.Pid, syscall.SIGTERM)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}
