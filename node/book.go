// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/contact"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
	"github.com/traboule/traboule/storage/record"
)

// book is what the node knows of contacts and grants, in memory: the facts of
// the journal, applied in order. Nothing in it is true that the journal does
// not say.
type book struct {
	mu          sync.Mutex
	profile     profile
	kit         *kitSaved
	kits        map[string]kitPlace // by path
	changed     uint64              // place in the journal of the last fact that a kit from before lacks
	invitations map[[32]byte]invitation
	contacts    map[crypto.DID]*known      // by owner
	upper       map[crypto.DID]grant.Chain // by data set of ours: the two upper links
	given       map[cid.Cid]*given
	received    map[cid.Cid]*received // by the link that names our owner
	words       map[word]bool         // revocations that are in the journal
	early       map[crypto.DID]int    // how many of them, by issuer, came before what they end
	owed        map[cid.Cid]owedRecord
	evidence    map[[32]byte]bool         // equivocations that are in the journal
	ownKinds    map[string]*record.Schema // that the owner has described, by name
}

// known is a contact.
type known struct {
	contactFact
	card contact.Card
	kept time.Time // when it was last written
}

// given is a grant of ours.
type given struct {
	givenFact
	leaf         *ucan.Delegation
	grant        grant.Grant
	cid          cid.Cid
	issued       time.Time
	acknowledged bool
	revoked      bool
	record       []byte // of the revocation
	raised       bool   // the data set's generation was raised after it
	told         bool   // the grantee's node has acknowledged the revocation
	deliveries   int
	last, most   delivery // the one that held the most: who asks for less in the end has it all the same
	lastTime     time.Time
}

func (g *given) id() string { return grantID(g.cid) }

func (g *given) ended(now time.Time) bool { return g.revoked || now.After(g.grant.Until) }

// received is a grant that somebody gave us.
type received struct {
	receivedGrant
	chain grant.Chain // down to our owner; the last link, to our node, included
	grant grant.Grant
	cid   cid.Cid
	since time.Time
	place uint64    // in the journal, where it first stands
	kept  time.Time // when it was last written
	last  fetched
	at    time.Time // of the last fetch
	count int
	over  bool // its giver told us that it is revoked
}

func (r *received) id() string { return grantID(r.cid) }

// giver is the owner who gave it.
func (r *received) giver() crypto.DID { return r.chain[grant.LinkBirth].Audience }

// word is what a revocation says, in whatever bytes.
type word struct {
	issuer crypto.DID
	target cid.Cid
}

func newBook() *book {
	return &book{
		kits:        map[string]kitPlace{},
		invitations: map[[32]byte]invitation{},
		contacts:    map[crypto.DID]*known{},
		upper:       map[crypto.DID]grant.Chain{},
		given:       map[cid.Cid]*given{},
		received:    map[cid.Cid]*received{},
		words:       map[word]bool{},
		early:       map[crypto.DID]int{},
		owed:        map[cid.Cid]owedRecord{},
		evidence:    map[[32]byte]bool{},
		ownKinds:    map[string]*record.Schema{},
	}
}

// grantID is a short name for a grant, from its CID.
func grantID(c cid.Cid) string {
	sum := sha256.Sum256(c.Bytes())
	return "g-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5]))
}

// nameOf is what we call an owner, or the end of their DID.
func (b *book) nameOf(owner crypto.DID) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.contacts[owner]; ok {
		return k.Name
	}
	return owner.Short()
}

// contactList is the contacts in the order of their names.
func (b *book) contactList() []*known {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]*known, 0, len(b.contacts))
	for _, k := range b.contacts {
		copied := *k
		list = append(list, &copied)
	}
	slices.SortFunc(list, func(x, y *known) int { return strings.Compare(x.Name, y.Name) })
	return list
}

// contactOf finds a contact by owner.
func (b *book) contactOf(owner crypto.DID) (known, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.contacts[owner]; ok {
		return *k, true
	}
	return known{}, false
}

// contactNamed finds a contact by our name for them, or by their DID.
func (b *book) contactNamed(name string) (known, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.contacts[crypto.DID(name)]; ok { // whoever else calls themselves so
		return *k, true
	}
	for _, k := range b.contacts {
		if strings.EqualFold(k.Name, name) {
			return *k, true
		}
	}
	return known{}, false
}

// contactAt finds the contact whose node this is.
func (b *book) contactAt(node crypto.DID) (known, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range b.contacts {
		if k.card.Node == node {
			return *k, true
		}
	}
	return known{}, false
}

func (b *book) ownProfile() profile {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.profile
}

// invitationsOf is the invitations that an owner used.
func (b *book) invitationsOf(owner crypto.DID) []invitation {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []invitation
	for _, i := range b.invitations {
		if i.UsedBy == owner {
			list = append(list, i)
		}
	}
	return list
}

func (b *book) kitSaved() *kitSaved {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kit
}

func (b *book) invitationOf(digest [32]byte) (invitation, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, ok := b.invitations[digest]
	return i, ok
}

// isIssuer says whether a DID issued a delegation that is known here, or could
// issue one: its revocations are kept even when they come before their target.
func (n *Node) isIssuer(did crypto.DID) bool {
	return did == n.keys.Owner().DID() || did == n.keys.Node().DID() || n.book.isIssuer(did)
}

func (b *book) isIssuer(did crypto.DID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.upper[did] != nil {
		return true
	}
	for owner, k := range b.contacts {
		if owner == did || k.card.Node == did {
			return true
		}
	}
	return false
}

func (b *book) chainOf(dataset crypto.DID) grant.Chain {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.upper[dataset]
}

// givenOn is the grants on one data set of ours, or on all ("").
func (b *book) givenOn(dataset crypto.DID) []given {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []given
	for _, g := range b.given {
		if dataset == "" || g.Dataset == dataset {
			list = append(list, *g)
		}
	}
	slices.SortFunc(list, func(x, y given) int {
		if c := x.issued.Compare(y.issued); c != 0 {
			return c
		}
		return strings.Compare(x.id(), y.id())
	})
	return list
}

// speaksFor says whether issuer is the contact whose node this is.
func (b *book) speaksFor(node, issuer crypto.DID) bool {
	k, ok := b.contactAt(node)
	return ok && (issuer == node || issuer == k.Owner)
}

// moveReceived notes other addresses of a grant given to us, in memory alone.
func (b *book) moveReceived(c cid.Cid, addresses []string) received {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.received[c]
	r.Addresses = slices.Clone(addresses)
	return *r
}

// givenTo is the grants that a contact has of ours.
func (b *book) givenTo(owner crypto.DID) []given {
	return slices.DeleteFunc(b.givenOn(""), func(g given) bool { return g.Audience != owner })
}

// givenBy finds a grant of ours.
func (b *book) givenBy(c cid.Cid) (given, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g, ok := b.given[c]; ok {
		return *g, true
	}
	return given{}, false
}

// receivedBy finds a grant given to us.
func (b *book) receivedBy(c cid.Cid) (received, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r, ok := b.received[c]; ok {
		return *r, true
	}
	return received{}, false
}

// liveOn counts the grants on a data set that are live now.
func (b *book) liveOn(dataset crypto.DID, now time.Time) int {
	count := 0
	for _, g := range b.givenOn(dataset) {
		if !g.ended(now) {
			count++
		}
	}
	return count
}

// receivedFrom counts the grants that an owner gave us.
func (b *book) receivedFrom(giver crypto.DID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := 0
	for _, r := range b.received {
		if r.giver() == giver {
			count++
		}
	}
	return count
}

func (b *book) receivedList() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []received
	for _, r := range b.received {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(x, y received) int {
		if c := cmp.Compare(x.place, y.place); c != 0 {
			return c
		}
		return strings.Compare(x.id(), y.id())
	})
	return list
}

// forgetDataset drops what was known under a scope that is erased.
func (b *book) forgetDataset(dataset crypto.DID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.upper, dataset)
	for c, g := range b.given {
		if g.Dataset == dataset {
			delete(b.given, c)
		}
	}
	for c, r := range b.received {
		if r.Dataset == dataset {
			delete(b.received, c)
		}
	}
}

// owedList is the revocations of removed data sets that contacts have still to
// be told of.
func (b *book) owedList() map[cid.Cid]owedRecord {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.owed)
}

func asCID(b []byte) (cid.Cid, error) {
	c, err := cid.Cast(b)
	if err != nil {
		return cid.Undef, fmt.Errorf("read a grant's name: %w", err)
	}
	return c, nil
}
