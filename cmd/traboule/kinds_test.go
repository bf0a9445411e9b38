// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// block is a fenced part of a page: what it is, perhaps the name of a file, and
// the text.
var block = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\\n(.*?)^```$")

// TestKindsPage: what docs/kinds.md tells to type does what it says there, with
// the files that it shows.
func TestKindsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/kinds.md")
	if err != nil {
		t.Fatal(err)
	}
	var script, files strings.Builder
	script.WriteString("exec traboule init --passphrase-file secret --words-file words --weak-for-tests\nnode home\n")
	commands := 0
	for _, found := range block.FindAllStringSubmatch(string(page), -1) {
		what, name, text := found[1], found[2], found[3]
		if name != "" {
			fmt.Fprintf(&files, "-- %s --\n%s", name, text)
		}
		if what == "console" {
			commands += typed(&script, text)
		}
	}
	if commands < 5 || files.Len() == 0 {
		t.Fatalf("the page shows %d commands and files of %d bytes: the test reads nothing", commands, files.Len())
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "page.txtar"), []byte(script.String()+files.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, scripts(dir))
}

// typed makes a script of what a person types and sees, and says how many
// commands it has. What is seen must come, in lines of its own; what begins with
// "traboule: " is a refusal.
func typed(script *strings.Builder, text string) (commands int) {
	for part := range strings.SplitSeq("\n"+text, "\n$ ") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		command, seen, _ := strings.Cut(strings.TrimSuffix(part, "\n"), "\n")
		exec, stream := "exec ", "stdout"
		if strings.HasPrefix(seen, "traboule: ") {
			exec, stream = "! exec ", "stderr"
		}
		fmt.Fprintln(script, exec+command)
		for line := range strings.SplitSeq(seen, "\n") {
			fmt.Fprintf(script, "%s '^%s$'\n", stream, strings.ReplaceAll(regexp.QuoteMeta(line), "'", "''"))
		}
		commands++
	}
	return commands
}
