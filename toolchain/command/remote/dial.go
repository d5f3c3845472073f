package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/retry"
)

// dialFunc opens a TCP connection: from this machine or, for a proxy's client, from the proxy.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dial connects and logs in, through the proxy if there is one. It tries again, since a machine
// that was just made may not listen yet, until the limit of errors is reached or ctx ends.
func (c Connection) dial(ctx context.Context) (*ssh.Client, error) {
	if c.Proxy == nil {
		return c.Endpoint.dial(ctx, (&net.Dialer{}).DialContext)
	}
	proxy, err := c.Proxy.Endpoint.dial(ctx, (&net.Dialer{}).DialContext)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	client, err := c.Endpoint.dial(ctx, proxy.DialContext)
	if err != nil {
		_ = proxy.Close()
		return nil, err
	}
	// The proxy's connection is of no use after the one that runs through it.
	go func() {
		_ = client.Wait()
		_ = proxy.Close()
	}()
	return client, nil
}

// dial connects to one server by way of dialTCP.
func (e Endpoint) dial(ctx context.Context, dialTCP dialFunc) (*ssh.Client, error) {
	login, closeAgent, err := e.login()
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	limit := valueOr(e.DialErrorLimit, defaultDialErrorLimit)

	var client *ssh.Client
	ok, _, err := retry.Until(ctx, retry.Acceptor{
		Accept: func(try int, _ time.Duration) (bool, any, error) {
			var err error
			client, err = e.dialOnce(ctx, dialTCP, login)
			if err == nil {
				return true, nil, nil
			}
			p.GetLogger(ctx).InfoStatusf("connecting, attempt %d: %v", try+1, err)
			if limit != unlimitedDialErrors && try >= limit {
				return false, nil, fmt.Errorf("connect to %s as %s, after %d attempts: %w",
					e.address(), login.User, try+1, err)
			}
			return false, nil, nil
		},
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("connect to %s: stopped: %w", e.address(), context.Cause(ctx))
	}
	return client, nil
}

func (e Endpoint) dialOnce(
	ctx context.Context, dialTCP dialFunc, login *ssh.ClientConfig,
) (*ssh.Client, error) {
	if seconds := valueOr(e.PerDialTimeout, defaultPerDialTimeout); seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
	}
	connection, err := dialTCP(ctx, "tcp", e.address())
	if err != nil {
		return nil, err
	}
	// The handshake takes no context, and a connection through a proxy no deadline.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	client, channels, requests, err := ssh.NewClientConn(connection, e.address(), login)
	if !stop() {
		return nil, fmt.Errorf("SSH handshake: %w", context.Cause(ctx))
	}
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return ssh.NewClient(client, channels, requests), nil
}

func (e Endpoint) address() string {
	return net.JoinHostPort(e.Host, strconv.Itoa(int(valueOr(e.Port, defaultPort))))
}

// login offers, in this order, the private key, the agent's keys and the password. The agent must
// stay open until the login is over.
func (e Endpoint) login() (config *ssh.ClientConfig, closeAgent func(), err error) {
	closeAgent = func() {}
	config = &ssh.ClientConfig{User: valueOr(e.User, defaultUser)}
	if config.HostKeyCallback, err = e.checkHostKey(); err != nil {
		return nil, nil, err
	}
	if e.PrivateKey != nil {
		signer, err := e.signer()
		if err != nil {
			return nil, nil, err
		}
		config.Auth = append(config.Auth, ssh.PublicKeys(signer))
	}
	if socket := valueOr(e.AgentSocketPath, os.Getenv("SSH_AUTH_SOCK")); socket != "" {
		connection, err := net.Dial("unix", socket)
		if err != nil {
			return nil, nil, fmt.Errorf("reach the SSH agent: %w", err)
		}
		closeAgent = func() { _ = connection.Close() }
		config.Auth = append(config.Auth,
			ssh.PublicKeysCallback(agent.NewClient(connection).Signers))
	}
	if e.Password != nil {
		config.Auth = append(config.Auth, ssh.Password(*e.Password),
			ssh.KeyboardInteractive(e.answerWithPassword))
	}
	return config, closeAgent, nil
}

func (e Endpoint) signer() (ssh.Signer, error) {
	if e.PrivateKeyPassword != nil {
		signer, err := ssh.ParsePrivateKeyWithPassphrase(
			[]byte(*e.PrivateKey), []byte(*e.PrivateKeyPassword))
		if err != nil {
			return nil, fmt.Errorf("connection.privateKey with connection.privateKeyPassword: %w", err)
		}
		return signer, nil
	}
	signer, err := ssh.ParsePrivateKey([]byte(*e.PrivateKey))
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) {
		return nil, errors.New("connection.privateKey is encrypted: " +
			"give its password as connection.privateKeyPassword")
	}
	if err != nil {
		return nil, fmt.Errorf("connection.privateKey: %w", err)
	}
	return signer, nil
}

func (e Endpoint) checkHostKey() (ssh.HostKeyCallback, error) {
	if e.HostKey == nil {
		return ssh.InsecureIgnoreHostKey(), nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(*e.HostKey))
	if err != nil {
		return nil, fmt.Errorf("connection.hostKey is not a public key "+
			"such as \"ssh-ed25519 AAAA…\": %w", err)
	}
	return ssh.FixedHostKey(key), nil
}

func (e Endpoint) answerWithPassword(_, _ string, questions []string, _ []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i := range answers {
		answers[i] = *e.Password
	}
	return answers, nil
}

func valueOr[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}
