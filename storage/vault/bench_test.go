// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

const benchBytes = 256 << 20

func incompressible(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "data")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.Reader, benchBytes); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkAdd stores 256 MiB; compare it with BenchmarkBareLoop.
func BenchmarkAdd(b *testing.B) {
	path := incompressible(b)
	v := newVault(b, testOptions())
	b.SetBytes(benchBytes)
	n := 0
	for b.Loop() {
		n++
		mustAdd(b, v, fmt.Sprint("x", n), path)
	}
}

// BenchmarkBareLoop is what no vault can beat on one core: read, seal, hash,
// write, fsync for each 64 MiB.
func BenchmarkBareLoop(b *testing.B) {
	path := incompressible(b)
	k, _ := newRing(b)
	did, _, err := k.NewDataset(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	s, err := k.Sealer(did, "", 0)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(benchBytes)
	for b.Loop() {
		bareLoop(b, path, s)
	}
}

func bareLoop(b *testing.B, path string, s *crypto.Sealer) {
	in, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	dir := b.TempDir()
	plain := make([]byte, crypto.BlockData)
	var sealed []byte
	var out *os.File
	for i := 0; ; i++ {
		n, err := io.ReadFull(in, plain)
		if n == 0 {
			break
		}
		if err != nil && err != io.ErrUnexpectedEOF {
			b.Fatal(err)
		}
		if i%64 == 0 {
			finish(b, out)
			if out, err = os.Create(filepath.Join(dir, fmt.Sprint(i))); err != nil {
				b.Fatal(err)
			}
		}
		if sealed, _, err = s.Seal(sealed[:0], plain[:n]); err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256(sealed)
		if _, err := out.Write(append(sum[:], sealed...)); err != nil {
			b.Fatal(err)
		}
	}
	finish(b, out)
	os.RemoveAll(dir)
}

func finish(b *testing.B, f *os.File) {
	if f == nil {
		return
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	f.Close()
}

// BenchmarkPutRow appends a row to a data set of 40 objects: one small object in
// place of the last, and a log of 20 kB; beside it what a view costs in which
// one of 40 objects changes. On a disk in memory it is what the vault itself
// takes, without fsyncs.
func BenchmarkPutRow(b *testing.B) {
	for _, where := range []string{"memory", "disk"} {
		opt := testOptions()
		if where == "memory" {
			opt.FS = disktest.NewDisk()
		}
		v := newVault(b, opt)
		src := b.TempDir() // somebody else's many files are not to be felt
		for i := range 2000 {
			write(b, src, fmt.Sprint(i), fmt.Sprint(i))
		}
		mustAdd(b, v, "many", src)
		var put []Object
		for i := range 40 {
			put = append(put, Object{fmt.Sprintf("rows/%08d-131072", i), []byte(rand.Text() + strings.Repeat("row", 20_000))})
		}
		did := mustPut(b, v, Target{Name: "x"}, put).Dataset.DID
		mustCut(b, v, did, oneView, put)
		n, log := 0, bytes.Repeat([]byte("log "), 5000)
		change := func() []Object {
			n++
			return []Object{{"rows/99999999-1", fmt.Append(nil, n)}, {"log", fmt.Append(log, n)}}
		}
		b.Run("version/"+where, func(b *testing.B) {
			for b.Loop() {
				mustPut(b, v, Target{Dataset: did}, change())
			}
		})
		b.Run("view/"+where, func(b *testing.B) {
			var keep []string
			for _, o := range put {
				keep = append(keep, o.Path)
			}
			for b.Loop() {
				mustCut(b, v, did, oneView, change(), keep...)
			}
		})
		b.Run("same view/"+where, func(b *testing.B) {
			mustCut(b, v, did, oneView, put)
			for b.Loop() {
				mustCut(b, v, did, oneView, put)
			}
		})
	}
}

// Adding 20,000 files again, of which one changed, costs little beyond looking
// at them.
func TestAddingManyFilesAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: 20,000 files take some seconds to make")
	}
	src := t.TempDir()
	for i := range 20000 {
		name := filepath.Join(src, fmt.Sprintf("%03d", i/100), fmt.Sprintf("%05d.txt", i))
		if i%100 == 0 {
			if err := os.Mkdir(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, fmt.Append(nil, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	v := newVault(t, testOptions())
	start := time.Now()
	mustAdd(t, v, "x", src)
	first := time.Since(start)
	mustAdd(t, v, "x", src) // reads again the few that were too young to be trusted
	blocks := v.store.Stats().Blocks
	write(t, src, "077/07777.txt", "changed")
	start = time.Now()
	r := mustAdd(t, v, "x", src)
	again := time.Since(start)
	if r.Changed != 1 || r.NewBytes > 200_000 || r.Read != 1 {
		t.Errorf("changed %d, read %d, %d new bytes", r.Changed, r.Read, r.NewBytes)
	}
	if n := v.store.Stats().Blocks - blocks; n > 7 {
		t.Errorf("%d new blocks for one changed file", n)
	}
	t.Logf("20,000 files: %v, again with one changed: %v", first, again)
}
