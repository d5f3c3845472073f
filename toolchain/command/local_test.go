package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

// patience bounds waits for something that takes milliseconds unless it is broken.
const patience = 30 * time.Second

func TestCreateRunsTheCommand(t *testing.T) {
	dir := t.TempDir()
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{
		"create":      `cat; echo "$NAME"; pwd; echo "to stderr" >&2`,
		"stdin":       "from stdin\n",
		"environment": inputs{"NAME": "from the environment"},
		"dir":         dir,
	}))
	assert.Equal(t, "from stdin\nfrom the environment\n"+dir, l.output("stdout"))
	assert.Equal(t, "to stderr", l.output("stderr"))
	assert.True(t, strings.HasPrefix(l.id, "name"), "the id %q starts with the resource's name", l.id)
}

func TestInterpreterGetsTheCommandLast(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{
		"create": "a word", "interpreter": []string{"/bin/echo", "-n", "given:"},
	}))
	assert.Equal(t, "given: a word", l.output("stdout"))
}

func TestPreviewRunsNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	l := newLifeCycle(t, localCommand)
	response, err := l.server.Create(p.CreateRequest{
		Urn: l.urn, DryRun: true, Properties: l.checked(inputs{"create": "touch " + file}),
	})
	require.NoError(t, err)
	assert.True(t, response.Properties.Get("stdout").IsComputed())
	assert.NoFileExists(t, file)
}

func TestUpdateRunsTheUpdateCommandAfterTheOutputBefore(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{"create": "echo one; echo first >&2"}))
	given := inputs{
		"create": "echo never",
		"update": `echo "after $PULUMI_COMMAND_STDOUT and $PULUMI_COMMAND_STDERR"`,
	}
	require.NoError(t, l.update(given))
	assert.Equal(t, "after one and first", l.output("stdout"))

	given["addPreviousOutputInEnv"] = false
	require.NoError(t, l.update(given))
	assert.Equal(t, "after  and ", l.output("stdout"))
}

func TestUpdateWithoutAnUpdateCommandRunsCreate(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{"create": "echo one"}))
	require.NoError(t, l.update(inputs{"create": "echo two"}))
	assert.Equal(t, "two", l.output("stdout"))
}

func TestFailedUpdateKeepsTheState(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{"create": "echo one"}))
	require.Error(t, l.update(inputs{"create": "echo two; exit 1"}))
	assert.Equal(t, "one", l.output("stdout"))
}

func TestDeleteRunsTheDeleteCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{
		"create": "echo created", "delete": `echo "$PULUMI_COMMAND_STDOUT, deleted" > ` + file,
	}))
	require.NoError(t, l.delete())
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "created, deleted\n", string(content))
}

func TestWithoutCommandsNothingRuns(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{"environment": inputs{"A": "b"}}))
	require.NoError(t, l.update(inputs{"environment": inputs{"A": "c"}}))
	require.NoError(t, l.delete())
}

func TestDiff(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{"create": "echo", "triggers": []string{"one"}}))

	same := l.diff(inputs{"create": "echo", "triggers": []string{"one"}})
	assert.False(t, same.HasChanges)

	changed := l.diff(inputs{"create": "echo two", "triggers": []string{"one"}})
	assert.Equal(t, map[string]p.PropertyDiff{
		"create": {Kind: p.Update, InputDiff: true},
	}, withInputDiff(changed.DetailedDiff))

	// The npm package tells the engine to replace on triggers[*]: the path must be of that form.
	triggered := l.diff(inputs{"create": "echo", "triggers": []string{"two"}})
	assert.Contains(t, triggered.DetailedDiff, "triggers[0]")

	removed := l.diff(inputs{"create": "echo"})
	assert.Equal(t, p.DeleteReplace, removed.DetailedDiff["triggers"].Kind)
}

func withInputDiff(diff map[string]p.PropertyDiff) map[string]p.PropertyDiff {
	for path, change := range diff {
		change.InputDiff = true
		diff[path] = change
	}
	return diff
}

func TestWhatACommandGivenASecretWritesIsSecret(t *testing.T) {
	for _, given := range []inputs{
		{"create": "cat", "stdin": secret("hidden")},
		{"create": `echo "$PASSWORD"`, "environment": inputs{"PASSWORD": secret("hidden")}},
		{"create": secret("echo hidden")},
	} {
		l := newLifeCycle(t, localCommand)
		require.NoError(t, l.create(given))
		assert.Equal(t, "hidden", l.output("stdout"))
		assert.True(t, l.state.Get("stdout").Secret(), "stdout with %v", given)
		assert.True(t, l.state.Get("stderr").Secret(), "stderr with %v", given)
		for name := range given {
			assert.Equal(t, propertyValue(given[name]).HasSecrets(), l.state.Get(name).HasSecrets(), name)
		}
	}
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{"create": "echo", "triggers": property.New(
		[]property.Value{secret("of no use to the command")})}))
	assert.False(t, l.state.Get("stdout").Secret())
}

func TestFailureShowsTheExitCodeAndStderr(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	err := l.create(inputs{"create": "echo progress; echo the reason >&2; exit 3"})
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "stderr:\nthe reason")
	require.ErrorContains(t, err, "stdout:\nprogress")
}

func TestFailureShowsTheEndOfALongOutput(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	err := l.create(inputs{"create": "seq 100000 >&2; exit 1"})
	require.ErrorContains(t, err, "\n100000")
	assert.Less(t, len(err.Error()), 5000)
}

func TestLogging(t *testing.T) {
	for _, test := range []struct {
		logging        string
		stdout, stderr bool
	}{
		{"", true, true},
		{"stdoutAndStderr", true, true},
		{"stdout", true, false},
		{"stderr", false, true},
		{"none", false, false},
	} {
		t.Run(test.logging, func(t *testing.T) {
			given := inputs{"create": "echo on stdout; echo on stderr >&2; exit 1"}
			if test.logging != "" {
				given["logging"] = test.logging
			}
			log := captureLog(t)
			err := newLifeCycle(t, localCommand).create(given)
			require.Error(t, err)
			for _, shown := range []string{log.String(), err.Error()} {
				assert.Equal(t, test.stdout, strings.Contains(shown, "on stdout"), shown)
				assert.Equal(t, test.stderr, strings.Contains(shown, "on stderr"), shown)
			}
		})
	}
}

func TestUnknownLoggingIsRefused(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	response, err := l.server.Check(p.CheckRequest{
		Urn: l.urn, Inputs: inputs{"create": "true", "logging": "loud"}.properties(),
	})
	require.NoError(t, err)
	require.Len(t, response.Failures, 1)
	assert.Equal(t, "logging", response.Failures[0].Property)
}

func TestDirectoryThatDoesNotExist(t *testing.T) {
	err := newLifeCycle(t, localCommand).create(inputs{"create": "true", "dir": "/does/not/exist"})
	require.ErrorContains(t, err, "/does/not/exist")
}

func TestCancelKillsTheCommandAndItsChildren(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	l := newLifeCycle(t, localCommand)
	failed := make(chan error, 1)
	// The child ignores SIGTERM and holds the output open.
	given := inputs{"create": `sh -c 'trap "" TERM; echo $$ > ` + pidFile + `.tmp
		mv ` + pidFile + `.tmp ` + pidFile + `; while true; do sleep 1; done' & wait`}
	checked := l.checked(given)
	go func() {
		_, err := l.server.Create(p.CreateRequest{Urn: l.urn, Properties: checked})
		failed <- err
	}()
	require.Eventually(t, func() bool {
		_, err := os.Stat(pidFile)
		return err == nil
	}, patience, 10*time.Millisecond)

	require.NoError(t, l.server.Cancel())
	select {
	case err := <-failed:
		require.ErrorContains(t, err, "stopped: context canceled")
	case <-time.After(patience):
		t.Fatal("the command still runs")
	}
	content, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return syscall.Kill(pid, 0) == syscall.ESRCH || isZombie(pid)
	}, patience, 10*time.Millisecond)
}

// isZombie tells a process that has ended, but that nobody waits for, as in a container whose
// first process reaps no children.
func isZombie(pid int) bool {
	content, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(content), ") Z ")
}

func TestTimeoutStopsTheCommand(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	_, err := l.server.Create(p.CreateRequest{
		Urn: l.urn, Timeout: 1, Properties: l.checked(inputs{"create": "sleep 1000"}),
	})
	require.ErrorContains(t, err, "stopped: context deadline exceeded")
}

func TestFilesAreReturned(t *testing.T) {
	dir := t.TempDir()
	l := newLifeCycle(t, localCommand)
	require.NoError(t, l.create(inputs{
		"create":       "mkdir -p sub; echo 1 > a.txt; echo 2 > sub/b.txt; echo 3 > sub/secret.txt",
		"dir":          dir,
		"assetPaths":   []string{"*.txt"},
		"archivePaths": []string{"**.txt", "!**secret*"},
	}))
	assets := l.state.Get("assets").AsMap()
	assert.Equal(t, 1, assets.Len())
	assert.Equal(t, filepath.Join(dir, "a.txt"), assets.Get("a.txt").AsAsset().Path)
	members := l.state.Get("archive").AsArchive().Assets
	assert.Len(t, members, 2)
	assert.Contains(t, members, "a.txt")
	assert.Contains(t, members, "sub/b.txt")
}

func TestRunFunction(t *testing.T) {
	l := newLifeCycle(t, localCommand)
	response, err := l.server.Invoke(p.InvokeRequest{
		Token: tokens.Type("command:local:run"),
		Args:  inputs{"command": "cat", "stdin": "text"}.properties(),
	})
	require.NoError(t, err)
	require.Empty(t, response.Failures)
	assert.Equal(t, "text", response.Return.Get("stdout").AsString())
}
