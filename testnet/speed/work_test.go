// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func bigBytes() int64 {
	if os.Getenv("TRABOULE_BENCH_FULL") == "1" {
		return 1 << 30
	}
	return 256 << 20
}

const smallFiles = 20000

// works is the folder of the works, each made when it is first needed.
var works string

func TestMain(m *testing.M) {
	code := m.Run()
	if works != "" {
		os.RemoveAll(works)
	}
	os.Exit(code)
}

// work is the folder of D1 or D2, and how much is in it.
func work(b *testing.B, name string) (dir string, size int64) {
	b.Helper()
	dir, err := makeWork(name)
	must(b, err)
	must(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	}))
	return dir, size
}

func makeWork(name string) (dir string, err error) {
	if works == "" {
		if works, err = os.MkdirTemp("", "speed"); err != nil {
			return "", err
		}
	}
	dir = filepath.Join(works, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	random := rand.NewChaCha8([32]byte([]byte("the seed of the speed benchmarks")))
	sizes := rand.New(random)
	files, size := 4, func() int64 { return bigBytes() / 4 }
	if name == "D2" {
		files, size = smallFiles, func() int64 { return 1<<10 + sizes.Int64N(15<<10) }
	}
	for i := range files {
		if err := fill(filepath.Join(dir, fmt.Sprintf("%03d", i/100), fmt.Sprintf("%05d.dat", i)), random, size()); err != nil {
			return "", err
		}
	}
	syscall.Sync()
	return dir, nil
}

func fill(name string, random io.Reader, n int64) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyN(f, random, n)
	// Old enough to be trusted: a file of this very moment is read again.
	old := time.Now().Add(-time.Hour)
	return joinFirst(err, os.Chtimes(name, old, old))
}

func joinFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// timed is how long f takes. What was written before is on the disk first, so
// that nobody pays for another's pages.
func timed(b *testing.B, f func()) time.Duration {
	b.Helper()
	syscall.Sync()
	start := time.Now()
	f()
	return time.Since(start)
}

// cpu is what this process has used of the processors so far.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// onDisk is how many bytes the files below dir take.
func onDisk(b *testing.B, dir string) (total int64) {
	b.Helper()
	must(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	}))
	return total
}
