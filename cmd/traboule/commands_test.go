// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/traboule/traboule/node/messages"
	"github.com/traboule/traboule/node/problem"
)

func testApp(lang string) *app {
	return newApp([]string{"--lang", lang}, world{
		out: io.Discard, getenv: func(string) string { return "" }, now: time.Now,
	})
}

// walk visits every command.
func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		walk(sub, visit)
	}
}

// TestCommandsAndCatalogue: each command has its help, an example and a text
// for each flag, and the catalogue has none for commands that are not there.
func TestCommandsAndCatalogue(t *testing.T) {
	needed := map[string]bool{"flag.help": true}
	for _, e := range exits {
		needed["exit."+string(e.kind)] = true
	}
	for _, g := range groups {
		needed["group."+g] = true
	}
	walk(testApp("en").root(), func(c *cobra.Command) {
		name := c.Annotations["name"]
		needed["help."+name], needed["example."+name] = true, true
		for _, word := range argument.FindAllString(c.Use, -1) {
			needed["argument."+strings.ToLower(word)] = true
		}
		c.PersistentFlags().VisitAll(func(f *pflag.Flag) { needed["flag."+f.Name] = true })
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && f.Name != "help" && c.PersistentFlags().Lookup(f.Name) == nil {
				key := "flag." + name + "." + f.Name
				if seen := "flag.view." + f.Name; !messages.Has(key) && messages.Has(seen) {
					key = seen // what says which part of records is meant says it everywhere
				}
				needed[key] = true
			}
		})
	})
	for key := range needed {
		if !messages.Has(key) {
			t.Errorf("%s is not in the catalogue", key)
		}
	}
	for _, key := range messages.English.Keys() {
		family, _, _ := strings.Cut(key, ".")
		if slices.Contains([]string{"argument", "help", "example", "flag", "exit", "group"}, family) && !needed[key] {
			t.Errorf("%s: there is no such command, flag, code or group", key)
		}
	}
}

// TestExamplesParse: what help tells to type is accepted by the parser.
func TestExamplesParse(t *testing.T) {
	for _, lang := range []string{"en", "fr"} {
		a := testApp(lang)
		walk(a.root(), func(c *cobra.Command) {
			for line := range strings.SplitSeq(c.Example, "\n") {
				if err := parses(lang, line); err != nil {
					t.Errorf("%s, %s: %q: %v", lang, c.CommandPath(), line, err)
				}
			}
		})
	}
}

// TestWordsThatCannotBeWritten: what was made goes again, and nothing else.
func TestWordsThatCannotBeWritten(t *testing.T) {
	home := t.TempDir()
	mine := filepath.Join(home, "mine.txt")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := entries(home)
	if err := os.MkdirAll(filepath.Join(home, "packs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := fillWords(filepath.Join(home, "missing", "words"), "abandon"); err == nil {
		t.Fatal("the words are in a folder that is not there")
	}
	removeNew(home, before)
	if left := entries(home); len(left) != 1 || !left["mine.txt"] {
		t.Errorf("left are %v, want mine.txt alone", left)
	}
}

func parses(lang, line string) error {
	line = strings.NewReplacer("source <(", "", "completion bash)", "completion bash").Replace(strings.TrimSpace(line))
	line, _, _ = strings.Cut(line, " | ")
	line, _, _ = strings.Cut(line, " > ")
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "traboule" {
		return fmt.Errorf("is not a traboule command")
	}
	c, rest, err := testApp(lang).root().Find(words[1:])
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if f := c.Flags().Lookup("purpose"); f != nil && f.Changed && !strings.Contains(f.Usage, f.Value.String()) {
		return fmt.Errorf("its help does not know the purpose %s", f.Value)
	}
	if c.Args == nil {
		return nil
	}
	return c.Args(c, c.Flags().Args())
}

// TestHelpLists: each exit code once, and for each flag's value a word of the
// language, not the name of its type.
func TestHelpLists(t *testing.T) {
	types := []string{"uint", "int", "string", "strings", "stringArray", "duration", "value"}
	for _, lang := range []string{"en", "fr"} {
		a := testApp(lang)
		walk(a.root(), func(c *cobra.Command) {
			lines := strings.Split(a.exitLines(c), "\n")
			if once := slices.Compact(slices.Sorted(slices.Values(lines))); len(once) != len(lines) {
				t.Errorf("%s, %s: a code stands twice:\n%s", lang, c.CommandPath(), strings.Join(lines, "\n"))
			}
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if word, _ := pflag.UnquoteUsage(f); !f.Hidden && slices.Contains(types, word) {
					t.Errorf("%s, %s: the value of --%s is called %q", lang, c.CommandPath(), f.Name, word)
				}
			})
		})
	}
}

// TestUsageInFrench: what is to be put in the place of an argument has a
// French name, the one that its help uses.
func TestUsageInFrench(t *testing.T) {
	uses := map[string]string{}
	for _, lang := range []string{"en", "fr"} {
		walk(testApp(lang).root(), func(c *cobra.Command) {
			_, arguments, _ := strings.Cut(c.Use, " ")
			uses[lang+" "+c.CommandPath()] = arguments
		})
	}
	for command, want := range map[string]string{
		"en car": "NAME FILE", "fr car": "NOM FICHIER", "fr kit": "[FICHIER]", "fr add": "CHEMIN", "fr contact add": "LIEN",
		"fr fetch": "AUTORISATION", "fr recover": "KIT", "fr help": "[COMMANDE]", "fr completion": "SHELL",
	} {
		lang, name, _ := strings.Cut(command, " ")
		if got := uses[lang+" traboule "+name]; got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}

// TestExitCodes: one code for each kind, the page in docs/ shows the table.
func TestExitCodes(t *testing.T) {
	page, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	a := testApp("en")
	for _, e := range exits {
		row := fmt.Sprintf("| %d | %s | %s |", e.code, e.kind, a.text("exit."+string(e.kind)))
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/exit-codes.md does not say %q", row)
		}
	}
	if got := exitCode(problem.Kind("of tomorrow")); got != 1 {
		t.Errorf("an unknown kind exits with %d, want 1", got)
	}
}

// TestKindsHaveCodes reads the kinds from their source: none may be forgotten.
func TestKindsHaveCodes(t *testing.T) {
	source, err := os.ReadFile("../../node/problem/problem.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.SplitSeq(string(source), "\n") {
		_, rest, ok := strings.Cut(line, " Kind = \"")
		if !ok {
			continue
		}
		found++
		kind, _, _ := strings.Cut(rest, `"`)
		if kind != string(problem.Unexpected) && exitCode(problem.Kind(kind)) == 1 {
			t.Errorf("kind %q has no exit code", kind)
		}
	}
	if found < 10 {
		t.Errorf("found %d kinds: the test reads nothing", found)
	}
}

// TestFailureOfANewerNode: a key that this program does not know is told by
// its kind.
func TestFailureOfANewerNode(t *testing.T) {
	p := problem.New(problem.Refused, "refused.in-a-new-way", "name", "x\n")
	if got, want := testApp("en").sentence(p), "the other side refuses: denied, expired or revoked"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
