package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

const (
	// runner is the module, in the program's own @pulumi/pulumi, that loads and runs the program.
	runner = "@pulumi/pulumi/cmd/run"
	// runnerVariable names another module, or the absolute path of a file, to use instead.
	runnerVariable = "PULUMI_LANGUAGE_NODEJS_RUN_PATH"
	// exitAfterMessage is the runner's exit code when it has shown the user an error already.
	exitAfterMessage = 32
)

// Run runs the program to its end. An error of the program is part of the response; an error is
// returned when it could not be started at all.
func (h *host) Run(
	ctx context.Context, request *pulumirpc.RunRequest,
) (*pulumirpc.RunResponse, error) {
	if request.GetAttachDebugger() {
		return nil, errors.New("attaching a debugger is not supported here: " +
			"set runtime.options.nodeargs in Pulumi.yaml to --inspect-brk instead")
	}
	options, err := parseOptions(request.GetInfo().GetOptions())
	if err != nil {
		return nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("find Node.js to run the program: %w", err)
	}
	runnerPath, err := locateRunner(ctx, node, request.GetInfo().GetProgramDirectory())
	if err != nil {
		return nil, err
	}
	environment, err := programEnvironment(request, options)
	if err != nil {
		return nil, err
	}

	arguments := append(options.nodeArguments, runnerPath)
	arguments = append(arguments, h.runnerArguments(request)...)
	command := exec.CommandContext(h.running, node, arguments...)
	command.Env = environment
	// The engine shows what this process writes, so the program may write there as it likes.
	command.Stdout = os.Stdout
	command.Stderr = os.Stderr
	return runResponse(command.Run())
}

// runResponse tells the engine how the program ended.
func runResponse(err error) (*pulumirpc.RunResponse, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case !errors.As(err, &exit):
		return nil, fmt.Errorf("start the program: %w", err)
	case exit.ExitCode() == exitAfterMessage:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case exit.ExitCode() < 0:
		return &pulumirpc.RunResponse{Error: "the program was ended by a " + exit.String()}, nil
	default:
		return &pulumirpc.RunResponse{
			Error: fmt.Sprintf("the program exited with code %d", exit.ExitCode()),
		}, nil
	}
}

// runnerArguments are the arguments of the runner, ending with the program and its own arguments.
func (h *host) runnerArguments(request *pulumirpc.RunRequest) []string {
	info := request.GetInfo()
	var arguments []string
	add := func(name, value string) {
		if value != "" {
			arguments = append(arguments, "--"+name, value)
		}
	}
	add("monitor", request.GetMonitorAddress())
	add("engine", h.engineAddress)
	add("organization", request.GetOrganization())
	add("project", request.GetProject())
	add("root-directory", info.GetRootDirectory())
	add("stack", request.GetStack())
	add("pwd", request.GetPwd())
	add("parallel", strconv.Itoa(int(request.GetParallel())))
	add("tracing", h.tracing)
	if request.GetDryRun() {
		arguments = append(arguments, "--dry-run")
	}
	entryPoint := info.GetEntryPoint()
	if entryPoint == "" {
		entryPoint = "."
	}
	return append(append(arguments, entryPoint), request.GetArgs()...)
}

// programEnvironment is this process's environment and what the runner reads from there.
func programEnvironment(request *pulumirpc.RunRequest, options options) ([]string, error) {
	// The runner wants an object and an array, not null, where there is no configuration.
	values := map[string]string{}
	maps.Copy(values, request.GetConfig())
	config, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	secretKeys, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	environment := append(os.Environ(),
		"PULUMI_CONFIG="+string(config),
		"PULUMI_CONFIG_SECRET_KEYS="+string(secretKeys))
	if options.typescript {
		environment = append(environment, "PULUMI_NODEJS_TYPESCRIPT=true")
	}
	return environment, nil
}

// locateRunner finds the runner as Node.js would from directory. Looking through node_modules
// here saves starting Node.js once more; only layouts without that folder need to ask it.
func locateRunner(ctx context.Context, node, directory string) (string, error) {
	module := os.Getenv(runnerVariable)
	if filepath.IsAbs(module) {
		return module, nil
	}
	if module == "" {
		module = runner
	}
	for folder := directory; ; folder = filepath.Dir(folder) {
		path := filepath.Join(folder, "node_modules", filepath.FromSlash(module), "index.js")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if folder == filepath.Dir(folder) {
			break
		}
	}
	resolve := exec.CommandContext(ctx, node, "-p", fmt.Sprintf("require.resolve(%q)", module))
	resolve.Dir = directory
	output, err := resolve.Output()
	if err != nil {
		return "", fmt.Errorf("%s is not installed for the program in %s: run npm install there",
			module, directory)
	}
	return strings.TrimSpace(string(output)), nil
}
