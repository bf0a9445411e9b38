// SPDX-License-Identifier: Apache-2.0

// Mutants takes each Sync and SyncDir out of the code, one at a time, and
// demands that a test fails: a call that nobody misses is either of no use or
// not proved to be of any.
//
//	go run ./.ci/mutants            all of storage and node
//	go run ./.ci/mutants journal/   those in files whose path holds this
//
// It changes no file: the mutant is handed to go test as an overlay. It prints
// a table of places and of the tests that caught them, and ends with 1 when
// one survived.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// campaigns are the tests that may catch a mutant, the quickest first; those of
// the mutant's own package come before all others.
var campaigns = []campaign{
	{"./storage/disk", ".", 0},
	{"./storage/journal", "PowerCut|Failure|Drop|Broken|Kill", 300},
	{"./storage/blocks", "PowerCut|Failure|Compact|Kill|CloseSyncs", 0},
	{"./storage/vault", "PowerCut|Creation|CutIsRemembered|ExportSyncs", 60},
	{"./node", "PowerCut|Landing|ExportSyncs", 40},
}

type campaign struct {
	pkg, tests string
	runs       int // 0 for as many as in make test
}

// roots are where calls are looked for.
var roots = []string{"storage", "node"}

// apart are calls that have nothing to do with what the program promises.
var apart = []string{"storage/disk/disktest/", "storage/storetest/"}

type place struct {
	file       string
	line       int
	from, to   int // of the call, in bytes
	call, pass string
}

func main() {
	places, err := find()
	if err == nil && len(places) == 0 {
		err = errors.New("no call of Sync fits")
	}
	if err == nil {
		err = try(places)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// find lists the calls of Sync and SyncDir outside of tests.
func find() (all []place, err error) {
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || wanted(path) != nil {
				return err
			}
			found, err := in(path)
			all = append(all, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

var errNotWanted = errors.New("not asked for")

func wanted(path string) error {
	for _, a := range apart {
		if strings.HasPrefix(path, a) {
			return errNotWanted
		}
	}
	if len(os.Args) > 1 && !strings.Contains(path, os.Args[1]) {
		return errNotWanted
	}
	return nil
}

func in(path string) (found []place, err error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, path, source, 0)
	if err != nil {
		return nil, err
	}
	text := func(n ast.Node) string {
		return string(source[files.Position(n.Pos()).Offset:files.Position(n.End()).Offset])
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !(selector.Sel.Name == "Sync" && len(call.Args) == 0 || selector.Sel.Name == "SyncDir" && len(call.Args) == 1) {
			return true
		}
		p := place{file: path, line: files.Position(call.Pos()).Line, call: text(call), pass: text(selector.X)}
		p.from, p.to = files.Position(call.Pos()).Offset, files.Position(call.End()).Offset
		for _, a := range call.Args {
			p.pass += ", " + text(a)
		}
		found = append(found, p)
		return true
	})
	return found, nil
}

// try lets the campaigns judge each mutant.
func try(places []place) error {
	survivors := 0
	for _, p := range places {
		start := time.Now()
		caught, err := judge(p)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", p.file, p.line, err)
		}
		if caught == "" {
			survivors++
			caught = "SURVIVED"
		}
		fmt.Printf("| %s:%d | `%s` | %s | %.0f s |\n", p.file, p.line, p.call, caught, time.Since(start).Seconds())
	}
	if survivors > 0 {
		return fmt.Errorf("%d of %d survived", survivors, len(places))
	}
	fmt.Printf("%d mutants, all caught\n", len(places))
	return nil
}

// judge returns the name of the test that failed, or "".
func judge(p place) (caught string, err error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	overlay, err := p.mutate(dir)
	if err != nil {
		return "", err
	}
	own := "./" + filepath.Dir(p.file)
	for _, first := range []bool{true, false} {
		for _, c := range campaigns {
			if (c.pkg == own) != first {
				continue
			}
			if caught, err = c.run(overlay); caught != "" || err != nil {
				return caught, err
			}
		}
	}
	return "", nil
}

// mutate writes the file without the call, and what go test needs to know. The
// call's receiver and arguments are still used, so that it compiles.
func (p place) mutate(dir string) (overlay string, err error) {
	source, err := os.ReadFile(p.file)
	if err != nil {
		return "", err
	}
	whole, err := filepath.Abs(p.file)
	if err != nil {
		return "", err
	}
	mutant := string(source[:p.from]) + "func(...any) error { return nil }(" + p.pass + ")" + string(source[p.to:])
	changed := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(changed, []byte(mutant), 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {whole: changed}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, list, 0o600)
}

var failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

func (c campaign) run(overlay string) (caught string, err error) {
	cmd := exec.Command("go", "test", "-overlay", overlay, "-vet=off", "-count=1", "-failfast", "-timeout", "5m", "-run", c.tests, c.pkg)
	cmd.Env = append(os.Environ(), "TRABOULE_SEED=1")
	if c.runs > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprint("TRABOULE_RUNS=", c.runs))
	}
	out, err := cmd.CombinedOutput()
	if err == nil {
		return "", nil
	}
	names := failed.FindAllStringSubmatch(string(out), -1)
	if names == nil {
		return "", fmt.Errorf("go test %s: %w\n%s", c.pkg, err, out)
	}
	// The innermost comes last, and says most.
	name := names[0][1]
	for _, n := range names {
		if strings.HasPrefix(n[1], name+"/") {
			name = n[1]
			break
		}
	}
	return filepath.Base(c.pkg) + "." + name, nil
}
