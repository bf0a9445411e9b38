// SPDX-License-Identifier: Apache-2.0

package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEachFaultCanBePlanted: each text stands once in its file, so that an edit
// elsewhere that moves one is noticed by make test and not by the next soak.
func TestEachFaultCanBePlanted(t *testing.T) {
	for _, p := range plants {
		source, err := os.ReadFile(filepath.Join("..", "..", p.file))
		if err != nil {
			t.Error(err)
		} else if n := strings.Count(string(source), p.text); n != 1 {
			t.Errorf("%s: %s has %d times %q", p.name, p.file, n, p.text)
		}
	}
}
