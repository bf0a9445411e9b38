// SPDX-License-Identifier: Apache-2.0

package traboule_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notFuzzed are exported functions that read bytes or text and have no fuzz
// target of their own, with the reason.
var notFuzzed = map[string]string{
	"protocol/contact.ReadCard": "reads again what ParseCard let in",
	"storage/disk.ReadFile":     "reads bytes whole, within a limit, and does not look at them",
}

var decoder = regexp.MustCompile(`^(Parse|Decode|Read|Unmarshal)([A-Z]|$)`)

// TestDecodersAreFuzzed: whoever reads bytes from outside has a fuzz target in
// the tests of its package that calls it.
func TestDecodersAreFuzzed(t *testing.T) {
	fuzzed, decoders := map[string]bool{}, []string{}
	set := token.NewFileSet()
	readTree(t, func(name, text string) {
		if path.Ext(name) != ".go" || strings.HasPrefix(name, ".ci/") {
			return
		}
		tree, err := parser.ParseFile(set, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "_test.go") {
			if strings.Contains(text, "\nfunc Fuzz") {
				ast.Inspect(tree, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						fuzzed[path.Dir(name)+"."+id.Name] = true
					}
					return true
				})
			}
			return
		}
		for _, d := range tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && decoder.MatchString(f.Name.Name) && takesBytes(f) {
				decoders = append(decoders, path.Dir(name)+"."+f.Name.Name)
			}
		}
	})
	if len(decoders) < 15 {
		t.Fatalf("found %v: the test reads nothing", decoders)
	}
	for _, d := range decoders {
		if !fuzzed[d] && notFuzzed[d] == "" {
			t.Errorf("%s reads bytes from outside and no fuzz target calls it", d)
		}
	}
	for d := range notFuzzed {
		if !slices.Contains(decoders, d) {
			t.Errorf("%s is listed as not fuzzed, and is not there", d)
		}
	}
}

// takesBytes says whether a function's first or second argument is bytes, text
// or something to read them from.
func takesBytes(f *ast.FuncDecl) bool {
	for _, field := range f.Type.Params.List[:min(2, len(f.Type.Params.List))] {
		switch kind := field.Type.(type) {
		case *ast.ArrayType:
			return true
		case *ast.Ident:
			if kind.Name == "string" {
				return true
			}
		case *ast.SelectorExpr:
			if kind.Sel.Name == "Reader" {
				return true
			}
		case *ast.StarExpr:
			if s, ok := kind.X.(*ast.SelectorExpr); ok && s.Sel.Name == "Reader" {
				return true
			}
		}
	}
	return false
}

var (
	campaignLine = regexp.MustCompile("(?m)^\t\\{\"([a-z-]+)\", \"\\./([^\"]+)\", \"([^\"]+)\"\\},$")
	testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// TestCampaignsAreListed: every random test with a large form is run by
// make soak, and every line of make soak runs one.
func TestCampaignsAreListed(t *testing.T) {
	text, err := fs.ReadFile(os.DirFS("."), ".ci/soak/main.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := campaignLine.FindAllStringSubmatch(string(text), -1)
	if len(lines) < 4 {
		t.Fatalf("%d campaigns in .ci/soak: the test reads nothing", len(lines))
	}
	used := map[string]bool{}
	readTree(t, func(name, text string) {
		if !strings.HasSuffix(name, "_test.go") || name == "campaigns_test.go" || !strings.Contains(text, "disktest.Runs(") {
			return
		}
		tests := testFunction.FindAllStringSubmatch(text, -1)
		listed := len(tests) == 0 // its helpers are called from elsewhere
		for _, line := range lines {
			if path.Dir(name) != line[2] {
				continue
			}
			for _, test := range tests {
				if regexp.MustCompile(line[3]).MatchString(test[1]) {
					listed, used[line[1]] = true, true
				}
			}
		}
		if !listed {
			t.Errorf("%s has a large form, and no line of .ci/soak/main.go runs its tests: add one", name)
		}
	})
	for _, line := range lines {
		if !used[line[1]] {
			t.Errorf(".ci/soak: the campaign %s runs no test that has a large form", line[1])
		}
	}
}
