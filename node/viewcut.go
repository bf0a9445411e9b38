// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// cuts remember of what the views that were served were cut, so that only the
// parts are cut again that changed. Without it, after a start, all are cut
// again, into the same blocks.
type cuts struct {
	mu    sync.Mutex
	views map[string]*cutParts // by the view's name
}

// cutParts is the last cut of one view.
type cutParts struct {
	dataset  crypto.DID
	audience crypto.DID
	mu       sync.Mutex
	root     storage.Ref         // of its head
	sources  map[string][32]byte // by part
}

// of is what is known of a view.
func (c *cuts) of(name string, g given) *cutParts {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.views == nil {
		c.views = map[string]*cutParts{}
	}
	if c.views[name] == nil {
		c.views[name] = &cutParts{dataset: g.Dataset, audience: g.Audience}
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

// released is what of a data set a view is cut from under a grant: as the log
// stood when the current bucket began, or when the owner gave the grant, if
// that was later. So the grantee gets what the preview showed, and from then on
// something new once per bucket.
func (n *Node) released(set *record.Set, v *view.View, g given, now time.Time) view.Source {
	if v.Spec().Period == view.Raw {
		return allOf(set)
	}
	operations := set.Before(v.AsOf(now).Unix())
	for _, other := range n.book.givenOn(g.Dataset) {
		if other.Audience == g.Audience && !other.ended(now) && sameView(grantedView(other.grant), grantedView(g.grant)) {
			operations = max(operations, other.Operations)
		}
	}
	return allOf(set.At(operations))
}

func sameView(a, b view.Spec) bool {
	return slices.Equal(a.Columns, b.Columns) && slices.Equal(a.Rows, b.Rows) &&
		a.From == b.From && a.To == b.To && a.Period == b.Period && a.Grid == b.Grid
}

// releasedAt is the moment that a head tells, which must say no more than its
// rows do.
func releasedAt(v *view.View, g given, now time.Time) time.Time {
	at := v.AsOf(now)
	if at.Before(g.issued) {
		at = g.issued
	}
	return at
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

// writeView cuts a view and writes its objects: a data set of records of its
// own, in which each part has its objects. Parts that keep declines are cut.
// What is shown to the owner and what is served is written here.
func writeView(ctx context.Context, v *view.View, src view.Source, now time.Time, w record.Writer,
	keep func(*record.Snapshot, view.Part) bool, see func([]record.Row)) (set *record.Set, parts []view.Part, longer int, err error) {
	if parts, err = v.Parts(src, now); err != nil {
		return nil, nil, 0, err
	}
	made, due := record.NewSnapshot(v.Schema()), []view.Part{}
	for _, p := range parts {
		if !keep(made, p) {
			due = append(due, p)
		}
	}
	counts, err := v.Cut(ctx, src, due, func(p view.Part, rows []record.Row) error {
		if see != nil {
			see(rows)
		}
		return made.Put(w, numbersOf(p).First, rows)
	})
	if err != nil {
		return nil, nil, 0, err
	}
	set, err = made.Finish(w)
	return set, parts, counts.Longer, err
}

// cutView brings a view up to date and returns its head, with how many rows it
// has.
func (n *Node) cutView(ctx context.Context, d vault.Dataset, v *view.View, g given) (head vault.SignedHead, rows int, err error) {
	set, err := n.records(ctx, d)
	if err != nil {
		return head, 0, err
	}
	name, now := viewName(v.Spec(), g.Audience), n.now()
	known := n.cuts.of(name, g)
	known.mu.Lock()
	defer known.mu.Unlock()
	w, err := n.vault.BeginView(ctx, d.DID, name)
	if err != nil {
		return head, 0, err
	}
	defer w.Abort()
	cut, parts, _, err := writeView(ctx, v, n.released(set, v, g, now), now, w, n.keeper(ctx, d, name, known, w), nil)
	if err != nil {
		return head, 0, err
	}
	if head, err = w.Commit(ctx, releasedAt(v, g, now)); err != nil {
		return head, 0, err
	}
	n.recordSets.remember(head.Head, cut.Over(n.objectsOf(head.Head)))
	known.root, known.sources = head.Root, map[string][32]byte{}
	for _, p := range parts {
		known.sources[p.Name] = p.Source
	}
	return head, cut.Len(), nil
}

// keeper says of each part whether it stays as it was in the last head.
func (n *Node) keeper(ctx context.Context, d vault.Dataset, name string, known *cutParts, w *vault.ViewWriter) func(*record.Snapshot, view.Part) bool {
	var last *record.Set
	if h, ok := n.vault.LastView(d.DID, name); ok && h.Root == known.root {
		last, _ = n.recordsAt(ctx, d, h.Head) // what cannot be read is cut again
	}
	return func(made *record.Snapshot, p view.Part) bool {
		if source, ok := known.sources[p.Name]; last == nil || !ok || source != p.Source {
			return false
		}
		var kept record.Snapshot
		for _, path := range kept.Keep(last, numbersOf(p)) {
			if w.Keep(path) != nil {
				return false
			}
		}
		made.Keep(last, numbersOf(p))
		return true
	}
}

// dropViews lets go of the views that no grant allows any more.
func (n *Node) dropViews(ctx context.Context) error {
	live := map[string]bool{}
	audiences := map[[2]crypto.DID]bool{}
	for _, g := range n.book.givenOn("") {
		if isOnRecords(g.grant) && !g.ended(n.now()) {
			live[viewName(grantedView(g.grant), g.Audience)] = true
			audiences[[2]crypto.DID{g.Dataset, g.Audience}] = true
		}
	}
	n.cuts.mu.Lock()
	for name, c := range n.cuts.views {
		if audiences[[2]crypto.DID{c.dataset, c.audience}] {
			live[name] = true
		} else {
			delete(n.cuts.views, name)
		}
	}
	n.cuts.mu.Unlock()
	for _, d := range n.vault.Datasets() {
		if d.From != "" || d.Kind != storage.KindRecords {
			continue
		}
		if err := n.vault.DropViews(ctx, d.DID, func(name string) bool { return live[name] }); err != nil {
			return err
		}
	}
	return nil
}
