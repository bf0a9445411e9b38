// SPDX-License-Identifier: Apache-2.0

package speed

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/vault"
)

func newVault(b *testing.B, dir string) *vault.Vault {
	b.Helper()
	keys, err := crypto.NewKeyring(rand.Reader)
	must(b, err)
	keys.UseArgon(crypto.Argon{MemoryKiB: 1024, Time: 1, Threads: 1})
	_, err = keys.NewWords(rand.Reader)
	must(b, err)
	must(b, keys.SetPassphrase([]byte("for a benchmark"), rand.Reader))
	v, err := vault.Create(dir, keys, vault.Options{})
	must(b, err)
	return v
}

// BenchmarkAdd adds D1 and D2 to an empty vault, beside the bare loop.
func BenchmarkAdd(b *testing.B) {
	for _, name := range []string{"D1", "D2"} {
		b.Run(name, func(b *testing.B) {
			src, size := work(b, name)
			var add, bare time.Duration
			var stored int64
			for b.Loop() {
				dir := b.TempDir()
				v := newVault(b, filepath.Join(dir, "vault"))
				add += timed(b, func() {
					_, err := v.Add(b.Context(), "x", src, vault.AddOptions{})
					must(b, err)
				})
				must(b, v.Close())
				stored = onDisk(b, filepath.Join(dir, "vault"))
				bare += timed(b, func() { bareLoop(b, src, filepath.Join(dir, "bare")) })
				os.RemoveAll(dir)
			}
			b.ReportMetric(add.Seconds()/float64(b.N), "s")
			b.ReportMetric(bare.Seconds()/float64(b.N), "bare-s")
			b.ReportMetric(float64(add)/float64(bare), "x-bare")
			b.ReportMetric(float64(stored)/float64(size), "x-disk")
		})
	}
}

// BenchmarkAddAgain adds D2 again after one of its files has changed, beside
// looking at each file once.
func BenchmarkAddAgain(b *testing.B) {
	src, _ := work(b, "D2")
	v := newVault(b, filepath.Join(b.TempDir(), "vault"))
	defer v.Close()
	_, err := v.Add(b.Context(), "x", src, vault.AddOptions{})
	must(b, err)
	var again, scan time.Duration
	for n := 0; b.Loop(); n++ {
		must(b, os.WriteFile(filepath.Join(src, "077", "07777.dat"), fmt.Append(nil, "changed ", time.Now()), 0o644))
		again += timed(b, func() {
			r, err := v.Add(b.Context(), "x", src, vault.AddOptions{})
			must(b, err)
			if r.Changed != 1 {
				b.Fatalf("%d files changed", r.Changed)
			}
		})
		scan += timed(b, func() { look(b, src) })
	}
	b.ReportMetric(again.Seconds()/float64(b.N), "s")
	b.ReportMetric(scan.Seconds()/float64(b.N), "scan-s")
	b.ReportMetric((again-scan).Seconds()/float64(b.N), "beyond-scan-s")
}

// look asks the system about each file.
func look(b *testing.B, dir string) {
	must(b, filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			_, err = d.Info()
		}
		return err
	}))
}

// bareLoop is what the work costs at the least: read, seal, hash, append to
// packs of 64 MiB with an fsync each.
func bareLoop(b *testing.B, src, to string) {
	must(b, os.Mkdir(to, 0o700))
	keys, err := crypto.NewKeyring(rand.Reader)
	must(b, err)
	_, err = keys.NewWords(rand.Reader)
	must(b, err)
	did, _, err := keys.NewDataset(rand.Reader)
	must(b, err)
	sealer, err := keys.Sealer(did, "", 0)
	must(b, err)
	out := &packs{dir: to}
	plain := make([]byte, crypto.BlockData)
	var sealed []byte
	must(b, filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		for {
			n, err := io.ReadFull(in, plain)
			if n == 0 {
				return nil
			}
			if err != nil && err != io.ErrUnexpectedEOF {
				return err
			}
			if sealed, _, err = sealer.Seal(sealed[:0], plain[:n]); err != nil {
				return err
			}
			sum := sha256.Sum256(sealed)
			if err := out.append(sum[:], sealed); err != nil {
				return err
			}
		}
	}))
	must(b, out.finish())
}

// packs are files of 64 MiB, each fsynced when it is full.
type packs struct {
	dir  string
	file *os.File
	n    int
	size int
}

func (p *packs) append(parts ...[]byte) (err error) {
	if p.file == nil {
		if p.file, err = os.Create(filepath.Join(p.dir, fmt.Sprint(p.n))); err != nil {
			return err
		}
		p.n, p.size = p.n+1, 0
	}
	for _, part := range parts {
		if _, err := p.file.Write(part); err != nil {
			return err
		}
		p.size += len(part)
	}
	if p.size < 64<<20 {
		return nil
	}
	return p.finish()
}

func (p *packs) finish() error {
	if p.file == nil {
		return nil
	}
	err := joinFirst(p.file.Sync(), p.file.Close())
	p.file = nil
	return err
}
