// SPDX-License-Identifier: Apache-2.0

package traboule_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
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
	"storage/disk.ReadPlain":    "as ReadFile",
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

var campaignLine = regexp.MustCompile("(?m)^\t\\{\"([a-z-]+)\", \"\\./([^\"]+)\", \"([^\"]+)\"\\},$")

// TestCampaignsAreListed: every test with a large form is run by make soak,
// and every line of make soak runs one.
func TestCampaignsAreListed(t *testing.T) {
	text, err := os.ReadFile(".ci/soak/main.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := campaignLine.FindAllStringSubmatch(string(text), -1)
	if len(lines) < 4 {
		t.Fatalf("%d campaigns in .ci/soak: the test reads nothing", len(lines))
	}
	packages := map[string]functions{}
	readTree(t, func(name, text string) {
		if strings.HasSuffix(name, "_test.go") && path.Dir(name) != "." {
			if packages[path.Dir(name)] == nil {
				packages[path.Dir(name)] = functions{}
			}
			packages[path.Dir(name)].read(t, name, text)
		}
	})
	used := map[string]bool{}
	for folder, all := range packages {
		for _, test := range all.large() {
			listed := false
			for _, line := range lines {
				if folder == line[2] && regexp.MustCompile(line[3]).MatchString(test) {
					listed, used[line[1]] = true, true
				}
			}
			if !listed {
				t.Errorf("%s: %s has a large form, and no line of .ci/soak/main.go runs it: add one", folder, test)
			}
		}
	}
	for _, line := range lines {
		if !used[line[1]] {
			t.Errorf(".ci/soak: the campaign %s runs no test that has a large form", line[1])
		}
	}
}

// functions are those of a package's tests, each with the names in it.
type functions map[string]map[string]bool

// asking is the name under which reading the environment for a large form is
// kept.
const asking = "TRABOULE_SOAK"

func (f functions) read(t *testing.T, name, text string) {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range tree.Decls {
		made, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if f[made.Name.Name] == nil { // methods of one name count as one
			f[made.Name.Name] = map[string]bool{}
		}
		ast.Inspect(made, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				f[made.Name.Name][n.Name] = true
			case *ast.CallExpr:
				if asks(n) {
					f[made.Name.Name][asking] = true
				}
			}
			return true
		})
	}
}

// asks says whether a call is one of disktest.Runs or os.Getenv.
func asks(call *ast.CallExpr) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	if !ok || len(call.Args) == 0 {
		return false
	}
	arg, _ := call.Args[0].(*ast.BasicLit)
	return x.Name+"."+s.Sel.Name == "disktest.Runs" || s.Sel.Name == "Getenv" && arg != nil && arg.Value == `"`+asking+`"`
}

// large lists the tests that ask for a large form, by themselves or by way of
// what they call.
func (f functions) large() (tests []string) {
	for grew := true; grew; {
		grew = false
		for _, named := range f {
			for name := range named {
				if !named[asking] && f[name][asking] {
					named[asking], grew = true, true
				}
			}
		}
	}
	for name, named := range f {
		if strings.HasPrefix(name, "Test") && named[asking] {
			tests = append(tests, name)
		}
	}
	return tests
}

// TestNothingIsNoSuccess: a tool that is asked for what does not exist fails,
// since a word that is misspelt has proved nothing.
func TestNothingIsNoSuccess(t *testing.T) {
	for tool, args := range map[string][]string{
		"soak": {"-list", "-only", "nothing-of-that-name"}, "fuzz": {"-only", "nothing-of-that-name"}, "mutants": {"nothing-of-that-name"},
	} {
		out, err := exec.CommandContext(t.Context(), "go", append([]string{"run", "./.ci/" + tool}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "fits") {
			t.Errorf("%s, of nothing: %v\n%s", tool, err, out)
		}
	}
}
