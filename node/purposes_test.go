// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os"
	"strings"
	"testing"

	"github.com/traboule/traboule/protocol/grant"
)

// TestPurposesAreTold: the help of grant and the refusal of an unknown
// purpose name each word, and each word has a sentence of its own.
func TestPurposesAreTold(t *testing.T) {
	for _, lang := range []string{"en", "fr"} {
		sections := map[string]string{}
		for _, file := range []string{"help.txt", "node.txt", "answers.txt"} {
			text, err := os.ReadFile("messages/" + lang + "/" + file)
			if err != nil {
				t.Fatal(err)
			}
			for section := range strings.SplitSeq("\n"+string(text), "\n[") {
				key, sentence, _ := strings.Cut(section, "]\n")
				sections[key] = sentence
			}
		}
		for word := range grant.Purposes {
			for _, key := range []string{"flag.grant.purpose", "grant.bad-purpose"} {
				if !strings.Contains(sections[key], word) {
					t.Errorf("%s: %s does not name the purpose %s", lang, key, word)
				}
			}
			if sections["purpose."+word] == "" {
				t.Errorf("%s: there is no sentence for the purpose %s", lang, word)
			}
		}
	}
}
