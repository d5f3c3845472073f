package remote

import (
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Endpoint is an SSH server and how to log in there.
type Endpoint struct {
	// Host is the address or name of the server.
	Host string `pulumi:"host"`
	// Port is the server's TCP port. Default 22.
	Port *float64 `pulumi:"port,optional"`
	// User is whom to log in as. Default root.
	User *string `pulumi:"user,optional"`
	// Password logs in where no key does.
	Password *string `pulumi:"password,optional"`
	// PrivateKey is the text of a key in PEM or OpenSSH format.
	PrivateKey *string `pulumi:"privateKey,optional"`
	// PrivateKeyPassword decrypts PrivateKey.
	PrivateKeyPassword *string `pulumi:"privateKeyPassword,optional"`
	// AgentSocketPath is the socket of an SSH agent. Default: the variable SSH_AUTH_SOCK.
	AgentSocketPath *string `pulumi:"agentSocketPath,optional"`
	// HostKey is the server's public key, as in an authorized_keys file ("ssh-ed25519 AAAA…").
	// Without it, any key is accepted.
	HostKey *string `pulumi:"hostKey,optional"`
	// DialErrorLimit is how many failed attempts to connect are accepted; -1 is no limit.
	// Default 10.
	DialErrorLimit *int `pulumi:"dialErrorLimit,optional"`
	// PerDialTimeout is how many seconds one attempt may take; 0 is no limit. Default 15.
	PerDialTimeout *int `pulumi:"perDialTimeout,optional"`
}

// The defaults, which the npm package fills in as well.
const (
	defaultPort           = 22
	defaultUser           = "root"
	defaultDialErrorLimit = 10
	defaultPerDialTimeout = 15
	unlimitedDialErrors   = -1
)

// annotate writes the defaults into the schema.
func (e *Endpoint) annotate(annotator infer.Annotator) {
	annotator.SetDefault(&e.Port, defaultPort)
	annotator.SetDefault(&e.User, defaultUser)
	annotator.SetDefault(&e.DialErrorLimit, defaultDialErrorLimit)
	annotator.SetDefault(&e.PerDialTimeout, defaultPerDialTimeout)
}

// Connection is how to reach a machine.
type Connection struct {
	Endpoint
	// Proxy is a server to connect through, if the machine cannot be reached directly.
	Proxy *ProxyConnection `pulumi:"proxy,optional"`
}

// Annotate implements infer.Annotated.
func (c *Connection) Annotate(annotator infer.Annotator) { c.annotate(annotator) }

// ProxyConnection is how to reach the server to connect through.
type ProxyConnection struct {
	Endpoint
}

// Annotate implements infer.Annotated.
func (c *ProxyConnection) Annotate(annotator infer.Annotator) { c.annotate(annotator) }
