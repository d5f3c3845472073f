package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	p "github.com/pulumi/pulumi-go-provider"
	pschema "github.com/pulumi/pulumi/pkg/v3/codegen/schema"

	"mlops/toolchain/internal/golden"
)

func TestSchemaIsCurrent(t *testing.T) {
	served, err := newLifeCycle(t, localCommand).server.GetSchema(p.GetSchemaRequest{})
	require.NoError(t, err)
	var spec pschema.PackageSpec
	require.NoError(t, json.Unmarshal([]byte(served.Schema), &spec))
	golden.Schema(t, "schema.json", spec)
}
