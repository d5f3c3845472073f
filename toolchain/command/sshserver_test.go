package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// sshServer runs what its clients ask for by /bin/sh, on a port of the loopback interface.
type sshServer struct {
	port    int
	hostKey ssh.Signer

	mutex sync.Mutex
	// accepted names the environment variables that clients may set.
	accepted map[string]bool
	// refused is how many connections are dropped before one is served.
	refused   int
	forwarded int
}

const (
	sshUser     = "somebody"
	sshPassword = "correct horse"
)

// newKey returns a key and its private half in OpenSSH format, encrypted if there is a password.
func newKey(t *testing.T, password string) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	var block *pem.Block
	if password == "" {
		block, err = ssh.MarshalPrivateKey(private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(password))
	}
	require.NoError(t, err)
	return signer, string(pem.EncodeToMemory(block))
}

// startSSHServer lets sshUser in with sshPassword or with the key authorized, if given.
func startSSHServer(t *testing.T, authorized ssh.Signer) *sshServer {
	t.Helper()
	hostKey, _ := newKey(t, "")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &sshServer{
		port:     listener.Addr().(*net.TCPAddr).Port,
		hostKey:  hostKey,
		accepted: map[string]bool{},
	}
	config := &ssh.ServerConfig{
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.User() != sshUser || string(password) != sshPassword {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if authorized == nil || string(key.Marshal()) != string(authorized.PublicKey().Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
	}
	config.AddHostKey(hostKey)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			if server.drop() {
				_ = connection.Close()
				continue
			}
			go server.serve(connection, config)
		}
	}()
	return server
}

func (s *sshServer) drop() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refused--
	return s.refused >= 0
}

func (s *sshServer) refuseNext(connections int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refused = connections
}

func (s *sshServer) accept(names ...string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, name := range names {
		s.accepted[name] = true
	}
}

func (s *sshServer) accepts(name string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.accepted[name]
}

func (s *sshServer) forwards() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.forwarded
}

// publicKey is the host key as in an authorized_keys file.
func (s *sshServer) publicKey() string {
	return string(ssh.MarshalAuthorizedKey(s.hostKey.PublicKey()))
}

// connection are inputs that reach this server with the password.
func (s *sshServer) connection() inputs {
	return inputs{
		"host": "127.0.0.1", "port": s.port, "user": sshUser, "password": secret(sshPassword),
		"dialErrorLimit": 0,
	}
}

func (s *sshServer) serve(connection net.Conn, config *ssh.ServerConfig) {
	server, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		return
	}
	defer server.Close()
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			go s.session(channel)
		case "direct-tcpip":
			go s.forward(channel)
		default:
			_ = channel.Reject(ssh.UnknownChannelType, "")
		}
	}
}

// forward connects the channel to the address that RFC 4254, section 7.2, puts into its request.
func (s *sshServer) forward(channel ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(channel.ExtraData(), &target); err != nil {
		_ = channel.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	address := net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port)))
	connection, err := net.Dial("tcp", address)
	if err != nil {
		_ = channel.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	accepted, requests, err := channel.Accept()
	if err != nil {
		return
	}
	s.mutex.Lock()
	s.forwarded++
	s.mutex.Unlock()
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(connection, accepted)
		_ = connection.Close()
	}()
	_, _ = io.Copy(accepted, connection)
	_ = accepted.Close()
}

func (s *sshServer) session(newChannel ssh.NewChannel) {
	channel, requests, err := newChannel.Accept()
	if err != nil {
		return
	}
	var environment []string
	var running *exec.Cmd
	for request := range requests {
		var ok bool
		switch request.Type {
		case "env":
			var variable struct{ Name, Value string }
			ok = ssh.Unmarshal(request.Payload, &variable) == nil && s.accepts(variable.Name)
			if ok {
				environment = append(environment, variable.Name+"="+variable.Value)
			}
		case "exec":
			var line struct{ Text string }
			ok = ssh.Unmarshal(request.Payload, &line) == nil
			running = exec.Command("/bin/sh", "-c", line.Text)
			running.Env = append(running.Environ(), environment...)
			running.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			running.Stdout, running.Stderr = channel, channel.Stderr()
			stdin, err := running.StdinPipe()
			if ok = ok && err == nil && running.Start() == nil; ok {
				go func() {
					_, _ = io.Copy(stdin, channel)
					_ = stdin.Close()
				}()
				go finish(running, channel)
			}
		case "signal":
			if ok = running != nil; ok {
				_ = syscall.Kill(-running.Process.Pid, syscall.SIGTERM)
			}
		}
		if request.WantReply {
			_ = request.Reply(ok, nil)
		}
	}
}

func finish(running *exec.Cmd, channel ssh.Channel) {
	_ = running.Wait()
	status := struct{ Code uint32 }{uint32(running.ProcessState.ExitCode())}
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
	_ = channel.Close()
}
