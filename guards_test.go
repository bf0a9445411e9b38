// SPDX-License-Identifier: Apache-2.0

package traboule_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLicenceLine: every source file and every script begins with its licence,
// and so does every page of the specification.
func TestLicenceLine(t *testing.T) {
	const line = "// SPDX-License-Identifier: Apache-2.0\n"
	readTree(t, func(name, text string) {
		if path.Ext(name) == ".go" && !strings.HasPrefix(afterConstraint(text), line) {
			t.Errorf("%s: the first line is not %q", name, strings.TrimSpace(line))
		}
		if ext := path.Ext(name); ext == ".mjs" && !strings.HasPrefix(text, line) || ext == ".py" && !strings.HasPrefix(text, "#"+line[2:]) {
			t.Errorf("%s: the first line is not its licence", name)
		}
		if strings.HasPrefix(text, "#!") {
			if _, rest, _ := strings.Cut(text, "\n"); !strings.HasPrefix(rest, "# SPDX-License-Identifier: Apache-2.0\n") {
				t.Errorf("%s: a script without its licence in the second line", name)
			}
		}
		if path.Dir(name) == "protocol/spec" && path.Ext(name) == ".md" && !strings.HasPrefix(text, "<!-- SPDX-License-Identifier: CC-BY-4.0 -->\n") {
			t.Errorf("%s: a page without its licence", name)
		}
	})
}

// afterConstraint skips a build constraint, which may stand first.
func afterConstraint(text string) string {
	if rest, ok := strings.CutPrefix(text, "//go:build "); ok {
		_, rest, _ = strings.Cut(rest, "\n")
		return strings.TrimLeft(rest, "\n")
	}
	return text
}

// private are the traces that a working machine leaves in files: its own
// paths, and where it gets packages from. (Written in pieces, so that this
// file is not one.)
var private = []*regexp.Regexp{
	regexp.MustCompile(`(^|[\s"'(=:])/(wo` + `rk|root|home/[a-z]+)/`),
	regexp.MustCompile(`/tmp/(br` + `ief|bash_jobs)`),
	regexp.MustCompile(`(?i)\b(arti` + `factory|nex` + `us\.[a-z]+\.|goprox` + `y\.(io|cn)|proxy\.gol` + `ang\.org|registry\.np` + `mjs)\b`),
}

// TestNoTraces: no file names the machine that it was written on.
func TestNoTraces(t *testing.T) {
	readTree(t, func(name, text string) {
		if isText(text) {
			for _, found := range traces(text) {
				t.Errorf("%s: names %q", name, found)
			}
		}
	})
	if len(traces("see /wo"+"rk/main")) == 0 || len(traces(`open("/ro`+`ot/x")`)) == 0 {
		t.Error("planted traces are not found: the test proves nothing")
	}
}

func traces(text string) []string {
	var found []string
	for _, p := range private {
		found = append(found, p.FindAllString(text, -1)...)
	}
	return found
}

// isText tells programs and pictures from what people write.
func isText(text string) bool {
	return !strings.Contains(text[:min(len(text), 8000)], "\x00")
}

var (
	makeWord = regexp.MustCompile("(?m)(?:^|[`( ])make ([a-z0-9]+)")
	makeVerb = regexp.MustCompile(`(?m)^([a-z0-9]+):`)
	ourWord  = regexp.MustCompile("(?m)(?:^\\$? ?|[`(]|\\./bin/)traboule ([a-z]+)")
)

// TestReadmeCommands: what the README and CONTRIBUTING tell to type exists.
func TestReadmeCommands(t *testing.T) {
	verbs := names(t, makeVerb, "Makefile")
	for _, page := range []string{"README.md", "CONTRIBUTING.md"} {
		for _, word := range names(t, makeWord, page) {
			if !slices.Contains(verbs, word) {
				t.Errorf("%s: there is no \"make %s\"", page, word)
			}
		}
	}
	told := names(t, ourWord, "README.md")
	if len(told) == 0 {
		t.Error("README.md: names no command")
	}
	for _, word := range told {
		if _, err := os.Stat("cmd/traboule/" + word + ".go"); err != nil && word != "help" {
			t.Errorf("README.md: there is no \"traboule %s\"", word)
		}
	}
}

func names(t *testing.T, pattern *regexp.Regexp, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range pattern.FindAllStringSubmatch(string(data), -1) {
		list = append(list, m[1])
	}
	return list
}

var localLink = regexp.MustCompile(`\]\(([^)#:]+)\)|src="([^":]+)"`)

// TestPagesLinkToWhatIsThere: no page points at a file that is not there.
func TestPagesLinkToWhatIsThere(t *testing.T) {
	readTree(t, func(name, text string) {
		if path.Ext(name) != ".md" {
			return
		}
		for _, m := range localLink.FindAllStringSubmatch(text, -1) {
			target := path.Join(path.Dir(name), m[1]+m[2])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: links to %s, which is not there", name, target)
			}
		}
	})
}

// writers are the places that may change files without package disk, which is
// what lets a failing or forgetful disk stand in for the real one.
var writers = map[string]string{
	"storage/disk/":           "it is the door",
	"storage/disk/disktest/":  "it starts processes and spoils files, for tests",
	"storage/index/":          "badger opens its files by itself, and the index is disposable",
	"storage/vault/export.go": "it writes to the owner's folder, which is not the vault's",
	"storage/vault/scan.go":   "it opens the owner's folder, to read it",
	"node/export.go":          "as storage/vault/export.go",
	"node/control/control.go": "the socket: no file of the vault's, and made anew at each start",
	"cmd/traboule/":           "files that the owner names, and what a failed init leaves",
	"testnet/":                "homes of nodes under test",
	".ci/":                    "what runs the tests",
}

// changing are the functions of package os that change files, or can.
var changing = []string{
	"Chmod", "Chtimes", "CopyFS", "Create", "CreateTemp", "Link", "Mkdir", "MkdirAll", "MkdirTemp", "NewFile", "OpenFile",
	"OpenInRoot", "OpenRoot", "Remove", "RemoveAll", "Rename", "Symlink", "Truncate", "WriteFile",
}

// TestFilesChangeThroughDisk: nobody else changes a file behind package disk's
// back.
func TestFilesChangeThroughDisk(t *testing.T) {
	readTree(t, func(name, text string) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, call := range changes(t, name, text) {
			if writer(name) == "" {
				t.Errorf("%s: calls os.%s: go through package disk, or add a line with the reason to \"writers\"", name, call)
			}
		}
	})
	if planted := changes(t, "x.go", "package x\nimport o \"os\"\nvar f = o.Rename"); len(planted) != 1 {
		t.Error("a planted call is not found: the test proves nothing")
	}
}

// writer is the line that lets a file change files, or "".
func writer(name string) string {
	for place := range writers {
		if name == place || strings.HasSuffix(place, "/") && strings.HasPrefix(name, place) {
			return place
		}
	}
	return ""
}

// changes lists what a source file takes of package os to change files.
func changes(t *testing.T, name, text string) (list []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	system := ""
	for _, i := range f.Imports {
		if i.Path.Value == `"os"` {
			system = "os"
			if i.Name != nil {
				system = i.Name.Name
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && system != "" {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == system && slices.Contains(changing, s.Sel.Name) {
				list = append(list, s.Sel.Name)
			}
		}
		return true
	})
	return list
}
