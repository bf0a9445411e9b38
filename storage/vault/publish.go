// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"errors"

	"github.com/traboule/traboule/storage"
)

// coming is a version that is to be made.
type coming struct {
	d    *dataset // as it was
	born []change // with which the data set itself comes to be
	head SignedHead

	now     Dataset // once it is made
	dropped int     // old versions that are no longer kept then
}

// sign ends the manifest of a version.
func (v *Vault) sign(d *dataset, m *manifest, at int64) (*coming, error) {
	h, err := m.head(storage.SequenceOf(v.Incarnation(), d.last+1), at)
	if err != nil {
		return nil, err
	}
	raw, err := storage.SignHead(v.ring.Node(), h)
	return &coming{d: d, head: SignedHead{h, raw}}, err
}

// publishVersions makes versions of several data sets true, all or none: keys,
// blocks, then journal, then memory. When it is done, an error is of what became
// of the blocks of old versions. It is not done when a generation was raised
// meanwhile.
func (v *Vault) publishVersions(ctx context.Context, all ...*coming) (done bool, err error) {
	for _, c := range all {
		if c.born == nil {
			continue
		}
		if err := v.keepKeys(c.d, c.born); err != nil {
			return false, err
		}
	}
	if err := v.store.Sync(); err != nil {
		return false, err
	}
	v.shape.Lock()
	defer v.shape.Unlock()
	dropped, done, err := v.commitVersions(ctx, all)
	if err != nil || !done {
		return false, err
	}
	var failed error
	for i, c := range all {
		failed = errors.Join(failed, v.published(c, dropped[i]))
	}
	return true, failed
}

// published says what a data set is now, and lets the blocks of dropped versions
// die.
func (v *Vault) published(c *coming, dropped []SignedHead) error {
	now, err := v.find(c.d.did)
	if err != nil {
		return err
	}
	c.now, c.dropped = v.describe(now), len(c.d.versions)+1-len(now.versions)
	if len(dropped) == 0 {
		return nil
	}
	return v.bury(now, dropped, now.heads())
}

// commitVersions appends versions, and with each drops those beyond what is
// kept of its data set.
func (v *Vault) commitVersions(ctx context.Context, all []*coming) (dropped [][]SignedHead, done bool, err error) {
	v.order.Lock()
	defer v.order.Unlock()
	var changes []change
	for _, c := range all {
		now, err := v.find(c.d.did)
		if c.born != nil {
			if now, err = c.d, nil; v.named(c.d.name) != nil { // something received, or renamed meanwhile
				err = ErrNameTaken
			}
		}
		if err != nil || now.generation != c.head.Generation {
			return nil, false, err
		}
		changes = append(changes, c.born...)
		changes = append(changes, change{kind: kindVersion, scope: c.d.scope(), body: encode(headBody{c.head.Bytes})})
		before, old := now.beyond(cmp.Or(c.d.keep, v.opt.Keep), c.head)
		if len(old) > 0 {
			changes = append(changes, change{kind: kindDropped, scope: c.d.scope(), body: encode(droppedBody{before})})
		}
		dropped = append(dropped, old)
	}
	_, err = v.commit(ctx, changes...)
	return dropped, err == nil, err
}

// beyond are the heads that go when one more comes and so many versions are
// kept, and the first sequence that stays.
func (d *dataset) beyond(keep int, h SignedHead) (before uint64, dropped []SignedHead) {
	over := len(d.versions) + 1 - keep
	if over <= 0 {
		return 0, nil
	}
	before = h.Sequence
	if over < len(d.versions) {
		before = d.versions[over].Sequence
	}
	for _, old := range d.heads() {
		if old.Sequence < before {
			dropped = append(dropped, old)
		}
	}
	return before, dropped
}
