// SPDX-License-Identifier: Apache-2.0

package traboule_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/traboule/traboule"

// layers is the architecture, from the bottom up: each package, and which of
// our own it may import. "x/…" stands for every package below x. Arrows only
// point down, and protocol and storage never meet but in node.
//
// What is not in the table falls under its nearest parent's row.
var layers = map[string][]string{
	"crypto":           {"crypto/canonical"},
	"crypto/canonical": {},

	// What two nodes say to each other.
	"protocol":          {"crypto", "crypto/canonical"},
	"protocol/ucan":     {"crypto", "crypto/canonical"},
	"protocol/grant":    {"protocol/ucan", "crypto", "crypto/canonical"},
	"protocol/envelope": {"crypto", "crypto/canonical"},
	"protocol/pipe":     {"protocol", "crypto"}, // streams in memory, for tests
	"protocol/transfer": {"protocol", "protocol/pipe", "protocol/grant", "protocol/ucan", "crypto", "crypto/canonical"},
	"protocol/offer":    {"protocol", "protocol/pipe", "protocol/grant", "protocol/ucan", "crypto", "crypto/canonical"},
	"protocol/contact":  {"protocol", "protocol/pipe", "crypto", "crypto/canonical"},

	// What one node keeps.
	"storage":               {"crypto", "crypto/canonical"},
	"storage/disk":          {},
	"storage/disk/disktest": {"storage/disk"},
	"storage/blocks":        {"storage/disk/…", "crypto", "crypto/canonical"},
	"storage/journal":       {"storage/disk/…", "crypto", "crypto/canonical"},
	"storage/index":         {"storage/disk", "crypto", "crypto/canonical"},
	"storage/car":           {"crypto"},
	"storage/record":        {"crypto/canonical"},
	"storage/catalogue":     {"storage/record"},
	"storage/importer":      {"storage/catalogue", "storage/record"},
	"storage/importer/pdf":  {},
	"storage/storetest":     {"storage/…", "crypto"},
	"storage/vault":         {"storage", "storage/blocks/…", "storage/journal", "storage/index", "storage/disk/…", "crypto", "crypto/canonical"},

	// The parts of the node: they know the layers below, not each other.
	"node/access":   {"protocol/…", "crypto", "crypto/canonical"},
	"node/consent":  {"protocol/…", "storage/…", "crypto", "crypto/canonical"},
	"node/view":     {"storage/…", "crypto"},
	"node/compute":  {"storage/…", "crypto"},
	"node/p2p":      {"protocol", "crypto"},
	"node/client":   {"protocol/…", "crypto"},
	"node/messages": {},
	"node/problem":  {},
	"node/control":  {"node/problem"},
	"node/web":      {"node", "node/messages"},
	"node":          {"node/access", "node/consent", "node/view", "node/compute", "node/p2p", "node/control", "node/problem", "protocol/…", "storage/…", "crypto/…"},

	// The ways in.
	"cmd/traboule": {"node", "node/control", "node/messages", "node/problem", "node/web"},
	"testnet":      {"node/…", "protocol/…", "storage/…", "crypto/…"},
}

// toCome are the rows that have no folder yet; docs/architecture.md says so.
var toCome = []string{"node/consent", "node/compute", "node/client", "node/web"}

// TestRowsAreThere: a row without a folder is marked as to come, and no other.
func TestRowsAreThere(t *testing.T) {
	for row := range layers {
		_, err := os.Stat(filepath.FromSlash(row))
		if there := err == nil; there == slices.Contains(toCome, row) {
			t.Errorf("%s: is its folder there? %v; marked as to come? %v", row, there, there)
		}
	}
}

// guests are the large libraries that only one place may know.
var guests = []struct {
	prefix string
	where  []string // our packages that may import it, subfolders included
}{
	{"github.com/libp2p/go-libp2p", []string{"node/p2p", "testnet"}},
	{"github.com/dgraph-io/badger", []string{"storage/index"}},
	{"github.com/tetratelabs/wazero", []string{"node/compute"}},
	{"crypto/hpke", []string{"crypto"}},
	{"github.com/ipld/go-car", []string{"storage/car"}},
	{"github.com/ipfs/boxo/ipld", []string{"storage/car"}},
}

// file is what the layer test reads of one Go file.
type file struct {
	path    string
	folder  string
	test    bool
	comment bool // it carries the package comment
	imports []string
}

// TestLayers fails when an arrow of the architecture runs the wrong way.
func TestLayers(t *testing.T) {
	files, err := parseTree(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults(files) {
		t.Error(f)
	}
	report(t, files)
}

// TestLayersNoticePlantedImports is the positive control: each planted fault
// must be found, and named.
func TestLayersNoticePlantedImports(t *testing.T) {
	const head = "// SPDX-License-Identifier: Apache-2.0\n\n// Package x is planted.\npackage x\n\n"
	tests := []struct{ name, path, source, want string }{
		{"storage says protocol", "storage/vault/planted.go", head + `import _ "github.com/traboule/traboule/protocol/ucan"`, "storage/vault may not import protocol/ucan"},
		{"protocol says storage", "protocol/transfer/planted.go", head + `import _ "github.com/traboule/traboule/storage"`, "protocol/transfer may not import storage"},
		{"upwards", "crypto/planted.go", head + `import _ "github.com/traboule/traboule/node"`, "crypto may not import node"},
		{"a part knows a part", "node/access/planted.go", head + `import _ "github.com/traboule/traboule/node/p2p"`, "node/access may not import node/p2p"},
		{"a test file too", "protocol/planted_test.go", head + `import _ "github.com/traboule/traboule/storage"`, "protocol may not import storage"},
		{"commands reach past the node", "cmd/traboule/planted.go", head + `import _ "github.com/traboule/traboule/storage/vault"`, "cmd/traboule may not import storage/vault"},
		{"a second libp2p", "node/planted_test.go", head + `import _ "github.com/libp2p/go-libp2p/core/peer"`, "only node/p2p, testnet may import github.com/libp2p/go-libp2p"},
		{"a second badger", "storage/vault/planted.go", head + `import _ "github.com/dgraph-io/badger/v4"`, "only storage/index may import github.com/dgraph-io/badger"},
		{"a second wazero", "node/view/planted.go", head + `import _ "github.com/tetratelabs/wazero"`, "only node/compute may import github.com/tetratelabs/wazero"},
		{"no package comment", "node/view/planted.go", "package view", "node/view has no package comment"},
		{"outside the layout", "helpers/planted.go", head, "helpers is not in the layout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files, err := parseTree(fstest.MapFS{tt.path: {Data: []byte(tt.source)}})
			if err != nil {
				t.Fatal(err)
			}
			found := faults(files)
			if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, tt.want) }) {
				t.Fatalf("planted %s: want a fault with %q, got %q", tt.path, tt.want, found)
			}
		})
	}
}

// parseTree reads the imports of all Go files, in-process, so that the test
// cache knows which files the answer depends on.
func parseTree(root fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipFolder(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || path.Dir(name) == ".":
			return nil
		}
		f, err := parseFile(root, name)
		files = append(files, f)
		return err
	})
	return files, err
}

// skipFolder leaves out what the go command leaves out.
func skipFolder(name string) bool {
	base := path.Base(name)
	return base == "testdata" || base != "." && (base[0] == '.' || base[0] == '_')
}

func parseFile(root fs.FS, name string) (file, error) {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return file{}, err
	}
	tree, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return file{}, fmt.Errorf("parse %s: %w", name, err)
	}
	f := file{path: name, folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go")}
	f.comment = tree.Doc != nil && strings.TrimSpace(tree.Doc.Text()) != ""
	for _, i := range tree.Imports {
		f.imports = append(f.imports, strings.Trim(i.Path.Value, `"`))
	}
	return f, nil
}

// faults lists every arrow that runs the wrong way and every package without
// its sentence.
func faults(files []file) []string {
	var found []string
	commented := map[string]bool{}
	for _, f := range files {
		commented[f.folder] = commented[f.folder] || f.comment && !f.test
		for _, i := range f.imports {
			found = append(found, wrongArrow(f, i)...)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(commented)) {
		if !commented[folder] && !onlyTests(files, folder) {
			found = append(found, folder+" has no package comment")
		}
		if _, ok := allowed(folder); !ok {
			found = append(found, folder+" is not in the layout: give it a row in layers_test.go")
		}
	}
	return found
}

func wrongArrow(f file, target string) []string {
	own, isOwn := strings.CutPrefix(target, module+"/")
	if isOwn {
		rows, ok := allowed(f.folder)
		if !ok || matches(own, rows) || within(own, []string{f.folder}) || f.test && within(f.folder, []string{own}) {
			return nil
		}
		return []string{fmt.Sprintf("%s: %s may not import %s", f.path, f.folder, own)}
	}
	for _, g := range guests {
		if (target == g.prefix || strings.HasPrefix(target, g.prefix+"/")) && !within(f.folder, g.where) {
			return []string{fmt.Sprintf("%s: only %s may import %s", f.path, strings.Join(g.where, ", "), g.prefix)}
		}
	}
	return nil
}

// allowed finds the row of a folder or of its nearest parent.
func allowed(folder string) ([]string, bool) {
	for f := folder; f != "."; f = path.Dir(f) {
		if rows, ok := layers[f]; ok {
			return rows, true
		}
	}
	return nil, false
}

func matches(own string, rows []string) bool {
	return slices.ContainsFunc(rows, func(row string) bool {
		if parent, ok := strings.CutSuffix(row, "/…"); ok {
			return within(own, []string{parent})
		}
		return own == row
	})
}

// within says whether folder is one of parents or lies below one.
func within(folder string, parents []string) bool {
	return slices.ContainsFunc(parents, func(p string) bool {
		return folder == p || strings.HasPrefix(folder, p+"/")
	})
}

func onlyTests(files []file, folder string) bool {
	return !slices.ContainsFunc(files, func(f file) bool { return f.folder == folder && !f.test })
}

// report prints how many of our own packages each one imports, and the
// longest chain of them: the two figures that tell elegant from sprawling.
func report(t *testing.T, files []file) {
	graph := ownImports(files)
	var lines []string
	total := 0
	for _, pkg := range slices.Sorted(maps.Keys(graph)) {
		total += len(graph[pkg])
		lines = append(lines, fmt.Sprintf("  %-26s %2d  %s", pkg, len(graph[pkg]), strings.Join(graph[pkg], " ")))
	}
	t.Logf("own imports per package:\n%s", strings.Join(lines, "\n"))
	if len(graph) == 0 {
		return
	}
	chain := longestChain(graph)
	t.Logf("%d packages, %.1f own imports each (aim 2); longest chain %d arrows (aim 6): %s",
		len(graph), float64(total)/float64(len(graph)), len(chain)-1, strings.Join(chain, " → "))
}

// ownImports is the import graph of the code that ships: no test files.
func ownImports(files []file) map[string][]string {
	graph := map[string][]string{}
	for _, f := range files {
		if f.test {
			continue
		}
		row := graph[f.folder]
		for _, i := range f.imports {
			if own, ok := strings.CutPrefix(i, module+"/"); ok && !slices.Contains(row, own) {
				row = append(row, own)
			}
		}
		slices.Sort(row)
		graph[f.folder] = row
	}
	return graph
}

func longestChain(graph map[string][]string) []string {
	longest := map[string][]string{}
	var below func(pkg string) []string
	below = func(pkg string) []string {
		if chain, ok := longest[pkg]; ok {
			return chain
		}
		longest[pkg] = []string{pkg} // also ends a cycle, which the compiler refuses anyway
		var best []string
		for _, next := range graph[pkg] {
			if chain := below(next); len(chain) > len(best) {
				best = chain
			}
		}
		longest[pkg] = append([]string{pkg}, best...)
		return longest[pkg]
	}
	var best []string
	for _, pkg := range slices.Sorted(maps.Keys(graph)) {
		if chain := below(pkg); len(chain) > len(best) {
			best = chain
		}
	}
	return best
}

// readTree reads every text file of the project, for the guards: neither what
// .gitignore leaves out nor scratch.
func readTree(t *testing.T, visit func(name string, text string)) {
	t.Helper()
	ignore := ignored(t)
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || ignore(name, true)):
			return fs.SkipDir
		case name == ".git" || d.IsDir() || !d.Type().IsRegular() || strings.HasPrefix(name, "zz_") || ignore(name, false): // a work tree's pointer; scratch, never committed
			return nil
		}
		data, err := os.ReadFile(name)
		if err == nil {
			visit(filepath.ToSlash(name), string(data))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ignored reads .gitignore, as far as ours goes: folders end with a slash, and
// those that begin with one lie at the root.
func ignored(t *testing.T) func(name string, folder bool) bool {
	t.Helper()
	text, err := os.ReadFile(".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	return func(name string, folder bool) bool {
		return slices.ContainsFunc(lines, func(line string) bool {
			pattern, isFolder := strings.CutSuffix(line, "/")
			if pattern, atRoot := strings.CutPrefix(pattern, "/"); atRoot {
				return folder == isFolder && pattern == filepath.ToSlash(name)
			}
			fits, _ := path.Match(pattern, filepath.Base(name)) // a bad pattern fits nothing
			return folder == isFolder && fits
		})
	}
}

// TestReadTreeLeavesOut: the guards read what is the project's and nothing
// that running it leaves.
func TestReadTreeLeavesOut(t *testing.T) {
	ignore := ignored(t)
	for _, folder := range []string{"bin", "dist", "soak", "testnet/foreign/js/node_modules"} {
		if !ignore(filepath.FromSlash(folder), true) {
			t.Errorf("%s is read", folder)
		}
	}
	for _, folder := range []string{".ci/soak", "storage", "testnet/foreign"} {
		if ignore(filepath.FromSlash(folder), true) {
			t.Errorf("%s is not read", folder)
		}
	}
}
