// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"os"
	"testing"

	"github.com/traboule/traboule/storage/disk"
)

// Flip flips one bit of a file: bit 0 is the lowest of the first byte.
func Flip(t testing.TB, fsys disk.FS, name string, bit int64) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("flip a bit: %v", err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], bit/8); err != nil {
		t.Fatalf("flip bit %d of %s: %v", bit, name, err)
	}
	b[0] ^= 1 << (bit % 8)
	if _, err := f.WriteAt(b[:], bit/8); err != nil {
		t.Fatalf("flip bit %d of %s: %v", bit, name, err)
	}
}

// Cut makes a file size bytes long: shorter, or longer with zeros.
func Cut(t testing.TB, fsys disk.FS, name string, size int64) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatalf("cut a file: %v", err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatalf("cut %s to %d: %v", name, size, err)
	}
}

// Size is the length of a file.
func Size(t testing.TB, fsys disk.FS, name string) int64 {
	t.Helper()
	st, err := fsys.Stat(name)
	if err != nil {
		t.Fatalf("size: %v", err)
	}
	return st.Size()
}

// Read returns a whole file.
func Read(t testing.TB, fsys disk.FS, name string) []byte {
	t.Helper()
	b, err := disk.ReadFile(fsys, name, 1<<32)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return b
}

// Write makes a file hold exactly b.
func Write(t testing.TB, fsys disk.FS, name string, b []byte) {
	t.Helper()
	if err := disk.WriteFileAtomic(fsys, name, b, 0o600); err != nil {
		t.Fatalf("write: %v", err)
	}
}
