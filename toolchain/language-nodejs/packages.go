package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// manifest is the part of a package.json that says whether the package needs a provider plugin.
type manifest struct {
	Name    string                   `json:"name"`
	Version string                   `json:"version"`
	Pulumi  *plugin.PulumiPluginJSON `json:"pulumi"`
}

// requiredPackages finds the packages with a provider plugin in every node_modules folder that a
// program in directory can load from.
func requiredPackages(directory string) ([]*pulumirpc.PackageDependency, error) {
	search := packageSearch{visited: map[string]bool{}, found: map[string]bool{}}
	for {
		if err := search.modules(filepath.Join(directory, "node_modules")); err != nil {
			return nil, err
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return search.packages, nil
		}
		directory = parent
	}
}

type packageSearch struct {
	// visited holds folders with links resolved, so that linked packages end the walk.
	visited map[string]bool
	// found holds name@version of the packages collected so far.
	found    map[string]bool
	packages []*pulumirpc.PackageDependency
}

// modules looks through one node_modules folder, which need not exist.
func (s *packageSearch) modules(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		switch {
		case strings.HasPrefix(entry.Name(), "."):
			// Folders of npm itself.
		case strings.HasPrefix(entry.Name(), "@"):
			if err := s.modules(path); err != nil {
				return err
			}
		case entry.IsDir() || entry.Type()&fs.ModeSymlink != 0:
			if err := s.pack(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// pack looks at one package and at those installed below it.
func (s *packageSearch) pack(folder string) error {
	real, err := filepath.EvalSymlinks(folder)
	if err != nil || s.visited[real] {
		// A link to nothing is no package.
		return nil
	}
	s.visited[real] = true
	path := filepath.Join(real, "package.json")
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	// Few packages have the key, and parsing all of them costs more than reading them.
	case strings.Contains(string(content), `"pulumi"`):
		if err := s.collect(path, content); err != nil {
			return err
		}
	}
	return s.modules(filepath.Join(real, "node_modules"))
}

func (s *packageSearch) collect(path string, content []byte) error {
	var read manifest
	if err := json.Unmarshal(content, &read); err != nil {
		// Other packages may use the key for something else.
		return nil
	}
	if read.Pulumi == nil || !read.Pulumi.Resource {
		return nil
	}
	name := read.Pulumi.Name
	if name == "" {
		var official bool
		if name, official = strings.CutPrefix(read.Name, "@pulumi/"); !official {
			return fmt.Errorf(`%s: a package outside @pulumi must name its plugin in "pulumi.name"`, path)
		}
	}
	version := read.Pulumi.Version
	if version == "" {
		version = read.Version
	}
	if s.found[name+"@"+version] {
		return nil
	}
	s.found[name+"@"+version] = true
	s.packages = append(s.packages, &pulumirpc.PackageDependency{
		Name:    name,
		Kind:    "resource",
		Version: "v" + strings.TrimPrefix(version, "v"),
		Server:  read.Pulumi.Server,
	})
	return nil
}
