// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
)

// Blocks is a place that has blocks, believed in nothing but their hashes.
type Blocks interface {
	Has(name crypto.BlockName) bool
	// Get appends a block to dst and returns the whole.
	Get(name crypto.BlockName, dst []byte) ([]byte, error)
}

// Refilled says what [Vault.Refill] did for one data set.
type Refilled struct {
	Dataset Dataset
	Blocks  int   // put back
	Bytes   int64 // of them
	Known   int   // of the blocks that were offered, those that the data set names
	Missing int   // blocks of the latest version that are still not here, as far as can be seen
}

// Refill puts back, out of from, the blocks that versions of this vault name
// and that are not here: each under the hash of its bytes, and no others. It
// lists the data sets that name anything of what is in from. What was put back
// is durable when it returns, also with an error: then it can be called again.
// It tells how many bytes were put back so far.
func (v *Vault) Refill(ctx context.Context, from Blocks, tell func(bytes int64)) ([]Refilled, error) {
	var list []Refilled
	var before int64
	for _, d := range v.Datasets() {
		r, err := v.refill(ctx, d, from, func(bytes int64) { tell(before + bytes) })
		before += r.Bytes
		if r.Known > 0 {
			list = append(list, r)
		}
		if err != nil {
			return list, fmt.Errorf("give %q its blocks back: %w", d.Name, err)
		}
	}
	return list, nil
}

func (v *Vault) refill(ctx context.Context, d Dataset, from Blocks, tell func(bytes int64)) (Refilled, error) {
	v.shape.RLock() // so that it is not removed meanwhile
	defer v.shape.RUnlock()
	r := refilling{v: v, ctx: ctx, from: from, tell: tell, seen: names{}, pages: names{}, done: Refilled{Dataset: d}}
	if _, err := v.find(d.DID); err != nil {
		return r.done, nil // removed before
	}
	var err error
	for i := len(d.Versions) - 1; i >= 0 && err == nil; i-- {
		r.latest = i == len(d.Versions)-1
		err = r.version(d.Versions[i])
	}
	return r.done, errors.Join(err, v.store.Sync())
}

// refilling is one data set being filled.
type refilling struct {
	v      *Vault
	ctx    context.Context
	from   Blocks
	tell   func(bytes int64)
	seen   names // each block is looked at once, in whatever versions it is
	pages  names // each page is walked once
	latest bool
	done   Refilled
	buf    []byte
	failed error
}

// version looks at all that a head names. A page that is nowhere hides some
// blocks, and one that is no page ends the version; both only count as missing.
func (r *refilling) version(h storage.Head) error {
	if !h.Description.IsZero() {
		r.want(h.Description.Name)
	}
	err := storage.WalkPages(r.ctx, h, r.page, r.enter, func(e storage.Entry) error {
		for _, ref := range e.Blocks {
			r.want(ref.Name)
		}
		return r.failed
	})
	if err != nil && r.latest {
		r.done.Missing++
	}
	return errors.Join(r.failed, r.ctx.Err())
}

func (r *refilling) enter(page crypto.BlockName) bool {
	if r.pages.has(page) || r.failed != nil {
		return false
	}
	r.pages[page] = struct{}{}
	r.want(page)
	return r.v.store.Has(page)
}

// page reads a page, once more if it turned out to be damaged here.
func (r *refilling) page(name crypto.BlockName, dst []byte) ([]byte, error) {
	b, err := r.v.store.Get(name, dst)
	if damaged := new(blocks.DamagedError); errors.As(err, &damaged) && r.from.Has(name) {
		r.put(name)
		return r.v.store.Get(name, dst)
	}
	return b, err
}

// want puts a block back that is not here.
func (r *refilling) want(name crypto.BlockName) {
	if r.seen.has(name) || r.failed != nil {
		return
	}
	r.seen[name] = struct{}{}
	offered, here := r.from.Has(name), r.v.store.Has(name)
	if offered {
		r.done.Known++
	}
	switch {
	case offered && !here:
		r.put(name)
	case !here && r.latest:
		r.done.Missing++
	}
}

func (r *refilling) put(name crypto.BlockName) {
	if r.failed = r.ctx.Err(); r.failed != nil {
		return
	}
	if r.buf, r.failed = r.from.Get(name, r.buf[:0]); r.failed != nil {
		return
	}
	added, err := r.v.store.Put(r.ctx, name, r.buf)
	if err != nil {
		r.failed = err
		return
	}
	if added {
		r.done.Blocks++
		r.done.Bytes += int64(len(r.buf))
		r.tell(r.done.Bytes)
	}
}
