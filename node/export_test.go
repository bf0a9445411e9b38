// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Every data set has a folder of its own in an export, whatever it is called.
func TestExportOfNamesThatMeet(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	for _, name := range []string{"a:b", "a_b", "A_B", "..", "README.txt", "readme.TXT", "x"} {
		p.add(name, tree{"f": name})
	}
	to := filepath.Join(t.TempDir(), "out")
	for range 2 { // the second finds all there
		r := do(p, Export, ExportRequest{To: to, Note: "note"})
		folders := map[string]bool{}
		for _, d := range r.Datasets {
			folders[strings.ToLower(d.Folder)] = true
			b, err := os.ReadFile(filepath.Join(to, d.Folder, "files", "f"))
			if err != nil || string(b) != d.Name {
				t.Errorf("%q: %q, %v", d.Name, b, err)
			}
		}
		if len(folders) != 7 {
			t.Errorf("%v", folders)
		}
	}
}

// What lies where an export goes stays as it is, and the other data sets are
// written all the same.
func TestExportOverSomethingElse(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	p.add("photos", tree{"f": "hi"})
	do(p, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}})
	to := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	same := func(path string) {
		t.Helper()
		if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	readme := write(noteName, "mine")
	fails(p, Export, ExportRequest{To: to, Note: "note"}, "file.exists")
	same(readme)
	if err := os.Remove(readme); err != nil {
		t.Fatal(err)
	}
	rows, file := write("bank-operations/rows.csv", "mine"), write("photos/files/f", "mine")
	fails(p, Export, ExportRequest{To: to, Note: "note"}, "file.exists")
	same(rows)
	same(file)
	if _, err := os.Stat(filepath.Join(to, "bank-accounts", "rows.parquet")); err != nil {
		t.Error(err)
	}
	// One that was cut off goes on.
	mark := filepath.Join(to, "bank-accounts", doneMark)
	b, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mark, []byte(strings.Replace(string(b), "}", `,"begun":true}`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(rows), filepath.Join(to, "photos")} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	if r := do(p, Export, ExportRequest{To: to, Note: "note"}); len(r.Datasets) != 3 || r.Datasets[0].There || r.Datasets[1].There || r.Datasets[2].There {
		t.Errorf("%+v", r)
	}
}

// TestExportSyncs: what was exported is durable. A device that has no fsync
// stands for the file, and says so.
func TestExportSyncs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.Symlink(os.DevNull, path); err != nil {
		t.Fatal(err)
	}
	err := writeTo(path, func(w io.Writer) error { return nil })
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("fsync of %s: %v", os.DevNull, err)
	}
}
