// SPDX-License-Identifier: Apache-2.0

package index

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Badger reads damaged tables in goroutines of its own, whose panics end the
// process. So a clean stop leaves a checksum over all files, which the next
// start compares before badger sees them. After a crash there is none: then
// the file "opening" limits the harm to one failed start.

func sumFile(dir string) string { return filepath.Join(dir, "sum") }

var errDamaged = errors.New("the index's files are not those that were closed")

// verify compares the files with the checksum, if there is one, and takes it
// away: from here on the files change.
func verify(dir string) error {
	want, err := os.ReadFile(sumFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	got, err := sumOf(dir)
	if err != nil {
		return err
	}
	if string(got) != string(want) {
		return errDamaged
	}
	return os.Remove(sumFile(dir))
}

// vouch writes the checksum.
func vouch(dir string) error {
	sum, err := sumOf(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(sumFile(dir), sum, 0o600)
}

func sumOf(dir string) ([]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, e := range entries {
		if e.Name() == "sum" || e.Name() == "opening" || e.Name() == "LOCK" {
			continue
		}
		if err := addFile(h, filepath.Join(dir, e.Name())); err != nil {
			return nil, fmt.Errorf("check %s: %w", e.Name(), err)
		}
	}
	return h.Sum(nil), nil
}

func addFile(h hash.Hash, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Write([]byte(filepath.Base(name) + "\x00"))
	binary.Write(h, binary.BigEndian, info.Size())
	_, err = io.Copy(h, f)
	return err
}
