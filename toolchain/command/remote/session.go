package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	p "github.com/pulumi/pulumi-go-provider"

	"mlops/toolchain/command/output"
)

// run runs command on the other machine to its end. A command that exits with a code other than 0
// is an error. When ctx ends, the command gets SIGTERM and the connection is closed.
func (c CommandArgs) run(ctx context.Context, command string, previous Result) (Result, error) {
	client, err := c.Connection.dial(ctx)
	if err != nil {
		return Result{}, err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return Result{}, fmt.Errorf("open an SSH session: %w", err)
	}
	defer session.Close()
	if err := c.setEnvironment(ctx, session, previous); err != nil {
		return Result{}, err
	}
	if c.Stdin != nil {
		session.Stdin = strings.NewReader(*c.Stdin)
	}
	capture := output.NewCapture(ctx, output.ShownBy(c.Logging))
	session.Stdout, session.Stderr = capture.Stdout, capture.Stderr

	stopWatching := context.AfterFunc(ctx, func() {
		// Servers may ignore the signal; closing ends the wait in any case.
		_ = session.Signal(ssh.SIGTERM)
		_ = client.Close()
	})
	defer stopWatching()
	err = session.Run(command)
	capture.Stdout.Flush()
	capture.Stderr.Flush()
	if ctx.Err() != nil {
		return Result{}, capture.Failure(fmt.Errorf("stopped: %w", context.Cause(ctx)))
	}
	if err != nil {
		return Result{}, capture.Failure(err)
	}
	return Result{Stdout: capture.Stdout.String(), Stderr: capture.Stderr.String()}, nil
}

// setEnvironment fails for a variable of the inputs that the server refuses. Refusing the output
// of the command before is usual, and only commands that use it care.
func (c CommandArgs) setEnvironment(
	ctx context.Context, session *ssh.Session, previous Result,
) error {
	if c.AddPreviousOutputInEnv == nil || *c.AddPreviousOutputInEnv {
		for name, value := range map[string]string{
			"PULUMI_COMMAND_STDOUT": previous.Stdout,
			"PULUMI_COMMAND_STDERR": previous.Stderr,
		} {
			if value == "" {
				continue
			}
			if err := session.Setenv(name, value); err != nil {
				p.GetLogger(ctx).Debugf("the SSH server does not accept %s: %v", name, err)
			}
		}
	}
	if c.Environment == nil {
		return nil
	}
	var refused []string
	for name, value := range *c.Environment {
		if err := session.Setenv(name, value); err != nil {
			refused = append(refused, name)
		}
	}
	if len(refused) > 0 {
		return errors.New("the SSH server does not accept the environment variables " +
			strings.Join(refused, ", ") + ": list them in AcceptEnv of its sshd_config, " +
			"or set them in the command itself")
	}
	return nil
}
