// Command pulumi-language-nodejs is Pulumi's language host for programs that run on Node.js: the
// engine starts it, and it starts the program.
//
// It serves what deploying a project takes. Code generation, policy packs and plugins written in
// TypeScript are not served; the engine reports those as unimplemented.
//
// The protocol is the service LanguageRuntime of Pulumi's language.proto; the command line of the
// program runner is that of @pulumi/pulumi/cmd/run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/logging"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// engineCheckInterval is how often the host looks whether the engine that started it still lives.
const engineCheckInterval = 5 * time.Minute

func main() {
	tracing := flag.String("tracing", "", "Zipkin-compatible `endpoint` to send traces to")
	flag.Parse()
	if err := serve(flag.Arg(0), *tracing); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-nodejs:", err)
		os.Exit(1)
	}
}

// serve answers the engine at engineAddress (host:port) until that engine is gone.
func serve(engineAddress, tracing string) error {
	if engineAddress == "" {
		return errors.New("missing argument: the address of the engine. " +
			"This program is started by pulumi; run pulumi instead")
	}
	logging.InitLogging(false, 0, false)
	cmdutil.InitTracing("pulumi-language-nodejs", "pulumi-language-nodejs", tracing)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := rpcutil.Healthcheck(ctx, engineAddress, engineCheckInterval, cancel); err != nil {
		return fmt.Errorf("watch the engine at %s: %w", engineAddress, err)
	}
	stop := make(chan bool)
	go func() {
		<-ctx.Done()
		close(stop)
	}()

	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: stop,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, newHost(ctx, engineAddress, tracing))
			return nil
		},
		Options: rpcutil.OpenTracingServerInterceptorOptions(nil),
	})
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	// The engine reads the port from the first line of standard output.
	fmt.Println(handle.Port)
	return <-handle.Done
}
