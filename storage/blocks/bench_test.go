// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

func appendCRC(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b[:len(b):len(b)], crc32.Checksum(b, castagnoli))
}

func appendSum(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b[:len(b):len(b)], sum[:]...)
}

// BenchmarkAdd adds 128 MiB in blocks of 1 MiB, with an fsync for each pack,
// and compares it with a loop that only hashes, writes and fsyncs as much.
func BenchmarkAdd(b *testing.B) {
	const packs, per = 2, 64
	block := make([]byte, 1<<20)
	b.SetBytes(packs * per << 20)
	var ours, bare time.Duration
	for b.Loop() {
		dir := b.TempDir()
		start := time.Now()
		s, _, err := Open(disk.OS, filepath.Join(dir, "packs"), Options{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range packs * per {
			binary.BigEndian.PutUint64(block, uint64(i))
			if _, added, err := s.Add(b.Context(), block); err != nil || !added {
				b.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)
		os.RemoveAll(dir)
		bare += bareLoop(b, block, packs, per)
	}
	b.ReportMetric(float64(ours)/float64(bare), "times-bare")
}

func bareLoop(b *testing.B, block []byte, packs, per int) time.Duration {
	dir := b.TempDir()
	defer os.RemoveAll(dir)
	start := time.Now()
	for p := range packs {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(p)))
		if err != nil {
			b.Fatal(err)
		}
		for i := range per {
			binary.BigEndian.PutUint64(block, uint64(i))
			crypto.NameOf(block)
			if _, err := f.Write(block); err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	return time.Since(start)
}

// BenchmarkGet reads blocks of 1 MiB from the page cache, hashed.
func BenchmarkGet(b *testing.B) {
	s, _, err := Open(disk.OS, b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	block := make([]byte, 1<<20)
	put(b, s, block)
	name := crypto.NameOf(block)
	b.SetBytes(1 << 20)
	for b.Loop() {
		if _, err := s.Get(name, block[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a store of 10,000 blocks, with and without locations.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s, _, err := Open(disk.OS, dir, Options{PackSize: 4 << 20})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		put(b, s, data(i))
	}
	s.Close()
	for _, how := range []string{"saved", "scan"} {
		b.Run(how, func(b *testing.B) {
			for b.Loop() {
				if how == "scan" {
					os.Remove(filepath.Join(dir, tableFile))
				}
				s, r, err := Open(disk.OS, dir, Options{PackSize: 4 << 20})
				if err != nil || r.Blocks != 10_000 {
					b.Fatal(err, r)
				}
				s.handles.close()
				s.file.Close()
			}
		})
	}
}
