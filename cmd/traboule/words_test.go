// SPDX-License-Identifier: Apache-2.0

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/messages"
)

// vaultCodes reads the vault's codes from their source: the key of the
// sentence for each, and the values that come with it.
func vaultCodes(t *testing.T) map[string][]string {
	t.Helper()
	families := map[string]string{"DamageKind": "damage.", "HealingKind": "healed.", "Suspension": "suspended.", "SkipReason": "skip."}
	tree, err := parser.ParseFile(token.NewFileSet(), "../../storage/vault/report.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string][]string{}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		kind, ok := spec.Type.(*ast.Ident)
		if !ok || families[kind.Name] == "" {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		codes[families[kind.Name]+code] = placeholders(spec.Comment.Text())
		return true
	})
	if len(codes) < 30 {
		t.Fatalf("found %d codes: the test reads nothing", len(codes))
	}
	return codes
}

var placeholder = regexp.MustCompile(`\{([a-z_]+)`)

func placeholders(text string) []string {
	names := []string{}
	for _, found := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestVaultCodesHaveSentences: each code that the vault may answer has a
// sentence, which names the values that come with it and no others; and there
// is no sentence for a code that the vault does not know.
func TestVaultCodesHaveSentences(t *testing.T) {
	codes := vaultCodes(t)
	for _, lang := range []string{"en", "fr"} {
		said := map[string][]string{}
		for _, file := range []string{"vault.txt", "answers.txt"} {
			text, err := os.ReadFile("../../node/messages/" + lang + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			for section := range strings.SplitSeq("\n"+string(text), "\n[") {
				key, sentence, _ := strings.Cut(section, "]\n")
				if family, _, _ := strings.Cut(key, "."); slices.Contains([]string{"damage", "healed", "suspended", "skip"}, family) {
					said[key] = placeholders(sentence)
				}
			}
		}
		if diff := cmp.Diff(codes, said); diff != "" {
			t.Errorf("%s: the vault says (-) and the catalogue says (+):\n%s", lang, diff)
		}
	}
}

// TestEventsHaveSentences: each event that the log tells, and no other.
func TestEventsHaveSentences(t *testing.T) {
	source, err := os.ReadFile("../../node/log.go")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, found := range regexp.MustCompile(`line\.Event(?:, [\w.]+)* = "([^"]+)"`).FindAllSubmatch(source, -1) {
		told["event."+string(found[1])] = true
	}
	listed := map[string]bool{}
	for _, key := range messages.English.Keys() {
		if strings.HasPrefix(key, "event.") {
			listed[key] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(told)), slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Errorf("the log tells (-) and the catalogue says (+):\n%s", diff)
	}
}
