package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func TestRequiredPackages(t *testing.T) {
	root := t.TempDir()
	modules := filepath.Join(root, "node_modules")
	for path, content := range map[string]string{
		"plain/package.json":          `{"name": "plain", "version": "1.0.0"}`,
		"@pulumi/pulumi/package.json": `{"name": "@pulumi/pulumi", "version": "3.0.0"}`,
		"@pulumi/docker/package.json": `{"name": "@pulumi/docker", "version": "5.2.0", "pulumi": {"resource": true, "name": "docker", "version": "5.2.0"}}`,
		"@pulumi/random/package.json": `{"name": "@pulumi/random", "version": "4.0.0", "pulumi": {"resource": true}}`,
		"@pulumi/x/node_modules/third/package.json": `{"name": "third", "version": "0.1.0", "pulumi":
			{"resource": true, "name": "three", "version": "v2.0.0", "server": "https://plugins.example"}}`,
		"@pulumi/x/package.json":   `{"name": "@pulumi/x", "pulumi": {"resource": false}}`,
		"keyword/package.json":     `{"name": "keyword", "keywords": ["pulumi"], "pulumi": "yes"}`,
		".package-lock.json":       `{"pulumi": {"resource": true}}`,
		"broken/package.json":      `{"pulumi"`,
		"no-manifest/readme.md":    `"pulumi"`,
		"again/@pulumi/readme.txt": ``,
	} {
		writeFile(t, filepath.Join(modules, path), content)
	}
	require.NoError(t, os.Symlink("../plain", filepath.Join(modules, "@pulumi", "linked")))
	require.NoError(t, os.Symlink(modules, filepath.Join(modules, "plain", "node_modules")))
	program := filepath.Join(root, "program")
	writeFile(t, filepath.Join(program, "node_modules", "@pulumi", "docker", "package.json"),
		`{"name": "@pulumi/docker", "version": "4.0.0", "pulumi": {"resource": true, "name": "docker"}}`)

	packages, err := requiredPackages(program)
	require.NoError(t, err)
	found := map[string]string{}
	for _, one := range packages {
		assert.Equal(t, "resource", one.GetKind())
		found[one.GetName()+"@"+one.GetVersion()] = one.GetServer()
	}
	assert.Equal(t, map[string]string{
		"docker@v4.0.0": "", "docker@v5.2.0": "", "random@v4.0.0": "",
		"three@v2.0.0": "https://plugins.example",
	}, found)
}

func TestPackageThatDoesNotNameItsPlugin(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "node_modules", "third", "package.json"),
		`{"name": "third", "version": "1.0.0", "pulumi": {"resource": true}}`)
	_, err := requiredPackages(root)
	require.ErrorContains(t, err, "third")
	require.ErrorContains(t, err, "pulumi.name")
}
