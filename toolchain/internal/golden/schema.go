// Package golden keeps the generated schema of a plugin, which is committed, equal to what its
// code says.
package golden

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	pschema "github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

var update = flag.Bool("update", false, "write schema.json instead of comparing it")

// Schema compares spec with the file at path, or writes the file when the test runs with -update.
// Descriptions are left out: programs get theirs from the npm package, and they are most of it.
func Schema(t *testing.T, path string, spec pschema.PackageSpec) {
	t.Helper()
	want, err := encode(spec)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not match the provider: run the test with -update and commit the file", path)
	}
}

func encode(spec pschema.PackageSpec) ([]byte, error) {
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	raw, err = json.MarshalIndent(withoutDescriptions(tree), "", " ")
	return append(raw, '\n'), err
}

// withoutDescriptions removes every description that is text; a property may have that name too.
func withoutDescriptions(node any) any {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if _, isText := value.(string); isText && (key == "description" || key == "deprecationMessage") {
				delete(node, key)
				continue
			}
			node[key] = withoutDescriptions(value)
		}
	case []any:
		for i, value := range node {
			node[i] = withoutDescriptions(value)
		}
	}
	return node
}
