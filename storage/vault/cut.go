// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage"
)

// A view with objects of its own shows what somebody computed from a data set's
// records. Its blocks and pages are sealed under the keys of this view alone:
// whoever has them recognises nothing of the data set or of another view.
//
// Its heads have numbers of their own. A view changes while the version does
// not (time closes a bucket), and a version is made that the view does not
// show; so the version's number would not order the heads, and would tell a
// grantee how often things happen that they are not to see. Each head of a view
// that differs gets the next number; the same content in the same generation is
// the same head, and so no two heads of one view ever have one number. The
// incarnation in the high half sees to that also when the vault was put back
// from a kit, which does not know the cuts. Of a view that is no longer kept the
// last number is remembered: none is used again, and none tells of another view.

// cutsKept is how many heads of a view stay: the newest, and the one before,
// which somebody may still be fetching.
const cutsKept = 2

// LastView is the newest head of a view with objects of its own, as it was last
// put: it need not be what the view would show now.
func (v *Vault) LastView(did crypto.DID, view string) (SignedHead, bool) {
	d, err := v.find(did)
	if err != nil {
		return SignedHead{}, false
	}
	return d.lastCut(view)
}

// ViewWriter makes a head of a view from objects that come one after the other.
// It is for one goroutine.
type ViewWriter struct {
	batch
	last   *SignedHead // nil for none, or none that can be read
	broken bool        // there are heads that cannot be read
	leave  func()      // gives up the turn
	done   bool
}

// BeginView starts a head of a view. It waits, until ctx ends, for another one
// of the same view that is under way; other views, Add, Writer and transfers go
// on, a sweep does not. ctx is that of all writing, too. The errors are
// [ErrNoView] for a name that is none, [ErrNoDataset], [ErrNotOurs],
// [ErrOtherKind] and [ErrNoVersion].
func (v *Vault) BeginView(ctx context.Context, did crypto.DID, view string) (*ViewWriter, error) {
	w, err := v.beginView(ctx, did, view)
	if err != nil {
		return nil, fmt.Errorf("cut a view of %s: %w", did.Short(), err)
	}
	return w, nil
}

func (v *Vault) beginView(ctx context.Context, did crypto.DID, view string) (w *ViewWriter, err error) {
	if !storage.IsRowsView(view) {
		return nil, ErrNoView
	}
	done, err := v.cutting.take(ctx, viewKey{did, view})
	if err != nil {
		return nil, err
	}
	landed := v.Landing()
	w = &ViewWriter{leave: func() {
		landed()
		done()
	}}
	w.v, w.ctx, w.view, w.put = v, ctx, view, v.putView(ctx)
	w.keep = func(ctx context.Context, sealed []byte) (crypto.BlockName, bool, error) {
		name := crypto.NameOf(sealed)
		added, err := v.store.PutView(ctx, name, sealed)
		return name, added, err
	}
	defer func() {
		if err != nil {
			w.Abort()
		}
	}()
	if w.d, err = v.find(did); err != nil {
		return w, err
	}
	switch {
	case w.d.from != "":
		return w, ErrNotOurs
	case w.d.kind != storage.KindRecords:
		return w, fmt.Errorf("%w: %q is one of %s", ErrOtherKind, w.d.name, w.d.kind)
	case len(w.d.versions) == 0:
		return w, ErrNoVersion
	}
	before, err := w.before()
	if err != nil {
		return w, err
	}
	return w, w.begin(before)
}

// before lists the last head's objects. Heads that cannot be read are of no
// worth: they go when there is a new one.
func (w *ViewWriter) before() (list []storage.Entry, err error) {
	for _, h := range w.d.cuts {
		if h.View != w.view {
			continue
		}
		if list, err = w.v.entries(w.ctx, h.Head); w.ctx.Err() != nil {
			return nil, w.ctx.Err()
		}
		w.broken = w.broken || err != nil
		w.last = &h
	}
	if w.broken {
		w.last, list = nil, nil
	}
	return list, nil
}

// View is the name of the view.
func (w *ViewWriter) View() string { return w.view }

// Keep takes over an object as it was in the last head. The errors are
// [ErrNoPath], and [ErrMissing] when it cannot be read any more: then it has to
// be written.
func (w *ViewWriter) Keep(path string) error {
	if w.done {
		return fmt.Errorf("keep %q: %w", path, ErrWriterDone)
	}
	e, ok := w.old[path]
	if !ok {
		return fmt.Errorf("keep %q: %w", path, ErrNoPath)
	}
	for _, ref := range e.Blocks {
		if !w.v.store.Has(ref.Name) {
			return fmt.Errorf("keep %q: %w", path, ErrMissing)
		}
	}
	w.next[path] = e
	delete(w.written, path)
	return nil
}

// Write seals and stores an object of at most [MaxObject] bytes. One that did
// not change keeps its blocks.
func (w *ViewWriter) Write(path string, content []byte) error {
	if w.done {
		return fmt.Errorf("write %q: %w", path, ErrWriterDone)
	}
	if err := w.write(path, content); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// Commit makes a head of what was kept and written, or returns the last one if
// that says the same. It ends the writer, also with an error. A grantee sees
// the time, in seconds.
func (w *ViewWriter) Commit(ctx context.Context, at time.Time) (SignedHead, error) {
	if w.done {
		return SignedHead{}, fmt.Errorf("make a head: %w", ErrWriterDone)
	}
	defer w.Abort()
	w.ctx, w.put = ctx, w.v.putView(ctx)
	for {
		h, again, err := w.commit(at)
		if err != nil {
			return SignedHead{}, fmt.Errorf("cut a view of %q: %w", w.d.name, err)
		}
		if !again {
			return h, nil
		}
	}
}

// commit asks to be called again when the generation was raised meanwhile.
func (w *ViewWriter) commit(at time.Time) (h SignedHead, again bool, err error) {
	d, err := w.v.find(w.d.did)
	if err != nil {
		return h, false, err
	}
	if err := w.raise(d); err != nil {
		return h, false, err
	}
	if w.says(d) {
		return *w.last, false, w.settle()
	}
	m, err := w.manifest()
	if err != nil {
		return h, false, err
	}
	n, err := d.nextCut(w.view)
	if err != nil {
		return h, false, err
	}
	if h.Head, err = m.head(storage.SequenceOf(w.v.Incarnation(), n), at.Unix()); err != nil {
		return h, false, err
	}
	if err := w.v.store.Sync(); err != nil {
		return h, false, err
	}
	if h.Bytes, err = storage.SignHead(w.v.ring.Node(), h.Head); err != nil {
		return h, false, err
	}
	again, err = w.publish(h)
	return h, again, err
}

// says tells whether the last head says what is wanted, and may be given out: one
// from before the incarnation was raised may be older than what grantees have.
func (w *ViewWriter) says(d *dataset) bool {
	return w.last != nil && w.last.Generation == d.generation && w.last.Incarnation() == w.v.Incarnation() &&
		w.unchanged() && w.v.store.Has(w.last.Description.Name)
}

// publish makes the head true, and what it supersedes die.
func (w *ViewWriter) publish(h SignedHead) (again bool, err error) {
	w.v.shape.Lock()
	defer w.v.shape.Unlock()
	before, err := w.record(h)
	if before == nil {
		return err == nil, err
	}
	now, err := w.v.find(w.d.did)
	if err != nil {
		return false, err
	}
	return false, w.v.burySuperseded(now, before, now.cuts)
}

// record appends the head to the journal and returns the cuts there were; nil
// when the generation was raised meanwhile.
func (w *ViewWriter) record(h SignedHead) (before []SignedHead, err error) {
	w.v.order.Lock()
	defer w.v.order.Unlock()
	d, err := w.v.find(w.d.did)
	if err != nil || d.generation != h.Generation {
		return nil, err
	}
	var changes []change
	if w.broken {
		changes = append(changes, d.forgetView(w.view))
	}
	changes = append(changes, change{kind: kindCut, scope: d.scope(), body: encode(headBody{h.Bytes})})
	if _, err := w.v.commit(w.ctx, changes...); err != nil {
		return nil, err
	}
	return append([]SignedHead{}, d.cuts...), nil
}

// Abort gives up, unless it was committed or given up before.
func (w *ViewWriter) Abort() {
	if !w.done {
		w.done = true
		w.leave()
	}
}

// DropViews forgets the views with objects of their own that keep declines, as
// when the last grant of a view has ended, and their blocks die. It waits for
// one of them that is being cut, and then asks again.
func (v *Vault) DropViews(ctx context.Context, did crypto.DID, keep func(view string) bool) error {
	if err := v.dropViews(ctx, did, keep); err != nil {
		return fmt.Errorf("drop views of %s: %w", did.Short(), err)
	}
	return nil
}

func (v *Vault) dropViews(ctx context.Context, did crypto.DID, keep func(view string) bool) error {
	d, err := v.find(did)
	if err != nil {
		return err
	}
	for _, view := range d.cutViews() {
		if keep(view) {
			continue
		}
		if err := v.dropView(ctx, viewKey{did, view}, keep); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) dropView(ctx context.Context, key viewKey, keep func(view string) bool) error {
	done, err := v.cutting.take(ctx, key)
	if err != nil {
		return err
	}
	defer done()
	if keep(key.view) { // since its turn came
		return nil
	}
	v.shape.Lock()
	defer v.shape.Unlock()
	d, err := v.find(key.dataset)
	if err != nil {
		return err
	}
	if _, ok := d.lastCut(key.view); !ok {
		return nil
	}
	if _, err := v.commit(ctx, d.forgetView(key.view)); err != nil {
		return err
	}
	now, err := v.find(key.dataset)
	if err != nil {
		return err
	}
	return v.burySuperseded(now, d.cuts, now.cuts)
}

// burySuperseded lets die what only cuts name that are no longer kept. No block
// of theirs is of any other view, nor of a version.
func (v *Vault) burySuperseded(d *dataset, before, after []SignedHead) error {
	var dead, live []SignedHead
	for _, h := range before {
		if !slices.ContainsFunc(after, func(kept SignedHead) bool { return kept.Head == h.Head }) {
			dead = append(dead, h)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	for _, h := range after {
		if slices.ContainsFunc(dead, func(gone SignedHead) bool { return gone.View == h.View }) {
			live = append(live, h)
		}
	}
	return v.bury(d, dead, live)
}

// cutViews are the views that have heads.
func (d *dataset) cutViews() (list []string) {
	for _, h := range d.cuts {
		if !slices.Contains(list, h.View) {
			list = append(list, h.View)
		}
	}
	return list
}

func (d *dataset) lastCut(view string) (SignedHead, bool) {
	for _, h := range slices.Backward(d.cuts) {
		if h.View == view {
			return h, true
		}
	}
	return SignedHead{}, false
}

var errNumbers = errors.New("a view has no numbers left for its heads")

// nextCut is the number of the next head of a view.
func (d *dataset) nextCut(view string) (uint32, error) {
	n := d.lastNumber(view)
	if n == math.MaxUint32 {
		return 0, errNumbers
	}
	return n + 1, nil
}

// lastNumber is that of the last head that there ever was of a view, 0 for none.
func (d *dataset) lastNumber(view string) uint32 {
	n := d.uncut[view]
	for _, h := range d.cuts {
		if h.View == view {
			n = max(n, uint32(h.Sequence))
		}
	}
	return n
}

// forgetView is the journal's entry for a view that is no longer kept.
func (d *dataset) forgetView(view string) change {
	return change{kind: kindUncut, scope: d.scope(), body: encode(uncutBody{view, d.lastNumber(view)})}
}

func (s *state) applyUncut(c change) error {
	var b uncutBody
	if err := canonical.Unmarshal(c.body, &b); err != nil {
		return err
	}
	for _, d := range s.sets {
		if d.scope() != c.scope {
			continue
		}
		uncut := map[string]uint32{}
		maps.Copy(uncut, d.uncut)
		uncut[b.View] = max(uncut[b.View], b.Last)
		d.cuts, d.uncut = otherViews(d.cuts, b.View), uncut
	}
	return nil
}

// withCut adds a head, and leaves out of its view what is superseded.
func withCut(cuts []SignedHead, h SignedHead) []SignedHead {
	left := cutsKept - 1
	kept := []SignedHead{h}
	for _, have := range slices.Backward(cuts) {
		if have.View == h.View {
			if left--; left < 0 {
				continue
			}
		}
		kept = append(kept, have)
	}
	slices.Reverse(kept)
	return kept
}
