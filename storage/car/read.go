// SPDX-License-Identifier: Apache-2.0

package car

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ipfs/boxo/ipld/merkledag"
	block "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/multiformats/go-multihash"

	"github.com/traboule/traboule/crypto"
)

// Limits of a file that is read.
const (
	maxHeader   = 4 << 10              // bytes
	maxSection  = 36 + crypto.MaxBlock // bytes: a name and a block
	maxSections = 1 << 22              // in one file: 4 TiB of full blocks
)

// Errors of a file that is read.
var (
	ErrBad      = errors.New("not a sound CAR file of version 1")
	ErrNotFound = errors.New("no such block in the file")
	ErrChanged  = errors.New("the file has changed meanwhile")
)

// File is a CAR file whose every section was read and hashed. Many goroutines
// may call it.
type File struct {
	in    io.ReaderAt
	root  []cid.Cid
	head  *crypto.BlockName // of the file "head", if the first root names one
	at    map[crypto.BlockName]span
	bytes int64
}

type span struct {
	offset int64
	size   int
}

// Open reads a file of size bytes from its beginning to its end and tells how
// far it came. A file with anything in it that is not as it should be is
// refused whole ([ErrBad]): a header that is too long, not of version 1, not in
// its one spelling, or with a root twice; a section that is too long, cut, or
// whose bytes do not hash to its name; a name that is not a SHA-256.
func Open(ctx context.Context, in io.ReaderAt, size int64, tell func(bytes int64)) (*File, error) {
	f := &File{in: in, at: map[crypto.BlockName]span{}}
	if err := f.read(ctx, size, tell); err != nil {
		return nil, fmt.Errorf("read a CAR of %d bytes: %w", size, err)
	}
	return f, nil
}

func (f *File) read(ctx context.Context, size int64, tell func(bytes int64)) error {
	from := &position{r: bufio.NewReaderSize(io.NewSectionReader(f.in, 0, size), 64<<10)}
	sections, err := carv2.NewBlockReader(from, carv2.MaxAllowedHeaderSize(maxHeader), carv2.MaxAllowedSectionSize(maxSection))
	if from.failed != nil {
		return fmt.Errorf("header: %w", from.failed)
	}
	if err != nil {
		return fmt.Errorf("%w: header: %w", ErrBad, unexpected(err))
	}
	if err := f.header(sections, from.n); err != nil {
		return fmt.Errorf("%w: header: %w", ErrBad, err)
	}
	for n, end := 0, from.n; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := sections.Next()
		if err == io.EOF && from.n == end && end == size { // io.EOF alone also means cut behind a length
			return nil
		}
		if err == nil {
			err = f.note(b, from.n, n)
		}
		if from.failed != nil { // the disk's fault, not the file's
			return fmt.Errorf("at %d: %w", from.n, from.failed)
		}
		if err != nil {
			return fmt.Errorf("%w: section at %d: %w", ErrBad, end, unexpected(err))
		}
		end = from.n
		tell(end)
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// header checks that the first n bytes are the one spelling of a header.
func (f *File) header(r *carv2.BlockReader, n int64) error {
	if r.Version != 1 {
		return fmt.Errorf("version %d", r.Version)
	}
	seen := map[cid.Cid]bool{}
	for _, root := range r.Roots {
		if seen[root] {
			return fmt.Errorf("root %v stands there twice", root)
		}
		seen[root] = true
	}
	var spelled bytes.Buffer
	if _, err := begin(&spelled, r.Roots...); err != nil {
		return err
	}
	there := make([]byte, n)
	if _, err := f.in.ReadAt(there, 0); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(there, spelled.Bytes()) {
		return errors.New("not in its one spelling")
	}
	f.root = slices.Clone(r.Roots)
	return nil
}

// note remembers where a section's bytes are, which end at end, if it may be
// one of our blocks.
func (f *File) note(b block.Block, end int64, before int) error {
	if before >= maxSections {
		return fmt.Errorf("more than %d sections", maxSections)
	}
	if p := b.Cid().Prefix(); p.MhType != multihash.SHA2_256 || p.MhLength != 32 {
		return fmt.Errorf("%v is not the name of a SHA-256", b.Cid())
	}
	name, err := crypto.BlockNameFromCID(b.Cid())
	if err != nil {
		f.lookAtRoot(b)
		return nil // a node of the tree above the blocks
	}
	size := len(b.RawData())
	if _, again := f.at[name]; !again {
		f.at[name] = span{end - int64(size), size}
		f.bytes += int64(size)
	}
	return nil
}

// lookAtRoot finds the file "head" in a folder that is the first root; what is
// none, or another program's, has none.
func (f *File) lookAtRoot(b block.Block) {
	if len(f.root) == 0 || !b.Cid().Equals(f.root[0]) || b.Cid().Type() != cid.DagProtobuf {
		return
	}
	folder, err := merkledag.DecodeProtobuf(b.RawData())
	if err != nil {
		return
	}
	if link, err := folder.GetNodeLink(headFile); err == nil {
		if name, err := crypto.BlockNameFromCID(link.Cid); err == nil {
			f.head = &name
		}
	}
}

// HasHead tells whether one of the raw blocks is the sealed head.
func (f *File) HasHead() bool { return f.head != nil && f.Has(*f.head) }

// Roots are what the header names.
func (f *File) Roots() []cid.Cid { return f.root }

// Len counts the raw blocks, each once, and their bytes.
func (f *File) Len() (blocks int, bytes int64) { return len(f.at), f.bytes }

// Has tells whether a block is in the file.
func (f *File) Has(name crypto.BlockName) bool {
	_, ok := f.at[name]
	return ok
}

// Get appends a block to dst and returns the whole. What it returns has been
// hashed again: [ErrChanged] if the file is not what was opened.
func (f *File) Get(name crypto.BlockName, dst []byte) ([]byte, error) {
	s, ok := f.at[name]
	if !ok {
		return dst, fmt.Errorf("%v: %w", name, ErrNotFound)
	}
	start := len(dst)
	dst = slices.Grow(dst, s.size)[:start+s.size]
	if n, err := f.in.ReadAt(dst[start:], s.offset); n < s.size && err != io.EOF {
		return dst[:start], fmt.Errorf("read %v at %d: %w", name, s.offset, err)
	}
	if crypto.NameOf(dst[start:]) != name {
		return dst[:start], fmt.Errorf("%v at %d: %w", name, s.offset, ErrChanged)
	}
	return dst, nil
}

// position counts what was read.
type position struct {
	r      *bufio.Reader
	n      int64
	failed error
}

// Read reads.
func (p *position) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	return n, p.keep(err)
}

func (p *position) keep(err error) error {
	if err != nil && err != io.EOF {
		p.failed = err
	}
	return err
}

// ReadByte reads a byte.
func (p *position) ReadByte() (byte, error) {
	b, err := p.r.ReadByte()
	if err == nil {
		p.n++
	}
	return b, p.keep(err)
}
