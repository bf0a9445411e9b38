// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What is hidden, no file, or gone is not looked at; what is in folders is.
func TestWatchedFiles(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a.csv", ".hidden", "deep/b.ofx", ".git/c.ofx"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.csv", filepath.Join(folder, "link.csv")); err != nil {
		t.Fatal(err)
	}
	found, err := files(folder)
	if err != nil || len(found) != 2 {
		t.Fatalf("found %v: %v", found, err)
	}
	if s := found[filepath.Join(folder, "deep/b.ofx")]; s.size != int64(len("deep/b.ofx")) || time.Since(s.changed) > time.Minute {
		t.Errorf("the file in a folder is %+v", s)
	}
	if _, err := files(filepath.Join(folder, "none")); err == nil {
		t.Error("a folder that is not there is watched")
	}
}
