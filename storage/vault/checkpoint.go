// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage/journal"
)

// Digest says which facts still count. What it does not speak of counts: a
// fact is repeated by every checkpoint unless its place is among the dead.
type Digest struct {
	// Upto is the last entry of the journal ([Vault.Entries]) when it was
	// made. What came later is repeated after all else.
	Upto uint64
	// Dead are the places of facts that no longer count.
	Dead map[uint64]bool
	// Instead is what stands for dead facts together, such as their number.
	// Of scopes that were erased meanwhile it is left out.
	Instead []Fact
}

// ErrErasing means that an erasure is not finished: its keys are to go first.
var ErrErasing = errors.New("an erasure is not finished")

// CheckpointDue tells whether the journal has grown so much since the last
// checkpoint that another is worth its room.
func (v *Vault) CheckpointDue() bool {
	var grown, repeated int64
	for _, seg := range v.log.Segments() {
		if seg.Checkpoint {
			grown, repeated = 0, seg.Repeated
		}
		grown += seg.Size
	}
	return grown-repeated >= max(v.opt.Growth, 2*repeated)
}

// Checkpoint repeats the state of the vault and the facts that count at the
// journal's end, all or nothing, so that Open and [Vault.LiveFacts] need not
// read what came before. Facts keep their time, their order and their place
// ([Recorded.Seq]); nothing is told twice. What came before stays for
// [Vault.Facts] and [Vault.Events] while the journal is below
// [Options.History]; beyond that the oldest goes. While it writes nothing else
// is committed. [ErrErasing] means to try again later.
func (v *Vault) Checkpoint(ctx context.Context, d Digest) error {
	v.pointing.Lock()
	defer v.pointing.Unlock()
	r := &repeating{v: v, digest: d}
	err := v.log.ReadLive(r.take)
	if err == nil {
		err = v.checkpoint(ctx, r)
	}
	if err == nil {
		err = v.mark()
	}
	if err == nil {
		err = v.dropHistory()
	}
	if err != nil {
		return fmt.Errorf("make a checkpoint: %w", err)
	}
	return nil
}

// checkpoint reads what came meanwhile and writes.
func (v *Vault) checkpoint(ctx context.Context, r *repeating) error {
	v.commits.Lock()
	defer v.commits.Unlock()
	if err := v.log.Read(r.last+1, r.take); err != nil {
		return err
	}
	v.mu.RLock()
	erasing, changes := len(v.state.pending) > 0, v.state.repeated()
	v.mu.RUnlock()
	if erasing {
		return ErrErasing
	}
	entries, err := v.sealEach(changes)
	if err != nil {
		return err
	}
	facts, err := r.entries()
	if err != nil {
		return err
	}
	at, _ := v.log.Head()
	return v.log.Checkpoint(ctx, at, append(entries, facts...))
}

// dropHistory waits for nobody who reads: then there is a next time.
func (v *Vault) dropHistory() error {
	if !v.reading.TryLock() {
		return nil
	}
	defer v.reading.Unlock()
	return v.log.DropBefore(v.opt.History)
}

// repeated is the state as changes that make it: those of a new journal.
func (s *state) repeated() []change {
	list := []change{
		{kind: kindIncarnation, public: encode(incarnationBody{s.incarnation})},
		{kind: kindChanged, public: encode(changedBody{s.changed})},
	}
	if s.suspended != "" {
		list = append(list, change{kind: kindSuspended, scope: crypto.NodeScope, body: encode(suspendedBody{s.suspended})})
	}
	for _, did := range slices.Sorted(maps.Keys(s.sets)) {
		list = append(list, s.sets[did].repeated()...)
	}
	for _, scope := range slices.Sorted(maps.Keys(s.opened)) {
		if s.opened[scope] {
			list = append(list, change{kind: kindInUse, scope: scope, body: encode(struct{}{})})
		}
	}
	return list
}

func (d *dataset) repeated() (list []change) {
	if d.from == "" {
		c := d.change()
		c.time = d.created
		list = append(list, c)
	}
	for _, h := range d.versions {
		c := change{kind: kindVersion, scope: d.scope(), body: encode(headBody{h.Bytes})}
		if d.from != "" {
			c = receivedChange(d, h.Bytes)
		}
		c.time = h.Time
		list = append(list, c)
	}
	for _, h := range d.views {
		list = append(list, change{kind: kindView, scope: d.scope(), body: encode(headBody{h.Bytes}), time: h.Time})
	}
	for _, view := range slices.Sorted(maps.Keys(d.uncut)) { // before the heads of views that came back
		list = append(list, change{kind: kindUncut, scope: d.scope(), body: encode(uncutBody{view, d.uncut[view]})})
	}
	for _, h := range d.cuts {
		list = append(list, change{kind: kindCut, scope: d.scope(), body: encode(headBody{h.Bytes}), time: h.Time})
	}
	if d.generation > 0 {
		list = append(list, change{kind: kindGeneration, scope: d.scope(), public: encode(generationBody{d.generation})})
	}
	return list
}

// repeating gathers what a checkpoint repeats as it stands: facts, and what no
// key of ours opens though none was destroyed (a better keyring may turn up).
type repeating struct {
	v      *Vault
	digest Digest
	places places
	last   uint64 // entry that was looked at
	list   []repeated
}

type repeated struct {
	journal.Entry
	place uint64
}

// take looks at an entry. Which keys there are is asked in the end.
func (r *repeating) take(e journal.Entry) error {
	r.last = e.Seq
	place, err := r.places.of(e)
	if err != nil {
		return err
	}
	if e.Kind >= FirstFact && r.digest.Dead[place] || e.Kind < FirstFact && !r.strange(e) {
		return nil
	}
	e.Public, e.Body = bytes.Clone(e.Public), bytes.Clone(e.Body)
	r.list = append(r.list, repeated{e, place})
	return nil
}

// strange tells whether an entry's body is under a key that we never had, or lost.
func (r *repeating) strange(e journal.Entry) bool {
	r.v.mu.RLock()
	_, known := r.v.state.tags[e.Tag]
	r.v.mu.RUnlock()
	return !known && len(e.Body) > 0 && !r.v.ring.WasErased(e.Tag)
}

// entries is what goes into the checkpoint: what stands for the dead facts
// after those that were looked at, before those that came later.
func (r *repeating) entries() ([]journal.Entry, error) {
	instead, err := r.instead()
	if err != nil {
		return nil, err
	}
	cut := len(r.list)
	for cut > 0 && r.list[cut-1].place > r.digest.Upto {
		cut--
	}
	var all []repeated
	lost := map[[16]byte]bool{}
	for _, e := range slices.Concat(r.list[:cut], instead, r.list[cut:]) {
		var rec Recorded
		switch err := r.v.openFact(e.Entry, &rec); {
		case err != nil:
			return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
		case rec.Erased && !r.strange(e.Entry) && len(e.Public) == 0:
			continue
		case rec.Erased:
			lost[e.Tag] = true // nobody need be told again
		}
		all = append(all, e)
	}
	list := placed(all)
	for tag := range lost {
		list = append(list, journal.Entry{Kind: kindLost, Tag: tag, Time: r.v.opt.Now().Unix()})
	}
	return list, nil
}

func (r *repeating) instead() (list []repeated, err error) {
	changes, err := changesOf(r.digest.Instead)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if c.scope != "" && !r.v.ring.HasScope(c.scope) {
			continue
		}
		e, err := r.v.seal(c, r.v.opt.Now().Unix())
		if err != nil {
			return nil, err
		}
		list = append(list, repeated{Entry: e})
	}
	return list, nil
}

// placesOfOne is how many facts one entry of places speaks for.
const placesOfOne = 10_000

// placed puts before the facts where they stood at first; 0 for here.
func placed(all []repeated) (list []journal.Entry) {
	for chunk := range slices.Chunk(all, placesOfOne) {
		at := []uint64{}
		for _, e := range chunk {
			if e.Kind >= FirstFact {
				at = append(at, e.place)
			}
		}
		list = append(list, journal.Entry{Kind: kindPlaces, Time: chunk[0].Time, Public: encode(placesBody{at})})
		for _, e := range chunk {
			list = append(list, e.Entry)
		}
	}
	return list
}

// places tells, of entries read in order, where a fact stood at first.
type places struct{ next []uint64 }

var errPlaces = errors.New("a checkpoint does not say where its facts come from")

func (p *places) of(e journal.Entry) (uint64, error) {
	switch {
	case !e.Checkpoint:
		return e.Seq, nil
	case e.Kind == kindPlaces:
		var b placesBody
		err := canonical.Unmarshal(e.Public, &b)
		if err == nil && len(p.next) > 0 {
			err = errPlaces
		}
		p.next = b.Places
		return e.Seq, err
	case e.Kind < FirstFact:
		return e.Seq, nil
	case len(p.next) == 0:
		return 0, errPlaces
	}
	place := p.next[0]
	p.next = p.next[1:]
	return cmp.Or(place, e.Seq), nil
}

// history gives fn each entry once, from the oldest on that is kept: what a
// checkpoint repeats only where that is the oldest. What a drop that was cut
// off has left before that is not told any more.
func (v *Vault) history(fn func(place uint64, e journal.Entry) error) error {
	v.reading.RLock()
	defer v.reading.RUnlock()
	var at places
	first := beginning(v.log.Segments())
	return v.log.Read(first.First, func(e journal.Entry) error {
		place, err := at.of(e)
		if err != nil || e.Checkpoint && (!first.Checkpoint || e.Seq > first.Last) {
			return err
		}
		return fn(place, e)
	})
}

// beginning is where the history begins: at the first entry of all, or at the
// oldest checkpoint.
func beginning(segments []journal.Segment) journal.Segment {
	for _, seg := range segments {
		if seg.First == 1 || seg.Checkpoint {
			return seg
		}
	}
	return segments[0]
}

// live gives fn what the newest checkpoint repeats and what came after it.
func (v *Vault) live(fn func(place uint64, e journal.Entry) error) error {
	v.reading.RLock()
	defer v.reading.RUnlock()
	var at places
	return v.log.ReadLive(func(e journal.Entry) error {
		place, err := at.of(e)
		if err != nil {
			return err
		}
		return fn(place, e)
	})
}
