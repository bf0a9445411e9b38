// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const vectors = "../../protocol/spec/vectors"

// judged is what the second reader says of the vectors.
type judged struct {
	Counts map[string]int
	Wrong  []struct{ Family, Name, Got, Want string }
}

// TestPythonReadsOurVectors: a reader that was written from the pages alone
// agrees with every vector, valid or not.
func TestPythonReadsOurVectors(t *testing.T) {
	got := askPython[judged](t, "vectors", vectors)
	for _, w := range got.Wrong {
		t.Errorf("%s, %q: the second reader says %s, the vector %s", w.Family, w.Name, w.Got, w.Want)
	}
	least := map[string]int{"seal": 9, "open": 17, "pages": 29, "heads": 15, "trees": 9, "tokens": 279, "flips": 12,
		"profile": 189, "frames": 17, "cards": 11, "links": 10, "grantlinks": 7, "logs": 53, "stories": 58, "views": 6}
	total := 0
	for family, n := range least {
		if got.Counts[family] < n {
			t.Errorf("%s: %d vectors read, %d known", family, got.Counts[family], n)
		}
		total += got.Counts[family]
	}
	t.Logf("%d vectors: %v", total, got.Counts)
}

// TestPythonNoticesOtherVectors is the positive control: a vector that says
// something else is found, in each file.
func TestPythonNoticesOtherVectors(t *testing.T) {
	need(t, python)
	plants := map[string][2]string{ // the first place in a file: what stands there, and what does then
		"blocks.json":     {`"outcome": "tag"`, `"outcome": "size"`},
		"manifests.json":  {`"valid": false`, `"valid": true`},
		"ucan.json":       {`"want": "Malformed"`, `"want": "ok"`},
		"profile.json":    {`"want":"path"`, `"want":"ok"`},
		"frames.json":     {`"error": "cut"`, `"error": "bad"`},
		"cards.json":      {`"error": "expired"`, `"error": "malformed"`},
		"links.json":      {`"error": "expired"`, `"error": "malformed"`},
		"grantlinks.json": {`"726f6f74"`, `"726f6f75"`},
		"records.json":    {`"outcome": "refused"`, `"outcome": "ok"`},
		"views.json":      {`"period": 3`, `"period": 4`},
	}
	dir := t.TempDir()
	for name, plant := range plants {
		data, err := os.ReadFile(filepath.Join(vectors, name))
		must(t, err)
		if !strings.Contains(string(data), plant[0]) {
			t.Fatalf("%s has no %s", name, plant[0])
		}
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.Replace(string(data), plant[0], plant[1], 1)), 0o600))
	}
	if got := askPython[judged](t, "vectors", dir); len(got.Wrong) != len(plants) {
		t.Errorf("%d lies planted, %d found: %+v", len(plants), len(got.Wrong), got.Wrong)
	}
}
