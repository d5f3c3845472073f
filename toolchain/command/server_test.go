package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/blang/semver"
	"github.com/stretchr/testify/require"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/integration"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/property"
)

const (
	localCommand  = "command:local:Command"
	remoteCommand = "command:remote:Command"
)

// inputs are the properties of a resource in Go's own types.
type inputs map[string]any

func (i inputs) properties() property.Map {
	values := make(map[string]property.Value, len(i))
	for name, value := range i {
		values[name] = propertyValue(value)
	}
	return property.NewMap(values)
}

func propertyValue(value any) property.Value {
	switch value := value.(type) {
	case property.Value:
		return value
	case string:
		return property.New(value)
	case bool:
		return property.New(value)
	case int:
		return property.New(float64(value))
	case inputs:
		return property.New(value.properties())
	case []string:
		elements := make([]property.Value, len(value))
		for i, element := range value {
			elements[i] = property.New(element)
		}
		return property.New(elements)
	default:
		panic("unexpected type of an input")
	}
}

func secret(text string) property.Value { return property.New(text).WithSecret(true) }

// lifeCycle takes one resource through the calls that an engine would make.
type lifeCycle struct {
	t      *testing.T
	server integration.Server
	urn    resource.URN

	id    string
	given property.Map
	state property.Map
}

func newLifeCycle(t *testing.T, token string) *lifeCycle {
	t.Helper()
	provider, err := newProvider()
	require.NoError(t, err)
	server, err := integration.NewServer(t.Context(), pluginName, semver.MustParse(version),
		integration.WithProvider(provider))
	require.NoError(t, err)
	urn := resource.URN("urn:pulumi:stack::project::" + token + "::name")
	return &lifeCycle{t: t, server: server, urn: urn}
}

func (l *lifeCycle) checked(given inputs) property.Map {
	l.t.Helper()
	response, err := l.server.Check(p.CheckRequest{Urn: l.urn, Inputs: given.properties()})
	require.NoError(l.t, err)
	require.Empty(l.t, response.Failures)
	return response.Inputs
}

func (l *lifeCycle) create(given inputs) error {
	l.t.Helper()
	checked := l.checked(given)
	response, err := l.server.Create(p.CreateRequest{Urn: l.urn, Properties: checked})
	if err == nil {
		l.id, l.given, l.state = response.ID, checked, response.Properties
	}
	return err
}

func (l *lifeCycle) diff(given inputs) p.DiffResponse {
	l.t.Helper()
	response, err := l.server.Diff(p.DiffRequest{
		ID: l.id, Urn: l.urn, State: l.state, OldInputs: l.given, Inputs: l.checked(given),
	})
	require.NoError(l.t, err)
	return response
}

func (l *lifeCycle) update(given inputs) error {
	l.t.Helper()
	checked := l.checked(given)
	response, err := l.server.Update(p.UpdateRequest{
		ID: l.id, Urn: l.urn, State: l.state, OldInputs: l.given, Inputs: checked,
	})
	if err == nil {
		l.given, l.state = checked, response.Properties
	}
	return err
}

func (l *lifeCycle) delete() error {
	return l.server.Delete(p.DeleteRequest{ID: l.id, Urn: l.urn, Properties: l.state})
}

func (l *lifeCycle) output(name string) string {
	l.t.Helper()
	value := l.state.Get(name)
	require.True(l.t, value.IsString(), "the output %s", name)
	return value.AsString()
}

// captureLog returns what is logged from here to the end of the test.
func captureLog(t *testing.T) *bytes.Buffer {
	t.Helper()
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

func TestUnknownInputIsRefusedByName(t *testing.T) {
	for _, token := range []string{localCommand, remoteCommand} {
		given := inputs{"create": "true", "creat": "true"}
		if token == remoteCommand {
			given["connection"] = inputs{"host": "localhost"}
		}
		l := newLifeCycle(t, token)
		response, err := l.server.Check(p.CheckRequest{Urn: l.urn, Inputs: given.properties()})
		require.NoError(t, err)
		require.Len(t, response.Failures, 1)
		require.Equal(t, "creat", response.Failures[0].Property)
	}
}
