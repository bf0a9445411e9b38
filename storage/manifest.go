// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"bytes"
	"fmt"

	"github.com/traboule/traboule/crypto"
)

// Limits of a manifest.
const (
	MaxPath  = 4096     // bytes of a path
	MaxName  = 255      // bytes of one name in it
	MaxPage  = 64 << 10 // bytes of a page before sealing
	MaxDepth = 8        // levels of pages, leaves included
	PartRefs = 256      // block references in one item; longer lists continue
)

// Kind says what an entry is. Kinds are only added to.
type Kind uint8

// The kinds of entries.
const (
	File   Kind = 1
	Folder Kind = 2
)

// Entry is one file or folder of a manifest, or a part of a long file: a file
// of more than [PartRefs] blocks comes as several entries with the same path
// and attributes, whose First counts the blocks before.
type Entry struct {
	Path    []byte // relative, "/" between names, as the file system spells it
	Kind    Kind
	Mode    uint32 // permission bits, at most 0777
	ModTime int64  // nanoseconds since 1970
	Size    uint64 // bytes of a file
	First   uint64 // blocks of the same file in entries before this one
	Blocks  []Ref
}

// blocksOf is how many blocks a file of size bytes has.
func blocksOf(size uint64) uint64 {
	n := size / crypto.BlockData
	if size%crypto.BlockData != 0 {
		n++
	}
	return n
}

// Last tells whether no further part of the same file follows.
func (e Entry) Last() bool { return e.First+uint64(len(e.Blocks)) >= blocksOf(e.Size) }

// compare orders entries by path and part.
func compareKeys(pathA []byte, firstA uint64, pathB []byte, firstB uint64) int {
	if c := bytes.Compare(pathA, pathB); c != 0 {
		return c
	}
	switch {
	case firstA < firstB:
		return -1
	case firstA > firstB:
		return 1
	}
	return 0
}

func (e Entry) check() error {
	if err := checkPath(e.Path); err != nil {
		return err
	}
	if e.Mode > 0o777 {
		return fmt.Errorf("%w: mode %o", ErrBadEntry, e.Mode)
	}
	switch e.Kind {
	case Folder:
		if e.Size != 0 || e.First != 0 || len(e.Blocks) != 0 {
			return fmt.Errorf("%w: a folder with content", ErrBadEntry)
		}
		return nil
	case File:
		return e.checkBlocks()
	}
	return fmt.Errorf("%w: kind %d", ErrBadEntry, e.Kind)
}

func (e Entry) checkBlocks() error {
	total := blocksOf(e.Size)
	if e.First%PartRefs != 0 || (e.First > 0 && e.First >= total) {
		return fmt.Errorf("%w: part at block %d of %d", ErrBadEntry, e.First, total)
	}
	if want := min(PartRefs, total-e.First); uint64(len(e.Blocks)) != want {
		return fmt.Errorf("%w: %d blocks where %d belong", ErrBadEntry, len(e.Blocks), want)
	}
	return nil
}

// CheckPath says why an entry may not have this path, if it may not.
func CheckPath(path string) error { return checkPath([]byte(path)) }

// checkPath accepts relative paths of plain names. They are bytes: any name
// that a file system can hold is kept as it is.
func checkPath(path []byte) error {
	if len(path) == 0 || len(path) > MaxPath {
		return fmt.Errorf("%w: a path of %d bytes", ErrBadEntry, len(path))
	}
	if bytes.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("%w: NUL in a path", ErrBadEntry)
	}
	for name := range bytes.SplitSeq(path, []byte("/")) {
		if len(name) == 0 || len(name) > MaxName || string(name) == "." || string(name) == ".." {
			return fmt.Errorf("%w: a path with an empty, overlong, \".\" or \"..\" name", ErrBadEntry)
		}
	}
	return nil
}
