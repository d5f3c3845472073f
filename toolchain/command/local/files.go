package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/glob"

	"github.com/pulumi/pulumi-go-provider/infer/types"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"
)

// assets are the files that AssetPaths match, or nil where none are asked for.
func (e Execution) assets() (*map[string]types.AssetOrArchive, error) {
	if e.AssetPaths == nil {
		return nil, nil
	}
	files, err := matchFiles(e.directory(), *e.AssetPaths)
	if err != nil {
		return nil, fmt.Errorf("assetPaths: %w", err)
	}
	assets := make(map[string]types.AssetOrArchive, len(files))
	for path, file := range files {
		assets[path] = types.AssetOrArchive{Asset: file}
	}
	return &assets, nil
}

// archive holds the files that ArchivePaths match, or is nil where none are asked for.
func (e Execution) archive() (*types.AssetOrArchive, error) {
	if e.ArchivePaths == nil {
		return nil, nil
	}
	files, err := matchFiles(e.directory(), *e.ArchivePaths)
	if err != nil {
		return nil, fmt.Errorf("archivePaths: %w", err)
	}
	members := make(map[string]any, len(files))
	for path, member := range files {
		members[path] = member
	}
	archive, err := resource.NewAssetArchive(members)
	if err != nil {
		return nil, fmt.Errorf("archivePaths: %w", err)
	}
	return &types.AssetOrArchive{Archive: archive}, nil
}

// rule includes or, written with a leading "!", excludes files.
type rule struct {
	pattern glob.Glob
	exclude bool
}

// matchFiles returns the files below directory, by their slash-separated path from there, for
// which the last rule that matches includes them. "*" stops at a slash, "**" does not.
func matchFiles(directory string, patterns []string) (map[string]*resource.Asset, error) {
	rules := make([]rule, 0, len(patterns))
	for _, pattern := range patterns {
		text, exclude := strings.CutPrefix(pattern, "!")
		compiled, err := glob.Compile(text, '/')
		if err != nil {
			return nil, fmt.Errorf("the pattern %q: %w", pattern, err)
		}
		rules = append(rules, rule{compiled, exclude})
	}
	matched := map[string]*resource.Asset{}
	err := fs.WalkDir(os.DirFS(directory), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !included(rules, path) {
			return err
		}
		matched[path], err = asset.FromPath(filepath.Join(directory, filepath.FromSlash(path)))
		return err
	})
	return matched, err
}

func included(rules []rule, path string) bool {
	include := false
	for _, rule := range rules {
		if rule.pattern.Match(path) {
			include = !rule.exclude
		}
	}
	return include
}
