// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// cuts remember from what the views that were served were cut, so that only the
// parts are cut again that changed. Without it, after a start, all are cut
// again, into the same blocks.
type cuts struct {
	wide *semaphore.Weighted // of cuts that hold many rows at a time

	mu    sync.Mutex
	views map[cutName]*lastCut
}

// cutName is a view of a data set.
type cutName struct {
	dataset crypto.DID
	view    string
}

// lastCut is what a view was cut from last.
type lastCut struct {
	audience crypto.DID

	mu    sync.Mutex
	root  storage.Ref         // of its head
	roll  record.Roll         // of the data set as its log stood
	parts map[string][32]byte // what each part was of; nil for not yet
}

func newCuts() *cuts {
	return &cuts{wide: semaphore.NewWeighted(1), views: map[cutName]*lastCut{}}
}

// of is what is known of a view.
func (c *cuts) of(name cutName, audience crypto.DID) *lastCut {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.views[name] == nil {
		c.views[name] = &lastCut{audience: audience}
	}
	return c.views[name]
}

// viewName names a view for the owner that it is given to: what one asks for
// says nothing to another, and a grant that is renewed goes on.
func viewName(spec view.Spec, audience crypto.DID) string {
	return storage.RowsView(canonical.MustMarshal(struct {
		Columns  []string   `cbor:"columns"`
		Rows     []string   `cbor:"rows"`
		From     int64      `cbor:"from"`
		To       int64      `cbor:"to"`
		Period   int        `cbor:"period"`
		Grid     int        `cbor:"grid"`
		Audience crypto.DID `cbor:"audience"`
	}{spec.Columns, spec.Rows, spec.From, spec.To, int(spec.Period), int(spec.Grid), audience}))
}

// released is what of a data set a view is cut from under a grant, and as of
// when: as the log stood when the current bucket began, or when the owner gave
// the grant, if that was later. So the grantee gets what the preview showed, and
// from then on something new once per bucket. The moment, which the head tells,
// says no more than its rows do.
func (n *Node) released(set *record.Set, v *view.View, g given, now time.Time) (*record.Set, time.Time) {
	at := v.AsOf(now)
	if v.Spec().Period == view.Raw {
		return set, at
	}
	operations := set.Before(at.Unix())
	for _, other := range n.book.givenOn(g.Dataset) {
		if other.Audience != g.Audience || other.ended(now) || !sameView(grantedView(other.grant), grantedView(g.grant)) {
			continue
		}
		if operations = max(operations, other.Operations); at.Before(other.issued) {
			at = other.issued
		}
	}
	return set.At(operations), at
}

func sameView(a, b view.Spec) bool {
	return slices.Equal(a.Columns, b.Columns) && slices.Equal(a.Rows, b.Rows) &&
		a.From == b.From && a.To == b.To && a.Period == b.Period && a.Grid == b.Grid
}

// partRoom is how many numbers the rows of one part have for themselves.
const partRoom = 1 << 30

// numbersOf are the numbers of a part's rows: those of a month, or year, are the
// same for ever.
func numbersOf(p view.Part) record.Range {
	var year, month int
	if p.Name != view.Undated {
		month = 1
		_, _ = fmt.Sscanf(p.Name, "%d-%d", &year, &month) // a year alone is its first month
	}
	return record.Range{First: record.Number(12*year+month) * partRoom, Count: partRoom}
}

// writeView cuts the parts that are due and writes the view's objects: a data
// set of records of its own, in which each part has its objects. made has those
// that stay as they were. What is shown to the owner and what is served is
// written here.
func writeView(ctx context.Context, v *view.View, src view.Source, w record.Writer,
	made *record.Snapshot, due []view.Part, see func([]record.Row)) (set *record.Set, longer int, err error) {
	counts, err := v.Cut(ctx, src, due, func(p view.Part, rows []record.Row) error {
		if see != nil {
			see(rows)
		}
		return made.Put(w, numbersOf(p).First, rows)
	})
	if err != nil {
		return nil, 0, err
	}
	set, err = made.Finish(w)
	return set, counts.Longer, err
}

// fewParts is how many parts of rows as they are a view may have to be cut
// beside any other: more than a live one needs. Whole ones, as after a start,
// take turns, for each holds some 130,000 rows at a time.
const fewParts = 3

// cutting is a view that is being brought up to date.
type cutting struct {
	node *Node
	d    vault.Dataset
	v    *view.View
	last *lastCut
	w    *vault.ViewWriter
}

// cutView brings a view up to date and returns its head, with how many rows it
// has.
func (n *Node) cutView(ctx context.Context, did crypto.DID, v *view.View, g given) (head vault.SignedHead, rows int, err error) {
	name := cutName{did, viewName(v.Spec(), g.Audience)}
	w, err := n.vault.BeginView(ctx, did, name.view)
	if err != nil {
		return head, 0, err
	}
	defer w.Abort()
	d, err := n.vault.Lookup(string(did)) // with what was written while another had the view cut
	if err != nil {
		return head, 0, err
	}
	set, err := n.records(ctx, d)
	if err != nil {
		return head, 0, err
	}
	now := n.now()
	c := &cutting{n, d, v, n.cuts.of(name, g.Audience), w}
	set, at := n.released(set, v, g, now)
	return c.commit(ctx, set, now, at)
}

// commit cuts what is due of a view of a set, and makes the head.
func (c *cutting) commit(ctx context.Context, set *record.Set, now, at time.Time) (head vault.SignedHead, rows int, err error) {
	c.last.mu.Lock()
	defer c.last.mu.Unlock()
	src := allOf(set)
	parts := c.v.Parts(src, now)
	made, due := c.keep(ctx, set, parts)
	if c.v.Spec().Period == view.Raw && len(due) > fewParts {
		if err := c.node.cuts.wide.Acquire(ctx, 1); err != nil {
			return head, 0, err
		}
		defer c.node.cuts.wide.Release(1)
	}
	cut, _, err := writeView(ctx, c.v, src, c.w, made, due, nil)
	if err != nil {
		return head, 0, err
	}
	if head, err = c.w.Commit(ctx, at); err != nil {
		return head, 0, err
	}
	c.node.recordSets.remember(head.Head, cut.Over(c.node.objectsOf(head.Head)))
	c.last.root, c.last.roll, c.last.parts = head.Root, set.Roll(), map[string][32]byte{}
	for _, p := range parts {
		c.last.parts[p.Name] = p.View
	}
	return head, cut.Len(), nil
}

// keep takes over, from the last head of the view, the parts that nothing
// changed, and says which are due. What cannot be read is cut again.
func (c *cutting) keep(ctx context.Context, set *record.Set, parts []view.Part) (made *record.Snapshot, due []view.Part) {
	made = record.NewSnapshot(c.v.Schema())
	before, changed := c.before(ctx), make([]bool, len(parts))
	if before == nil || set.Differing(ctx, c.last.roll, func(micros int64, dated bool) {
		for i, end := c.v.Holding(parts, micros, dated); i < end; i++ {
			changed[i] = true
		}
	}) != nil {
		return made, parts
	}
	for i, p := range parts {
		if changed[i] || c.last.parts[p.Name] != p.View || !c.keepPart(made, before, p) {
			due = append(due, p)
		}
	}
	return made, due
}

// before is what the last head of the view tells, if that was cut as is known;
// nil if not.
func (c *cutting) before(ctx context.Context) *record.Set {
	h, ok := c.node.vault.LastView(c.d.DID, c.w.View())
	if !ok || c.last.parts == nil || h.Root != c.last.root {
		return nil
	}
	set, err := c.node.recordsAt(ctx, c.d, h.Head)
	if err != nil {
		return nil
	}
	return set
}

// keepPart takes over a part as it was before.
func (c *cutting) keepPart(made *record.Snapshot, before *record.Set, p view.Part) bool {
	var kept record.Snapshot
	for _, path := range kept.Keep(before, numbersOf(p)) {
		if c.w.Keep(path) != nil {
			return false
		}
	}
	made.Keep(before, numbersOf(p))
	return true
}

// dropViews lets go of the views that no grant allows any more.
func (n *Node) dropViews(ctx context.Context) error {
	for _, d := range n.vault.Datasets() {
		if d.From != "" || d.Kind != storage.KindRecords {
			continue
		}
		granted := func(view string) bool { return n.isGranted(cutName{d.DID, view}) }
		if err := n.vault.DropViews(ctx, d.DID, granted); err != nil {
			return err
		}
	}
	n.cuts.mu.Lock()
	defer n.cuts.mu.Unlock()
	maps.DeleteFunc(n.cuts.views, func(name cutName, last *lastCut) bool { return !n.isGrantedTo(name, last.audience) })
	return nil
}

// isGranted says whether some grant is on a view, or on one that it is part of.
func (n *Node) isGranted(name cutName) bool {
	n.cuts.mu.Lock()
	defer n.cuts.mu.Unlock()
	if last := n.cuts.views[name]; last != nil {
		return n.isGrantedTo(name, last.audience)
	}
	return n.isGrantedTo(name, "")
}

// isGrantedTo is isGranted for a view that was cut for an audience since the
// start; "" for one that was not. Whoever still has a grant on the data set may
// ask again for what is narrower.
func (n *Node) isGrantedTo(name cutName, audience crypto.DID) bool {
	return slices.ContainsFunc(n.book.givenOn(name.dataset), func(g given) bool {
		return isOnRecords(g.grant) && !g.ended(n.now()) &&
			(g.Audience == audience || viewName(grantedView(g.grant), g.Audience) == name.view)
	})
}
