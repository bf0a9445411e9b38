// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/storage/blocks"
	"github.com/traboule/traboule/storage/vault"
)

// unmet are the errors that no person meets as they are, and why.
var unmet = map[string]string{
	"crypto.ErrUnknownScope":  "the vault makes keys before it uses them",
	"crypto.ErrNoWords":       "every keyring is made with words",
	"crypto.ErrBadBlockName":  "names come in messages, whose errors say that the peer lied",
	"crypto.ErrBadDID":        "DIDs come in cards, links and tokens, whose errors are told",
	"crypto.ErrBadReceiveKey": "as for DIDs",

	"storage/importer.ErrStop":          "ends a reading within the importer",
	"storage/importer.ErrUnknown":       "told with its file, as import.unknown-format",
	"storage/importer/pdf.ErrNotPDF":    "told with its file, by the reasons of the importer",
	"storage/importer/pdf.ErrEncrypted": "as above",
	"storage/importer/pdf.ErrDamaged":   "as above",
	"storage/importer/pdf.ErrCut":       "as above",
	"storage/importer/pdf.ErrTooMuch":   "as above",
	"storage/record.ErrNumber":          "values are told with their field or line",
	"storage/record.ErrTooLong":         "as above",
	"storage/record.ErrNotPlace":        "as above",
	"storage/record.ErrBadNumber":       "told as records.bad-row",
	"storage/record.ErrNoRow":           "told as records.no-row",
	"storage/record.ErrNotCounted":      "told as records.no-row",
	"storage/record.ErrNoSuch":          "told as records.no-operation",
	"storage/record.ErrUndone":          "told as records.undone",
	"storage/record.ErrNoLog":           "reasons are checked before, file names and formats cut to what a log holds",
	"storage/record.ErrNotUndone":       "told as records.not-undone",

	"storage/blocks.ErrTooLarge":  "blocks are sealed here, or bounded by the transfer",
	"storage/index.ErrValue":      "a vault without its index is only slower",
	"storage.ErrNoEntry":          "the vault says that there is no such path",
	"storage/vault.ErrObjectSize": "of what was received it is storage.ErrTooLarge, too; what is written here is smaller",
	"storage/vault.ErrWriterDone": "a writer is used until it is committed",
	"storage/vault.ErrErasing":    "the node makes its checkpoint later",
	"storage/index.ErrNoRoom":     "a vault without its index is only slower",
	"storage/journal.ErrOldTruth": "the vault takes it and suspends the grants",
	"storage/journal.ErrMoved":    "nobody else appends",
	"storage/vault.ErrUnexpected": "node/fetch.go says that it was removed",
	"storage/disk.ErrNoFile":      "node/kits.go says that it is no kit",
	"storage/vault.ErrSecret":     "another name of crypto.ErrWrongSecret",
	"storage/vault.ErrNoView":     "paths of grants are never none",
	"storage/vault.ErrBadFact":    "the node's own facts",

	"protocol.ErrBadAddress":          "addresses come in cards and links, whose errors are told",
	"protocol/contact.ErrExpired":     "node/contacts.go says when it expired",
	"protocol/pipe.ErrReset":          "streams in memory, for tests",
	"protocol/transfer.ErrMissing":    "node/fetch.go says what is kept",
	"protocol/transfer.ErrNotGranted": "said to the peer, who is refused",
	"protocol/transfer.ErrWrongBlock": "it is an ErrLied",
	"protocol/ucan.ErrTooCostly":      "said to the peer, who is refused",
}

const module = "github.com/traboule/traboule/"

// sourcesOf parses the Go files of a folder and those below, without tests.
func sourcesOf(t *testing.T, folder string, visit func(pkg string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("..", folder), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err == nil {
			visit(filepath.ToSlash(filepath.Dir(strings.TrimPrefix(name, "../"))), file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sentinels are the errors that the packages below export by name.
func sentinels(t *testing.T) map[string]bool {
	found := map[string]bool{}
	for _, folder := range []string{"crypto", "storage", "protocol", "node/p2p"} {
		sourcesOf(t, folder, func(pkg string, file *ast.File) {
			for _, decl := range file.Decls {
				vars, ok := decl.(*ast.GenDecl)
				if !ok || vars.Tok != token.VAR {
					continue
				}
				for _, spec := range vars.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						if strings.HasPrefix(name.Name, "Err") && name.IsExported() {
							found[pkg+"."+name.Name] = true
						}
					}
				}
			}
		})
	}
	return found
}

// explained are the errors that the table of explain.go names.
func explained(t *testing.T) map[string]bool {
	file, err := parser.ParseFile(token.NewFileSet(), "explain.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	for _, i := range file.Imports {
		if folder, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ours {
			folders[filepath.Base(folder)] = folder
		}
	}
	named := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		row, ok := n.(*ast.CompositeLit)
		if !ok || row.Type != nil || len(row.Elts) != 3 {
			return true
		}
		if cause, ok := row.Elts[0].(*ast.SelectorExpr); ok {
			named[folders[cause.X.(*ast.Ident).Name]+"."+cause.Sel.Name] = true
		}
		return true
	})
	return named
}

// TestEveryErrorIsExplained: an error that the packages below name either has
// a sentence, or cannot reach a person.
func TestEveryErrorIsExplained(t *testing.T) {
	found, named := sentinels(t), explained(t)
	if len(found) < 60 || len(named) < 50 {
		t.Fatalf("found %d errors and %d explanations: the test reads nothing", len(found), len(named))
	}
	for name := range found {
		switch {
		case named[name] && unmet[name] != "":
			t.Errorf("%s is explained and said to be unmet", name)
		case !named[name] && unmet[name] == "":
			t.Errorf("%s has no sentence in explain.go", name)
		}
	}
	for name := range unmet {
		if !found[name] {
			t.Errorf("%s is said to be unmet, and there is no such error", name)
		}
	}
}

// TestExplanationsHaveSentences: in both languages.
func TestExplanationsHaveSentences(t *testing.T) {
	for _, lang := range []string{"en", "fr"} {
		files, err := filepath.Glob("messages/" + lang + "/*.txt")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		var all strings.Builder
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		for _, e := range explanations {
			if !strings.Contains(all.String(), "\n["+e.key+"]\n") {
				t.Errorf("%s: %v is told as %s, which is not in the catalogue", lang, e.cause, e.key)
			}
		}
	}
}

// TestAbout: what is told, and with which values, when errors meet.
func TestAbout(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "/x/keyring.a", Err: fs.ErrPermission}
	for _, tt := range []struct {
		name string
		err  error
		kind problem.Kind
		key  string
		args map[string]string
	}{
		{"a keyring that may not be read is not damaged", fmt.Errorf("open: %w (%w)", vault.ErrKeyring, path), problem.Unexpected, "file.permission", map[string]string{"path": "/x/keyring.a"}},
		{"a damaged block", fmt.Errorf("list: %w", &blocks.DamagedError{}), problem.Damaged, "vault.damaged", nil},
		{"a damaged file", fmt.Errorf("export: %w", &vault.DamagedError{Path: "a/b", Err: &blocks.DamagedError{}}), problem.Damaged, "file.damaged", map[string]string{"file": "a/b"}},
		{"a refusal outside of a fetch", fmt.Errorf("ask: %w", &protocol.Refusal{Code: protocol.Busy}), problem.Refused, "refused.busy", nil},
		{"a wrong key file", fmt.Errorf("unlock: %w", crypto.ErrNoSlot), problem.WrongSecret, "secret.wrong", nil},
	} {
		got := problem.Of(about(tt.err))
		if got.Kind != tt.kind || got.Key != tt.key {
			t.Errorf("%s: %s %s", tt.name, got.Kind, got.Key)
		}
		for name, want := range tt.args {
			if got.Args[name] != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, got.Args[name], want)
			}
		}
	}
}

// TestAboutKit: wrong words, and a kit that is not whole, are told apart.
func TestAboutKit(t *testing.T) {
	for want, err := range map[string]error{
		"kit.other-words": fmt.Errorf("open: %w", crypto.ErrWrongSecret),
		"kit.damaged":     fmt.Errorf("open: %w", crypto.ErrDamaged),
		"words.bad":       fmt.Errorf("open: %w", crypto.ErrBadWords),
	} {
		if got := problem.Of(aboutKit(err)); got.Key != want {
			t.Errorf("%v: %s, want %s", err, got.Key, want)
		}
	}
}
