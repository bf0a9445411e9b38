// SPDX-License-Identifier: Apache-2.0

package catalogue

import "testing"

// Every description can be read, is named like its file, and speaks French.
func TestKinds(t *testing.T) {
	for _, s := range Kinds() {
		if found, ok := Kind(s.Kind); !ok || found != s {
			t.Errorf("%s lies in a file of another name", s.Kind)
		}
		if s.Words["fr"] == s.Words["en"] {
			t.Errorf("%s has no French", s.Kind)
		}
		for _, f := range s.Fields {
			if f.Words["fr"] == f.Words["en"] || f.Words["en"].Title == "" || f.Words["en"].Description == "" {
				t.Errorf("%s.%s lacks words in French or English", s.Kind, f.Name)
			}
			if f.Example == "" {
				t.Errorf("%s.%s has no example", s.Kind, f.Name)
			}
		}
	}
}
