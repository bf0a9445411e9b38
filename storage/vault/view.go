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

// ErrNoView is returned for a [View] that says nothing.
var ErrNoView = errors.New("neither all nor any paths were asked for")

// View says which part of a data set a head shall open: all of it, or paths.
// The zero value is no view at all.
type View struct {
	Whole bool
	Paths []string // prefixes that end in "/", or whole names
}

// ViewHead signs a head for a view of the latest version, with pages sealed in
// the current generation over the same data blocks. What it names is durable.
// The same view of the same version in the same generation is the same head.
func (v *Vault) ViewHead(ctx context.Context, did crypto.DID, view View) (SignedHead, error) {
	v.shape.RLock()
	defer v.shape.RUnlock()
	for {
		h, again, err := v.viewHead(ctx, did, view)
		if err != nil {
			return SignedHead{}, fmt.Errorf("cut a view of %s: %w", did.Short(), err)
		}
		if !again {
			return h, nil
		}
	}
}

// viewHead asks to be called again when the generation was raised, or a
// version was made, while it worked.
func (v *Vault) viewHead(ctx context.Context, did crypto.DID, view View) (h SignedHead, again bool, err error) {
	d, err := v.find(did)
	if err != nil {
		return h, false, err
	}
	if d.from != "" {
		return h, false, ErrNotOurs
	}
	latest, ok := d.latest()
	if !ok {
		return h, false, ErrNoVersion
	}
	match, name, err := view.matcher()
	if err != nil {
		return h, false, err
	}
	if name == "" && latest.Generation == d.generation {
		return latest, false, nil
	}
	for _, have := range d.views {
		if have.View == name && have.Sequence == latest.Sequence && have.Generation == d.generation {
			return have, false, v.mendView(ctx, d, latest.Head, have.Head, match)
		}
	}
	head, err := v.cut(ctx, d, latest.Head, name, match)
	if err != nil {
		return h, false, err
	}
	return v.signView(ctx, d, head)
}

// mendView cuts a view again, over the same version and so into the same
// pages, when one of them was damaged.
func (v *Vault) mendView(ctx context.Context, d *dataset, from, view storage.Head, match func(storage.Entry) bool) error {
	if !v.store.Damaged() {
		return nil
	}
	err := storage.Walk(ctx, view, v.store.Get, func(storage.Entry) error { return nil })
	if err == nil && v.store.Has(view.Description.Name) {
		return nil
	}
	if _, err := v.cut(ctx, d, from, view.View, match); err != nil {
		return err
	}
	return v.store.Sync()
}

func (w View) matcher() (func(storage.Entry) bool, string, error) {
	switch {
	case w.Whole && len(w.Paths) == 0:
		return func(storage.Entry) bool { return true }, "", nil
	case w.Whole || len(w.Paths) == 0:
		return nil, "", ErrNoView
	}
	paths, err := storage.ParsePaths(w.Paths)
	if err != nil {
		return nil, "", err
	}
	return paths.Match, paths.View(), nil
}

// cut writes a tree over the matching entries of a version.
func (v *Vault) cut(ctx context.Context, d *dataset, from storage.Head, view string, match func(storage.Entry) bool) (storage.Head, error) {
	m, err := v.manifest(ctx, d, view, v.putView(ctx))
	if err != nil {
		return storage.Head{}, err
	}
	err = storage.Walk(ctx, from, v.store.Get, func(e storage.Entry) error {
		if !match(e) {
			return nil
		}
		return m.builder.Add(e)
	})
	if err != nil {
		return storage.Head{}, err
	}
	return m.head(from.Sequence, from.Time)
}

// signView makes a head durable, with all that it names.
func (v *Vault) signView(ctx context.Context, d *dataset, head storage.Head) (h SignedHead, again bool, err error) {
	if err := v.store.Sync(); err != nil {
		return h, false, err
	}
	raw, err := storage.SignHead(v.ring.Node(), head)
	if err != nil {
		return h, false, err
	}
	v.order.Lock()
	defer v.order.Unlock()
	now, err := v.find(d.did)
	if err != nil {
		return h, false, err
	}
	if latest, _ := now.latest(); latest.Sequence != head.Sequence || now.generation != head.Generation {
		return h, true, nil
	}
	_, err = v.commit(ctx, change{kind: kindView, scope: d.scope(), body: encode(headBody{raw})})
	return SignedHead{head, raw}, false, err
}

// ViewBlocks is the set of all blocks that a head names: pages, description and
// data. The node gives out these and no others under a grant of that view.
func (v *Vault) ViewBlocks(ctx context.Context, h SignedHead) (map[crypto.BlockName]struct{}, error) {
	set := names{}
	err := v.reach(ctx, h.Head, nil, set)
	if errors.Is(err, blocks.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return nil, fmt.Errorf("list the blocks of a view of %s: %w", h.Dataset.Short(), err)
	}
	return set, nil
}

// Holds says whether all blocks that a head names are here, as far as is known.
func (v *Vault) Holds(ctx context.Context, h storage.Head) bool {
	set := names{}
	if err := v.reach(ctx, h, nil, set); err != nil {
		return false
	}
	for name := range set {
		if !v.store.Has(name) {
			return false
		}
	}
	return true
}

// putBlock stores a block under the name that its hash is, and tells whether it
// is new.
type putBlock func(name crypto.BlockName, ciphertext []byte) (bool, error)

func (v *Vault) put(ctx context.Context) putBlock {
	return func(name crypto.BlockName, ciphertext []byte) (bool, error) {
		return v.store.PutHashed(ctx, name, ciphertext)
	}
}

// putView is put for what somebody waits for.
func (v *Vault) putView(ctx context.Context) putBlock {
	return func(name crypto.BlockName, ciphertext []byte) (bool, error) {
		return v.store.PutView(ctx, name, ciphertext)
	}
}

// manifest is a tree being written for a data set or a view of it.
type manifest struct {
	d       *dataset
	view    string
	sealer  *crypto.Sealer
	put     putBlock
	builder *storage.Builder
	fresh   []crypto.BlockName // pages that were not there before
	bytes   int64              // their ciphertext
}

func (v *Vault) manifest(ctx context.Context, d *dataset, view string, put putBlock) (*manifest, error) {
	sealer, err := v.ring.Sealer(d.did, view, d.generation)
	if err != nil {
		return nil, err
	}
	pageKey, err := v.ring.PageKey(d.did)
	if err != nil {
		return nil, err
	}
	m := &manifest{d: d, view: view, sealer: sealer, put: put}
	m.builder = storage.NewBuilder(sealer, pageKey, m.keep)
	return m, nil
}

func (m *manifest) keep(name crypto.BlockName, ciphertext []byte) error {
	added, err := m.put(name, ciphertext)
	if added {
		m.fresh = append(m.fresh, name)
		m.bytes += int64(len(ciphertext))
	}
	return err
}

// head writes what is left and the description, and fills in a head.
func (m *manifest) head(sequence uint64, time int64) (h storage.Head, err error) {
	h = storage.Head{Dataset: m.d.did, View: m.view, Generation: m.d.generation, Sequence: sequence, Time: time}
	if h.Root, h.Counts, err = m.builder.Finish(); err != nil {
		return h, err
	}
	ciphertext, key, err := m.sealer.Seal(nil, storage.Description{Name: m.d.name, Kind: m.d.kind}.Encode())
	if err != nil {
		return h, err
	}
	h.Description = storage.Ref{Name: crypto.NameOf(ciphertext), Key: key}
	return h, m.keep(h.Description.Name, ciphertext)
}
