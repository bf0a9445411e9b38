// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/journal"
)

// Kinds of journal entries. They are only added to; below [FirstFact] they are
// the vault's.
const (
	kindDataset     = 1  // a data set is born, renamed, or gets another source
	kindVersion     = 2  // a version of it
	kindGeneration  = 3  // its generation is raised
	kindErased      = 4  // a scope's keys are destroyed, and a data set's blocks with it
	kindReceived    = 5  // a version that somebody gave us
	kindIncarnation = 6  // all sequence numbers start higher
	kindSuspended   = 7  // grants wait for the owner
	kindConfirmed   = 8  // the owner has confirmed them
	kindView        = 9  // a head of a view was signed
	kindDropped     = 10 // old versions are no longer kept
	kindRemoved     = 11 // as kindErased; the data set's blocks die too
	kindLost        = 12 // no key of ours opens this scope, and the grants were suspended for it
	kindInUse       = 13 // repeated: something was sealed with the key that the scope has
	kindPlaces      = 14 // repeated: where the facts that follow stood at first
	kindChanged     = 15 // repeated: where the last entry stood that a kit from before lacks
	kindCut         = 16 // a head of a view with objects of its own was signed
	kindUncut       = 17 // such a view is no longer kept
)

// Bodies of the kinds above.
type (
	datasetBody struct {
		DID     string `cbor:"did"`
		Name    string `cbor:"name"`
		Kind    string `cbor:"kind"`
		Source  []byte `cbor:"source"`
		Created int64  `cbor:"created"`
		Keep    int    `cbor:"keep"` // versions; 0 for the vault's default
	}
	headBody struct {
		Head []byte `cbor:"head"`
	}
	receivedBody struct {
		DID  string `cbor:"did"`
		Name string `cbor:"name"`
		From string `cbor:"from"`
		Head []byte `cbor:"head"`
		Time int64  `cbor:"time"`
	}
	generationBody struct {
		Generation uint64 `cbor:"generation"`
	}
	incarnationBody struct {
		Incarnation uint32 `cbor:"incarnation"`
	}
	suspendedBody struct {
		Why Suspension `cbor:"why"`
	}
	droppedBody struct {
		Before uint64 `cbor:"before"` // the first sequence that is kept
	}
	uncutBody struct {
		View string `cbor:"view"`
		Last uint32 `cbor:"last"` // the number of its last head
	}
	placesBody struct {
		Places []uint64 `cbor:"places"`
	}
	changedBody struct {
		Place uint64 `cbor:"place"`
	}
)

func encode(v any) []byte { return canonical.MustMarshal(v) }

// state is what the journal says, in memory.
type state struct {
	incarnation uint32
	changed     uint64 // place of the last entry that a kit from before lacks
	suspended   Suspension
	sets        map[crypto.DID]*dataset
	tags        map[[16]byte]crypto.Scope // of the keys that we have
	unknown     map[[16]byte]bool         // seen, without a key and not erased
	pending     map[crypto.Scope]uint16   // scopes whose last word is that they are erased or removed
	opened      map[crypto.Scope]bool     // something was sealed with the key that the scope has
}

// dataset is one of ours, or received when from is set.
type dataset struct {
	did        crypto.DID
	name, kind string
	source     string
	from       crypto.DID
	created    int64
	keep       int // versions; 0 for the vault's default
	generation uint64
	last       uint32            // the last version's number within its incarnation
	versions   []SignedHead      // oldest first; received: one for each view, of one age the fullest last
	views      []SignedHead      // ours: signed for views of these versions
	cuts       []SignedHead      // ours: of views with objects of their own, oldest first; of each the newest [cutsKept]
	uncut      map[string]uint32 // ours: of such views that are no longer kept, the number of the last head; never changed, only replaced
}

func newState() *state {
	return &state{incarnation: 1, sets: map[crypto.DID]*dataset{}, tags: map[[16]byte]crypto.Scope{},
		unknown: map[[16]byte]bool{}, pending: map[crypto.Scope]uint16{}, opened: map[crypto.Scope]bool{}}
}

// foreign tells whether there are bodies that no key of ours ever opened.
func (s *state) foreign() bool { return len(s.unknown) > 0 }

// change is a journal entry to be, and how it looks once it is opened.
type change struct {
	kind   uint16
	scope  crypto.Scope // "" for none
	public []byte
	body   []byte
	time   int64    // Unix seconds; 0 for now
	tag    [16]byte // of a scope that we cannot name
}

// bodyAAD binds a body to its kind and scope, not to its place.
func bodyAAD(kind uint16, tag [16]byte) []byte {
	aad := append([]byte("traboule/v1/journal\x00"), 0, 0)
	binary.BigEndian.PutUint16(aad[len(aad)-2:], kind)
	return append(aad, tag[:]...)
}

// commit makes changes durable, all or none, and then true in memory. It is
// not given up half-way: ctx counts only before it starts.
func (v *Vault) commit(ctx context.Context, changes ...change) (seq uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	entries, err := v.sealEach(changes)
	if err != nil {
		return 0, err
	}
	v.commits.RLock()
	defer v.commits.RUnlock()
	seq, err = v.log.Append(context.WithoutCancel(ctx), entries...)
	if err != nil {
		return 0, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range changes {
		if err := v.state.apply(c); err != nil {
			return 0, err
		}
		if kitLacks(c.kind) {
			v.state.changed = max(v.state.changed, seq)
		}
	}
	return seq, nil
}

func (v *Vault) sealEach(changes []change) (entries []journal.Entry, err error) {
	now := v.opt.Now().Unix()
	entries = make([]journal.Entry, len(changes))
	for i, c := range changes {
		if entries[i], err = v.seal(c, now); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (v *Vault) seal(c change, now int64) (e journal.Entry, err error) {
	e = journal.Entry{Time: now, Kind: c.kind, Public: c.public}
	if c.time != 0 {
		e.Time = c.time
	}
	if c.scope == "" {
		e.Tag = c.tag
		return e, nil
	}
	e.Tag = v.ring.ScopeTag(c.scope)
	if len(c.body) > 0 {
		e.Body, err = v.ring.SealBody(c.scope, bodyAAD(c.kind, e.Tag), c.body)
	}
	return e, err
}

// replay makes an entry of the journal true in memory.
func (v *Vault) replay(e journal.Entry) error {
	if len(v.state.tags) == 0 {
		for _, s := range v.ring.Scopes() {
			v.state.tags[v.ring.ScopeTag(s)] = s
		}
	}
	if kitLacks(e.Kind) && !e.Checkpoint {
		v.state.changed = e.Seq
	}
	c, err := v.reopen(e)
	if errors.Is(err, crypto.ErrErased) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal entry %d: %w", e.Seq, err)
	}
	if err := v.state.apply(c); err != nil {
		return fmt.Errorf("journal entry %d: %w", e.Seq, err)
	}
	return nil
}

var noTag [16]byte

// reopen opens an entry's body. It is ErrErased when the key is gone, which
// state.unknown keeps count of.
func (v *Vault) reopen(e journal.Entry) (change, error) {
	c := change{kind: e.Kind, public: e.Public}
	if e.Tag == noTag {
		return c, nil
	}
	v.mu.RLock()
	scope, known := v.state.tags[e.Tag]
	v.mu.RUnlock()
	if !known && (e.Kind == kindErased || e.Kind == kindRemoved || e.Kind == kindLost) {
		delete(v.state.unknown, e.Tag)
	}
	if !known {
		return v.lost(e)
	}
	c.scope = scope
	if len(e.Body) == 0 {
		return c, nil
	}
	var err error
	c.body, err = v.ring.OpenBody(scope, bodyAAD(e.Kind, e.Tag), e.Body)
	return c, err
}

func (v *Vault) lost(e journal.Entry) (change, error) {
	if len(e.Body) > 0 {
		v.state.unknown[e.Tag] = true
	}
	return change{}, crypto.ErrErased
}

// apply makes a change true in memory. An unknown kind of the vault's own was
// written by a later version, and to pass over it could un-happen something.
func (s *state) apply(c change) error {
	if c.kind >= FirstFact {
		s.applyFact(c)
		return nil
	}
	switch c.kind {
	case kindDataset:
		return s.applyDataset(c)
	case kindVersion, kindView, kindCut:
		return s.applyHead(c)
	case kindGeneration:
		return s.applyGeneration(c)
	case kindErased, kindRemoved:
		s.forget(c)
		return nil
	case kindReceived:
		return s.applyReceived(c)
	case kindIncarnation:
		var b incarnationBody
		err := canonical.Unmarshal(c.public, &b)
		s.incarnation = max(s.incarnation, b.Incarnation)
		return err
	case kindSuspended:
		var b suspendedBody
		err := canonical.Unmarshal(c.body, &b)
		s.suspended = b.Why
		return err
	case kindConfirmed:
		s.suspended = ""
		return nil
	case kindLost: // and here again, if we can read it
		return nil
	case kindDropped:
		return s.applyDropped(c)
	case kindUncut:
		return s.applyUncut(c)
	case kindInUse:
		s.opened[c.scope] = true
		return nil
	case kindPlaces: // for those who read facts
		return nil
	case kindChanged:
		var b changedBody
		err := canonical.Unmarshal(c.public, &b)
		s.changed = max(s.changed, b.Place)
		return err
	}
	return fmt.Errorf("%w: kind %d", ErrLater, c.kind)
}

// applyFact takes a fact of an erased scope as the first of a new life, unless
// the key is the old one: then the erasure is still to be finished.
func (s *state) applyFact(c change) {
	if s.opened[c.scope] {
		return
	}
	delete(s.pending, c.scope)
	s.opened[c.scope] = len(c.body) > 0
}

func (s *state) applyDataset(c change) error {
	var b datasetBody
	if err := canonical.Unmarshal(c.body, &b); err != nil {
		return err
	}
	d := s.sets[crypto.DID(b.DID)]
	if d == nil {
		d = &dataset{did: crypto.DID(b.DID)}
		s.sets[d.did] = d
	}
	d.name, d.kind, d.source, d.created, d.keep = b.Name, b.Kind, string(b.Source), b.Created, b.Keep
	s.opened[c.scope] = true
	delete(s.pending, c.scope)
	return nil
}

func (s *state) applyHead(c change) error {
	var b headBody
	if err := canonical.Unmarshal(c.body, &b); err != nil {
		return err
	}
	h, _, err := storage.ParseHead(b.Head)
	if err != nil {
		return err
	}
	d := s.sets[h.Dataset]
	if d == nil {
		return ErrNoDataset
	}
	switch c.kind {
	case kindView:
		d.views = append(d.views, SignedHead{h, b.Head})
		return nil
	case kindCut:
		d.cuts = withCut(d.cuts, SignedHead{h, b.Head})
		return nil
	}
	d.versions = append(d.versions, SignedHead{h, b.Head})
	d.last = uint32(h.Sequence)
	return nil
}

func (s *state) applyGeneration(c change) error {
	var b generationBody
	if err := canonical.Unmarshal(c.public, &b); err != nil {
		return err
	}
	for _, d := range s.sets {
		if d.scope() == c.scope {
			d.generation = max(d.generation, b.Generation)
		}
	}
	return nil
}

func (s *state) applyDropped(c change) error {
	var b droppedBody
	if err := canonical.Unmarshal(c.body, &b); err != nil {
		return err
	}
	for _, d := range s.sets {
		if d.scope() == c.scope {
			d.versions = since(d.versions, b.Before)
			d.views = since(d.views, b.Before)
		}
	}
	return nil
}

func since(heads []SignedHead, first uint64) []SignedHead {
	var kept []SignedHead
	for _, h := range heads {
		if h.Sequence >= first {
			kept = append(kept, h)
		}
	}
	return kept
}

func (s *state) applyReceived(c change) error {
	var b receivedBody
	if err := canonical.Unmarshal(c.body, &b); err != nil {
		return err
	}
	h, _, err := storage.ParseHead(b.Head)
	if err != nil {
		return err
	}
	d := s.sets[h.Dataset]
	if d == nil {
		d = &dataset{did: h.Dataset, created: b.Time}
		s.sets[h.Dataset] = d
	}
	d.name, d.kind, d.from, d.generation = b.Name, storage.KindFiles, crypto.DID(b.From), max(d.generation, h.Generation)
	d.versions = append(otherViews(d.versions, h.View), SignedHead{h, b.Head})
	slices.SortStableFunc(d.versions, func(x, y SignedHead) int {
		if storage.IsRowsView(x.View) && storage.IsRowsView(y.View) { // each counts for itself
			return cmp.Compare(x.Time, y.Time)
		}
		return cmp.Or(cmp.Compare(x.Sequence, y.Sequence), cmp.Compare(x.Counts.Files, y.Counts.Files))
	})
	s.opened[c.scope] = true
	delete(s.pending, c.scope)
	return nil
}

func otherViews(heads []SignedHead, view string) []SignedHead {
	var kept []SignedHead
	for _, h := range heads {
		if h.View != view {
			kept = append(kept, h)
		}
	}
	return kept
}

// forget leaves the data set in place until its keys and blocks are gone: see
// Vault.finish.
func (s *state) forget(c change) { s.pending[c.scope] = c.kind }

func (d *dataset) scope() crypto.Scope {
	if d.from != "" {
		return crypto.ReceivedScope(d.did)
	}
	return crypto.DatasetScope(d.did)
}

// latest is the newest version; of received views the fullest of the newest,
// and of equally full ones the one that came last.
func (d *dataset) latest() (SignedHead, bool) {
	if len(d.versions) == 0 {
		return SignedHead{}, false
	}
	return d.versions[len(d.versions)-1], true
}
