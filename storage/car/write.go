// SPDX-License-Identifier: Apache-2.0

package car

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"

	"github.com/traboule/traboule/crypto"
)

// The names in the root folder.
const (
	headFile   = "head"
	blocksFile = "blocks"
)

// Content is what a file carries.
type Content struct {
	Head   []byte             // stands as the file "head"; sealed, at most 1 MiB
	Blocks []crypto.BlockName // the leaves of the file "blocks", in order, at least one
}

// Source returns a block's ciphertext, appended to dst.
type Source func(name crypto.BlockName, dst []byte) ([]byte, error)

// Output is a new, empty file, open for writing.
type Output interface {
	io.Writer
	io.WriterAt
}

// ErrOtherBlock means that a source gave other bytes than the name says.
var ErrOtherBlock = errors.New("the source gave another block")

// Write writes a CAR, version 1, and returns its root. It asks src for each
// block once, in order, and tells of each how long it was. What was written is
// not yet durable, and is nothing when there was an error.
func Write(ctx context.Context, out Output, c Content, src Source, tell func(bytes int)) (cid.Cid, error) {
	root, err := write(ctx, out, c, src, tell)
	if err != nil {
		return cid.Undef, fmt.Errorf("write a CAR of %d blocks: %w", len(c.Blocks), err)
	}
	return root, nil
}

func write(ctx context.Context, out Output, c Content, src Source, tell func(bytes int)) (root cid.Cid, err error) {
	buffered := bufio.NewWriterSize(out, 1<<20)
	sections, err := begin(buffered, placeholder)
	if err != nil {
		return root, err
	}
	if root, err = tree(sink{ctx: ctx, car: sections}, c, &leaves{ctx: ctx, names: c.Blocks, src: src, tell: tell}); err != nil {
		return root, err
	}
	if err := buffered.Flush(); err != nil {
		return root, err
	}
	var header bytes.Buffer
	if _, err := begin(&header, root); err != nil {
		return root, err
	}
	_, err = out.WriteAt(header.Bytes(), 0)
	return root, err
}

// builder makes the names of all nodes: CIDv1, SHA-256.
var builder = merkledag.V1CidPrefix()

// placeholder stands in the header until the root is known: as long as any.
var placeholder = cid.NewCidV1(cid.DagProtobuf, crypto.BlockName{}.CID().Hash())

// begin writes the header of a CAR.
func begin(w io.Writer, roots ...cid.Cid) (storage.WritableCar, error) {
	return storage.NewWritable(w, roots, carv2.WriteAsCarV1(true))
}

// tree builds the folder and everything below, children first.
func tree(s sink, c Content, l *leaves) (cid.Cid, error) {
	head, err := merkledag.NewRawNodeWPrefix(c.Head, builder)
	if err == nil {
		err = s.Add(s.ctx, head)
	}
	if err != nil {
		return cid.Undef, err
	}
	params := helpers.DagBuilderParams{Dagserv: s, Maxlinks: helpers.DefaultLinksPerBlock, RawLeaves: true, CidBuilder: builder}
	layout, err := params.New(l)
	if err != nil {
		return cid.Undef, err
	}
	blocks, err := balanced.Layout(layout)
	if err != nil {
		return cid.Undef, err
	}
	folder := unixfs.EmptyDirNode()
	if err := folder.SetCidBuilder(builder); err != nil {
		return cid.Undef, err
	}
	if err := errors.Join(folder.AddNodeLink(blocksFile, blocks), folder.AddNodeLink(headFile, head)); err != nil {
		return cid.Undef, err
	}
	return folder.Cid(), s.Add(s.ctx, folder)
}

// leaves gives the importer our blocks where it expects the pieces of a file.
type leaves struct {
	ctx   context.Context
	names []crypto.BlockName
	src   Source
	tell  func(bytes int)
}

var _ chunk.Splitter = (*leaves)(nil)

// Reader is nil: there is no file that was cut into these.
func (l *leaves) Reader() io.Reader { return nil }

// NextBytes is the next block. The importer holds two at a time.
func (l *leaves) NextBytes() ([]byte, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	if len(l.names) == 0 {
		return nil, io.EOF
	}
	name := l.names[0]
	l.names = l.names[1:]
	data, err := l.src(name, nil)
	if err != nil {
		return nil, err
	}
	if crypto.NameOf(data) != name {
		return nil, fmt.Errorf("%w for %v", ErrOtherBlock, name)
	}
	l.tell(len(data))
	return data, nil
}

// sink puts the nodes that the importer makes into the CAR, each once. The
// importer only adds.
type sink struct {
	ipld.DAGService
	ctx context.Context
	car storage.WritableCar
}

// Add writes one node.
func (s sink) Add(ctx context.Context, n ipld.Node) error {
	return s.car.Put(ctx, n.Cid().KeyString(), n.RawData())
}
