// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/car"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

// CarRequest asks for a data set's blocks, as they lie here, in one file.
type CarRequest struct {
	Name    string `json:"name"`
	To      string `json:"to"`                // absolute; a file that does not exist yet
	Version uint64 `json:"version,omitempty"` // 0 for the newest
}

// CarResult says where they lie.
type CarResult struct {
	Name    string `json:"name"`
	Dataset string `json:"dataset"` // DID
	Version uint64 `json:"version"`
	To      string `json:"to"`
	Root    string `json:"root"`   // CID of the file's root
	Blocks  int    `json:"blocks"` // of the data set, each once
	Bytes   int64  `json:"bytes"`  // of them
	Size    int64  `json:"size"`   // of the file
}

// RefillRequest asks to put blocks back that are missing here.
type RefillRequest struct {
	From string `json:"from"` // absolute; a CAR file
}

// RefillResult says which were.
type RefillResult struct {
	From     string   `json:"from"`
	Datasets []Refill `json:"datasets"` // those that name anything of what is in the file
	Blocks   int      `json:"blocks"`   // put back
	Bytes    int64    `json:"bytes"`    // of them
	Passed   int      `json:"passed"`   // blocks in the file that no data set names
}

// Refill is what was done for one data set.
type Refill struct {
	Name    string `json:"name"`
	Dataset string `json:"dataset"` // DID
	Version uint64 `json:"version"` // the newest
	Blocks  int    `json:"blocks"`  // put back
	Bytes   int64  `json:"bytes"`   // of them
	Missing int    `json:"missing"` // blocks of the newest version that are still not here
}

// car writes a data set's ciphertext to a file that does not exist yet, whole
// or not at all.
func (n *Node) car(ctx context.Context, q CarRequest, progress func(Progress)) (CarResult, error) {
	d, err := n.lookup(q.Name)
	if err != nil {
		return CarResult{}, err
	}
	sequence, err := sequenceOf(d, q.Version)
	if err != nil {
		return CarResult{}, err
	}
	if err := n.mustBeNew(q.To); err != nil {
		return CarResult{}, err
	}
	content, err := n.vault.Content(ctx, d.DID, sequence)
	if err != nil {
		return CarResult{}, about(err, "name", d.Name)
	}
	r := CarResult{Name: d.Name, Dataset: string(d.DID), Version: versionNumber(sequence), To: q.To,
		Blocks: len(content.Blocks), Bytes: content.Size}
	err = disk.WriteAtomic(n.files(), q.To, 0o600, func(f disk.File) error {
		return n.writeCar(ctx, f, content, &r, progress)
	})
	return r, about(err, "name", d.Name, "path", q.To)
}

func (n *Node) writeCar(ctx context.Context, f disk.File, content vault.Content, r *CarResult, progress func(Progress)) error {
	at := Progress{Step: "write", Total: content.Size}
	root, err := car.Write(ctx, f, car.Content{Head: content.Sealed, Blocks: content.Blocks}, n.vault.Blocks().Get, func(bytes int) {
		at.Done += int64(bytes)
		progress(at)
	})
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r.Root, r.Size = root.String(), info.Size()
	return nil
}

// mustBeNew tells whether a name is free.
func (n *Node) mustBeNew(path string) error {
	switch _, err := n.files().Stat(path); {
	case err == nil:
		return problem.New(problem.Exists, "file.exists", "path", path)
	case !errors.Is(err, fs.ErrNotExist):
		return about(err, "path", path)
	}
	return nil
}

// refill puts back, out of a CAR file of whatever origin, the blocks that data
// sets here name and lack. The whole file is read and hashed first: one that is
// not sound adds nothing.
func (n *Node) refill(ctx context.Context, q RefillRequest, progress func(Progress)) (RefillResult, error) {
	r := RefillResult{From: q.From, Datasets: []Refill{}}
	info, err := n.files().Stat(q.From)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("read %s: %w: no file", q.From, car.ErrBad)
	}
	if err != nil {
		return r, about(err, "path", q.From)
	}
	f, err := n.files().OpenFile(q.From, os.O_RDONLY, 0)
	if err != nil {
		return r, about(err, "path", q.From)
	}
	defer f.Close()
	size := info.Size()
	file, err := car.Open(ctx, f, size, func(done int64) { progress(Progress{Step: "check", Done: done, Total: size}) })
	if err != nil {
		return r, about(err, "path", q.From)
	}
	list, err := n.vault.Refill(ctx, file, func(done int64) { progress(Progress{Step: "store", Done: done}) })
	known := 0
	for _, d := range list {
		known += d.Known
		r.add(d)
	}
	if err != nil {
		return r, about(err, "path", q.From)
	}
	if known == 0 {
		return r, problem.New(problem.NotFound, "car.nothing-ours", "path", q.From)
	}
	all, _ := file.Len()
	if file.HasHead() {
		all--
	}
	r.Passed = max(0, all-known)
	return r, nil
}

func (r *RefillResult) add(d vault.Refilled) {
	one := Refill{Name: d.Dataset.Name, Dataset: string(d.Dataset.DID), Blocks: d.Blocks, Bytes: d.Bytes, Missing: d.Missing}
	if head, ok := d.Dataset.Latest(); ok {
		one.Version = versionNumber(head.Sequence)
	}
	r.Datasets = append(r.Datasets, one)
	r.Blocks, r.Bytes = r.Blocks+one.Blocks, r.Bytes+one.Bytes
}
