package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	p "github.com/pulumi/pulumi-go-provider"
)

// withoutAgent keeps the keys of the person who runs the tests out of them.
func withoutAgent(t *testing.T) { t.Setenv("SSH_AUTH_SOCK", "") }

func TestRemoteLifeCycle(t *testing.T) {
	withoutAgent(t)
	server := startSSHServer(t, nil)
	server.accept("NAME", "PULUMI_COMMAND_STDOUT")
	file := filepath.Join(t.TempDir(), "file")
	given := inputs{
		"connection":  server.connection(),
		"create":      `cat; echo "$NAME"; echo "to stderr" >&2`,
		"update":      `echo "after $PULUMI_COMMAND_STDOUT"`,
		"delete":      `echo "after $PULUMI_COMMAND_STDOUT" > ` + file,
		"stdin":       "from stdin ",
		"environment": inputs{"NAME": "and the environment"},
	}
	l := newLifeCycle(t, remoteCommand)
	require.NoError(t, l.create(given))
	assert.Equal(t, "from stdin and the environment", l.output("stdout"))
	assert.Equal(t, "to stderr", l.output("stderr"))
	assert.True(t, l.state.Get("connection").Secret(), "the connection is secret")
	assert.False(t, l.state.Get("stdout").HasSecrets())

	require.False(t, l.diff(given).HasChanges)
	given["stdin"] = ""
	require.True(t, l.diff(given).HasChanges)
	require.NoError(t, l.update(given))
	assert.Equal(t, "after from stdin and the environment", l.output("stdout"))

	require.NoError(t, l.delete())
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "after after from stdin and the environment\n", string(content))
}

func TestRemoteFailureShowsStderr(t *testing.T) {
	withoutAgent(t)
	server := startSSHServer(t, nil)
	err := newLifeCycle(t, remoteCommand).create(inputs{
		"connection": server.connection(), "create": "echo the reason >&2; exit 3",
	})
	require.ErrorContains(t, err, "status 3")
	require.ErrorContains(t, err, "the reason")
}

func TestRemoteEnvironmentThatTheServerRefuses(t *testing.T) {
	withoutAgent(t)
	server := startSSHServer(t, nil)
	err := newLifeCycle(t, remoteCommand).create(inputs{
		"connection": server.connection(), "create": "true", "environment": inputs{"NAME": "value"},
	})
	require.ErrorContains(t, err, "NAME")
	require.ErrorContains(t, err, "AcceptEnv")
}

func TestRemoteSecrets(t *testing.T) {
	withoutAgent(t)
	server := startSSHServer(t, nil)
	l := newLifeCycle(t, remoteCommand)
	require.NoError(t, l.create(inputs{
		"connection": server.connection(), "create": "cat", "stdin": secret("hidden"),
	}))
	assert.Equal(t, "hidden", l.output("stdout"))
	assert.True(t, l.state.Get("stdout").Secret())
}

func TestRemoteLogin(t *testing.T) {
	withoutAgent(t)
	key, plain := newKey(t, "")
	lockedKey, locked := newKey(t, "key password")
	other, _ := newKey(t, "")

	server := startSSHServer(t, key)
	lockedServer := startSSHServer(t, lockedKey)
	for _, test := range []struct {
		name   string
		server *sshServer
		change inputs
		fails  string
	}{
		{name: "password", server: server, change: inputs{}},
		{name: "wrong password", server: server, change: inputs{"password": "x"},
			fails: "unable to authenticate"},
		{name: "key before password", server: server,
			change: inputs{"privateKey": secret(plain), "password": "x"}},
		{name: "encrypted key", server: lockedServer,
			change: inputs{"privateKey": locked, "privateKeyPassword": "key password", "password": "x"}},
		{name: "encrypted key without its password", server: lockedServer,
			change: inputs{"privateKey": locked}, fails: "connection.privateKeyPassword"},
		{name: "no key", server: server, change: inputs{"privateKey": "nonsense"},
			fails: "connection.privateKey"},
		{name: "host key", server: server, change: inputs{"hostKey": server.publicKey()}},
		{name: "other host key", server: server,
			change: inputs{"hostKey": (&sshServer{hostKey: other}).publicKey()}, fails: "host key"},
		{name: "no host key", server: server, change: inputs{"hostKey": "nonsense"},
			fails: "connection.hostKey"},
	} {
		t.Run(test.name, func(t *testing.T) {
			connection := test.server.connection()
			for name, value := range test.change {
				connection[name] = value
			}
			err := newLifeCycle(t, remoteCommand).create(
				inputs{"connection": connection, "create": "true"})
			if test.fails == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.fails)
			}
		})
	}
}

func TestRemoteLoginByAgent(t *testing.T) {
	key, private := newKey(t, "")
	raw, err := ssh.ParseRawPrivateKey([]byte(private))
	require.NoError(t, err)
	keys := agent.NewKeyring()
	require.NoError(t, keys.Add(agent.AddedKey{PrivateKey: raw}))
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, connection) }()
		}
	}()

	server := startSSHServer(t, key)
	connection := server.connection()
	delete(connection, "password")
	withoutAgent(t)
	require.Error(t, newLifeCycle(t, remoteCommand).create(
		inputs{"connection": connection, "create": "true"}))
	t.Setenv("SSH_AUTH_SOCK", socket)
	require.NoError(t, newLifeCycle(t, remoteCommand).create(
		inputs{"connection": connection, "create": "true"}))
	t.Setenv("SSH_AUTH_SOCK", "/does/not/exist")
	connection["agentSocketPath"] = socket
	require.NoError(t, newLifeCycle(t, remoteCommand).create(
		inputs{"connection": connection, "create": "true"}))
}

func TestRemoteThroughAProxy(t *testing.T) {
	withoutAgent(t)
	server, proxy := startSSHServer(t, nil), startSSHServer(t, nil)
	connection := server.connection()
	connection["proxy"] = proxy.connection()
	l := newLifeCycle(t, remoteCommand)
	require.NoError(t, l.create(inputs{"connection": connection, "create": "echo far"}))
	assert.Equal(t, "far", l.output("stdout"))
	assert.Equal(t, 1, proxy.forwards())
}

func TestRemoteTriesAgain(t *testing.T) {
	withoutAgent(t)
	attempt := func(limit int) error {
		server := startSSHServer(t, nil)
		server.refuseNext(2)
		connection := server.connection()
		connection["dialErrorLimit"] = limit
		return newLifeCycle(t, remoteCommand).create(
			inputs{"connection": connection, "create": "true"})
	}
	require.ErrorContains(t, attempt(1), "after 2 attempts")
	require.NoError(t, attempt(2))
	require.NoError(t, attempt(-1))
}

func TestRemoteServerThatNeverAnswers(t *testing.T) {
	withoutAgent(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	silent := sshServer{port: listener.Addr().(*net.TCPAddr).Port}
	connection := silent.connection()
	connection["perDialTimeout"] = 1
	err = newLifeCycle(t, remoteCommand).create(
		inputs{"connection": connection, "create": "true"})
	require.ErrorContains(t, err, "SSH handshake: context deadline exceeded")
}

func TestCancelEndsTheRemoteCommand(t *testing.T) {
	withoutAgent(t)
	server := startSSHServer(t, nil)
	dir := t.TempDir()
	started, ended := filepath.Join(dir, "started"), filepath.Join(dir, "ended")
	l := newLifeCycle(t, remoteCommand)
	failed := make(chan error, 1)
	checked := l.checked(inputs{
		"connection": server.connection(),
		"create": strings.NewReplacer("STARTED", started, "ENDED", ended).Replace(
			`trap 'touch ENDED; exit' TERM; touch STARTED; while true; do sleep 1; done`),
	})
	go func() {
		_, err := l.server.Create(p.CreateRequest{Urn: l.urn, Properties: checked})
		failed <- err
	}()
	exists := func(file string) func() bool {
		return func() bool {
			_, err := os.Stat(file)
			return err == nil
		}
	}
	require.Eventually(t, exists(started), patience, 10*time.Millisecond)
	require.NoError(t, l.server.Cancel())
	select {
	case err := <-failed:
		require.ErrorContains(t, err, "stopped: context canceled")
	case <-time.After(patience):
		t.Fatal("the command still runs")
	}
	require.Eventually(t, exists(ended), patience, 10*time.Millisecond)
}
