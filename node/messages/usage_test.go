// SPDX-License-Identifier: Apache-2.0

package messages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// families are the keys that a program puts together from a word: the tests
// of cmd/traboule hold its commands, flags and exit codes against them.
var families = []string{"argument.", "help.", "example.", "flag.", "exit.", "group.", "step.", "skip.", "kind.", "state.", "event.", "damage.", "healed.", "suspended.", "purpose.", "kit-trouble.", "removed-kit-left.", "refusal.", "import.", "operation.", "view.", "type.", "period.", "records.bad-value-"}

// takesKey are the functions whose argument at this place is a key.
var takesKey = map[string]int{"text": 0, "say": 0, "tell": 0, "ask": 0, "readLine": 0, "confirm": 0, "passphrase": 0, "Text": 0, "New": 1, "sure": 1}

// TestKeysAndCode: every key that the code names is in the catalogue, and
// the catalogue holds none that no code names.
func TestKeysAndCode(t *testing.T) {
	named := map[string]bool{}
	for _, folder := range []string{"cmd", "node"} {
		walkCode(t, os.DirFS("../.."), folder, func(name string, tree *ast.File, set *token.FileSet) {
			ast.Inspect(tree, func(n ast.Node) bool {
				if s, ok := literal(n); ok {
					named[s] = true
				}
				if key, ok := keyOf(n); ok && !Has(key) && !slices.Contains(families, key) {
					t.Errorf("%s: %q is not in the catalogue", set.Position(n.Pos()), key)
				}
				return true
			})
		})
	}
	for _, key := range English.Keys() {
		inFamily := slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(key, f) })
		if !named[key] && !inFamily {
			t.Errorf("%s: no code says it", key)
		}
	}
}

// TestStepsHaveSentences: whatever a long operation says that it is doing is
// said in words.
func TestStepsHaveSentences(t *testing.T) {
	steps := map[string]bool{}
	walkCode(t, os.DirFS("../.."), "node", func(_ string, tree *ast.File, set *token.FileSet) {
		ast.Inspect(tree, func(n ast.Node) bool {
			step, ok := "", false
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if name, is := n.Key.(*ast.Ident); is && name.Name == "Step" {
					step, ok = literal(n.Value)
				}
			case *ast.CallExpr:
				if name, is := n.Fun.(*ast.Ident); is && name.Name == "report" && len(n.Args) > 0 {
					step, ok = literal(n.Args[0])
				}
			}
			if ok {
				steps[step] = true
			}
			if ok && !Has("step."+step) {
				t.Errorf("%s: the step %q has no sentence", set.Position(n.Pos()), step)
			}
			return true
		})
	})
	if !steps["read"] || len(steps) < 8 {
		t.Errorf("found %v: the test reads nothing", steps)
	}
}

// TestSentencesGetTheirValues: where a sentence is said with values written
// in the code, none that it names is missing.
func TestSentencesGetTheirValues(t *testing.T) {
	named := valuesNamed(t)
	checked := 0
	for _, folder := range []string{"cmd", "node"} {
		walkCode(t, os.DirFS("../.."), folder, func(name string, tree *ast.File, set *token.FileSet) {
			ast.Inspect(tree, func(n ast.Node) bool {
				key, given, ok := saying(n)
				if !ok {
					return true
				}
				checked++
				for _, want := range named[key] {
					if !slices.Contains(given, want) {
						t.Errorf("%s: %q is said without {%s}", set.Position(n.Pos()), key, want)
					}
				}
				return true
			})
		})
	}
	if checked < 100 {
		t.Errorf("checked %d sentences: the test reads nothing", checked)
	}
}

// valuesNamed is what each sentence names.
func valuesNamed(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("en/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for section := range strings.SplitSeq("\n"+string(text), "\n[") {
			key, sentence, _ := strings.Cut(section, "]\n")
			for _, found := range regexp.MustCompile(`\{([a-z_]+)`).FindAllStringSubmatch(sentence, -1) {
				named[key] = append(named[key], found[1])
			}
		}
	}
	return named
}

// saying finds the key and the names of the values in a call whose arguments
// are a key and then pairs, written out.
func saying(n ast.Node) (key string, given []string, ok bool) {
	call, isCall := n.(*ast.CallExpr)
	if !isCall || call.Ellipsis.IsValid() {
		return "", nil, false
	}
	place, ok := calls(call.Fun)
	if !ok || !slices.Contains([]string{"say", "tell", "text", "readLine", "New"}, call.Fun.(*ast.SelectorExpr).Sel.Name) || place >= len(call.Args) {
		return "", nil, false
	}
	key, ok = literal(call.Args[place])
	for i := place + 1; i < len(call.Args); i += 2 {
		name, isLiteral := literal(call.Args[i])
		if !isLiteral {
			return "", nil, false
		}
		given = append(given, name)
	}
	return key, given, ok
}

func walkCode(t *testing.T, root fs.FS, folder string, visit func(string, *ast.File, *token.FileSet)) {
	t.Helper()
	err := fs.WalkDir(root, folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path.Base(name) == "testdata":
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err == nil {
			visit(name, tree, set)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func literal(n ast.Node) (string, bool) {
	b, ok := n.(*ast.BasicLit)
	if !ok || b.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(b.Value)
	return s, err == nil
}

// keyOf finds the key in a call (a.say("key"), problem.New(kind, "key")) or
// in a notice (Notice{Key: "key"}).
func keyOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.CallExpr:
		place, ok := calls(n.Fun)
		if ok && place < len(n.Args) {
			return literal(n.Args[place])
		}
	case *ast.KeyValueExpr:
		if name, ok := n.Key.(*ast.Ident); ok && name.Name == "Key" {
			s, ok := literal(n.Value)
			return s, ok && s != ""
		}
	}
	return "", false
}

func calls(fun ast.Expr) (int, bool) {
	s, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return 0, false
	}
	if from, ok := s.X.(*ast.Ident); s.Sel.Name == "New" && (!ok || from.Name != "problem") {
		return 0, false
	}
	place, ok := takesKey[s.Sel.Name]
	return place, ok
}

// TestImportCodes: each code that an importer gives as its reason has its
// sentence, and no sentence is for a code that none gives.
func TestImportCodes(t *testing.T) {
	codes := map[string]bool{}
	walkCode(t, os.DirFS("../.."), "storage/importer", func(_ string, tree *ast.File, set *token.FileSet) {
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "Why" {
				return true
			}
			code, ok := literal(call.Args[0])
			if codes[code] = true; !ok || !Has("import."+code) {
				t.Errorf("%s: the code %q has no sentence", set.Position(call.Pos()), code)
			}
			return true
		})
	})
	for _, key := range English.Keys() {
		if code, ok := strings.CutPrefix(key, "import."); ok && !codes[code] {
			t.Errorf("%s: no importer says it", key)
		}
	}
	if len(codes) < 20 {
		t.Errorf("%d codes: the test reads nothing", len(codes))
	}
}
