package main

import (
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"

	"mlops/toolchain/internal/golden"
)

func TestSchemaIsCurrent(t *testing.T) {
	result, err := tfgen.GenerateSchemaWithOptions(tfgen.GenerateSchemaOptions{
		ProviderInfo:  newProvider(),
		XInMemoryDocs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	golden.Schema(t, "schema.json", result.PackageSpec)
}
