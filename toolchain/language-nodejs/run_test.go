package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// project makes a program folder whose runner is the JavaScript given.
func project(t *testing.T, runnerCode string) string {
	t.Helper()
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "node_modules", filepath.FromSlash(runner), "index.js"), runnerCode)
	return root
}

func request(t *testing.T, directory string, options map[string]any) *pulumirpc.RunRequest {
	t.Helper()
	given, err := structpb.NewStruct(options)
	require.NoError(t, err)
	return &pulumirpc.RunRequest{
		Project:          "project",
		Stack:            "stack",
		Organization:     "organization",
		Pwd:              directory,
		MonitorAddress:   "127.0.0.1:1",
		Parallel:         7,
		DryRun:           true,
		Config:           map[string]string{"project:key": "value"},
		ConfigSecretKeys: []string{"project:secret"},
		Args:             []string{"own"},
		Info: &pulumirpc.ProgramInfo{
			RootDirectory: directory, ProgramDirectory: directory, EntryPoint: ".", Options: given,
		},
	}
}

func TestRunPassesEverythingToTheRunner(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.json")
	t.Setenv("REPORT", report)
	directory := project(t, `
		require("fs").writeFileSync(process.env.REPORT, JSON.stringify({
			arguments: process.argv.slice(2), node: process.execArgv,
			config: process.env.PULUMI_CONFIG, secretKeys: process.env.PULUMI_CONFIG_SECRET_KEYS,
			typescript: process.env.PULUMI_NODEJS_TYPESCRIPT ?? "",
		}))`)
	type runnerReport struct {
		Arguments, Node                []string
		Config, SecretKeys, Typescript string
	}
	run := func(options map[string]any) runnerReport {
		host := newHost(t.Context(), "127.0.0.1:2", "")
		response, err := host.Run(t.Context(), request(t, directory, options))
		require.NoError(t, err)
		require.Empty(t, response.GetError())
		content, err := os.ReadFile(report)
		require.NoError(t, err)
		var read runnerReport
		require.NoError(t, json.Unmarshal(content, &read))
		return read
	}

	read := run(map[string]any{"typescript": false, "nodeargs": "--no-warnings --title='a b'"})
	assert.Equal(t, []string{
		"--monitor", "127.0.0.1:1", "--engine", "127.0.0.1:2", "--organization", "organization",
		"--project", "project", "--root-directory", directory, "--stack", "stack",
		"--pwd", directory, "--parallel", "7", "--dry-run", ".", "own",
	}, read.Arguments)
	assert.Equal(t, []string{"--no-warnings", "--title=a b"}, read.Node)
	assert.JSONEq(t, `{"project:key": "value"}`, read.Config)
	assert.JSONEq(t, `["project:secret"]`, read.SecretKeys)
	assert.Empty(t, read.Typescript)

	assert.Equal(t, "true", run(nil).Typescript, "TypeScript is the default")
}

func TestRunnerOfAnotherPlace(t *testing.T) {
	other := filepath.Join(t.TempDir(), "runner.js")
	writeFile(t, other, "process.exit(32)")
	t.Setenv(runnerVariable, other)
	response, err := newHost(t.Context(), "", "").Run(t.Context(), request(t, t.TempDir(), nil))
	require.NoError(t, err)
	assert.True(t, response.GetBail())
}

func TestEndOfTheProgram(t *testing.T) {
	for code, want := range map[string]*pulumirpc.RunResponse{
		"process.exit(0)":                      {},
		"process.exit(32)":                     {Bail: true},
		"process.exit(3)":                      {Error: "the program exited with code 3"},
		"process.kill(process.pid, 'SIGKILL')": {Error: "the program was ended by a signal: killed"},
	} {
		host := newHost(t.Context(), "", "")
		response, err := host.Run(t.Context(), request(t, project(t, code), nil))
		require.NoError(t, err)
		assert.Equal(t, want.GetError(), response.GetError(), code)
		assert.Equal(t, want.GetBail(), response.GetBail(), code)
	}
}

func TestCancelEndsTheProgram(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	t.Setenv("STARTED", started)
	directory := project(t, `
		require("fs").writeFileSync(process.env.STARTED, "");
		setInterval(() => {}, 1000)`)
	host := newHost(t.Context(), "", "")
	ended := make(chan *pulumirpc.RunResponse, 1)
	go func() {
		response, _ := host.Run(context.Background(), request(t, directory, nil))
		ended <- response
	}()
	const patience = 30 * time.Second
	require.Eventually(t, func() bool {
		_, err := os.Stat(started)
		return err == nil
	}, patience, 10*time.Millisecond)
	_, err := host.Cancel(t.Context(), nil)
	require.NoError(t, err)
	select {
	case response := <-ended:
		assert.Contains(t, response.GetError(), "killed")
	case <-time.After(patience):
		t.Fatal("the program still runs")
	}
}

func TestProgramWithoutTheSDK(t *testing.T) {
	directory := t.TempDir()
	_, err := newHost(t.Context(), "", "").Run(t.Context(), request(t, directory, nil))
	require.ErrorContains(t, err, "npm install")
	require.ErrorContains(t, err, directory)
}

func TestOptionsAreRefusedByName(t *testing.T) {
	for _, test := range []struct {
		options map[string]any
		fails   string
	}{
		{map[string]any{"typescrip": true}, "runtime.options.typescrip"},
		{map[string]any{"typescript": "no"}, "runtime.options.typescript"},
		{map[string]any{"nodeargs": 1}, "runtime.options.nodeargs"},
		{map[string]any{"nodeargs": "'"}, "runtime.options.nodeargs"},
		{map[string]any{"packagemanager": true}, "runtime.options.packagemanager"},
	} {
		_, err := newHost(t.Context(), "", "").Run(
			t.Context(), request(t, project(t, ""), test.options))
		require.ErrorContains(t, err, test.fails)
	}
}
