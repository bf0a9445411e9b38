// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
)

// ReceivedHead is a head that somebody gave us, opened.
type ReceivedHead struct {
	Dataset crypto.DID
	Name    string     // what we call it; must be free
	From    crypto.DID // the owner who gave it
	Signer  crypto.DID // the node that must have signed the head
	Head    []byte     // what [storage.SignHead] made

	// Expected refuses a data set of which nothing was recorded here, or that
	// was removed since ([ErrUnexpected]).
	Expected bool
}

// ErrUnexpected is returned for a version of a data set that has no keys here.
var ErrUnexpected = errors.New("nothing is known of the data set, or it was removed")

// ErrBadReceived is returned for a head that is not what it is said to be.
var ErrBadReceived = errors.New("not the head that was announced")

// Receive remembers a received version, once all its pages and blocks are in
// Blocks ([ErrMissing] otherwise). It replaces the version before of the same
// view; an older one is refused ([ErrOldHead]), the same one changes nothing.
func (v *Vault) Receive(ctx context.Context, r ReceivedHead) error {
	if err := v.receive(ctx, r); err != nil {
		return fmt.Errorf("receive %s: %w", r.Dataset.Short(), err)
	}
	return nil
}

func (v *Vault) receive(ctx context.Context, r ReceivedHead) error {
	h, err := r.check()
	if err != nil {
		return err
	}
	v.shape.Lock()
	defer v.shape.Unlock()
	if r.Expected && !v.ring.HasScope(crypto.ReceivedScope(r.Dataset)) {
		return ErrUnexpected
	}
	d, before, err := v.place(r, h)
	if err != nil || (before != nil && bytes.Equal(before.Bytes, r.Head)) {
		return err
	}
	if err := v.complete(ctx, h); err != nil {
		return err
	}
	if err := v.store.Sync(); err != nil {
		return err
	}
	c := receivedChange(d, r.Head)
	if err := v.ensureScopes([]change{c}); err != nil {
		return err
	}
	if _, err := v.commit(ctx, c); err != nil {
		return err
	}
	if before == nil {
		return nil
	}
	now, err := v.find(r.Dataset)
	if err != nil {
		return err
	}
	return v.bury(now, []SignedHead{*before}, now.heads())
}

func (r *ReceivedHead) check() (h storage.Head, err error) {
	if r.Name, err = storage.ParseName(r.Name); err != nil {
		return h, err
	}
	if _, err := crypto.ParseDID(string(r.From)); err != nil {
		return h, fmt.Errorf("its owner: %w", err)
	}
	h, signer, err := storage.ParseHead(r.Head)
	if err != nil {
		return h, err
	}
	if h.Dataset != r.Dataset || signer != r.Signer {
		return h, fmt.Errorf("%w: signed by %s for %s", ErrBadReceived, signer.Short(), h.Dataset.Short())
	}
	return h, nil
}

// place finds where a received head belongs, and the one that it replaces.
func (v *Vault) place(r ReceivedHead, h storage.Head) (*dataset, *SignedHead, error) {
	if other := v.named(r.Name); other != nil && other.did != r.Dataset {
		return nil, nil, ErrNameTaken
	}
	d, err := v.find(r.Dataset)
	if err != nil {
		return &dataset{did: r.Dataset, name: r.Name, from: r.From, created: v.opt.Now().Unix()}, nil, nil
	}
	if d.from == "" {
		return nil, nil, fmt.Errorf("%w: it is our own", ErrBadReceived)
	}
	d.name, d.from = r.Name, r.From
	for _, have := range d.versions {
		if have.View != h.View {
			continue
		}
		same := bytes.Equal(have.Bytes, r.Head)
		newer := h.Sequence > have.Sequence || h.Sequence == have.Sequence && h.Generation > have.Generation
		if !same && !newer {
			return nil, nil, ErrOldHead
		}
		return d, &have, nil
	}
	return d, nil, nil
}

func receivedChange(d *dataset, head []byte) change {
	return change{kind: kindReceived, scope: crypto.ReceivedScope(d.did), body: encode(receivedBody{
		DID: string(d.did), Name: d.name, From: string(d.from), Head: head, Time: d.created})}
}

// complete tells whether everything below a head is here.
func (v *Vault) complete(ctx context.Context, h storage.Head) error {
	missing := 0
	if !h.Description.IsZero() && !v.store.Has(h.Description.Name) {
		missing++
	}
	err := storage.Walk(ctx, h, v.store.Get, func(e storage.Entry) error {
		for _, r := range e.Blocks {
			if !v.store.Has(r.Name) {
				missing++
			}
		}
		return nil
	})
	if errors.Is(err, blocks.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err == nil && missing > 0 {
		return fmt.Errorf("%w: %d", ErrMissing, missing)
	}
	return err
}

// receivedKind is the kind of a received data set, which its descriptions say;
// as long as none can be read it counts as files.
func (v *Vault) receivedKind(d *dataset) string {
	latest, _ := d.latest()
	ref := latest.Description
	if kind, ok := v.kinds.Load(ref.Name); ok {
		return kind.(string)
	}
	sealed, err := v.store.Get(ref.Name, nil)
	if err != nil {
		return d.kind
	}
	text, err := crypto.OpenBlock(nil, d.did, ref.Key, sealed)
	if err != nil {
		return d.kind
	}
	said, err := storage.ParseDescription(text)
	if err != nil {
		return d.kind
	}
	v.kinds.Store(ref.Name, said.Kind)
	return said.Kind
}
