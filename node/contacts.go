// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/contact"
	"github.com/traboule/traboule/storage/vault"
)

const (
	invitationLife = 7 * 24 * time.Hour
	cardLife       = 365 * 24 * time.Hour
)

// card makes a link to hand to one person.
func (n *Node) card(ctx context.Context, q CardRequest, _ func(Progress)) (CardResult, error) {
	l, err := n.online()
	if err != nil {
		return CardResult{}, err
	}
	if err := n.setProfile(ctx, q); err != nil {
		return CardResult{}, err
	}
	secret := make([]byte, contact.SecretSize)
	rand.Read(secret) // never fails (crypto/rand)
	expires := n.now().Add(invitationLife)
	link, err := contact.SignLink(n.keys.Owner(), contact.Link{
		Owner: n.keys.Owner().DID(), Node: n.keys.Node().DID(), ReceiveHash: n.keys.Receive().Public().Hash(),
		Addresses: l.reachable(), Issued: n.now().Unix(), Expires: expires.Unix(), Secret: secret,
	})
	if err != nil {
		return CardResult{}, err
	}
	f := fact(factInvitation, crypto.NodeScope, invitation{Digest: sha256.Sum256(secret), Expires: expires.Unix()})
	if err := n.record(ctx, f); err != nil {
		return CardResult{}, err
	}
	return CardResult{Link: link, Expires: expires, Addresses: l.reachable()}, nil
}

// setProfile keeps the name and kind that the owner wants others to see.
func (n *Node) setProfile(ctx context.Context, q CardRequest) error {
	next := n.book.ownProfile()
	if q.Name != "" {
		next.Name = q.Name
	}
	if q.Kind != "" {
		next.Kind = q.Kind
	}
	if next == n.book.ownProfile() {
		return nil
	}
	if err := protocol.CheckName(next.Name); err != nil {
		return problem.New(problem.Usage, "contact.bad-name", "name", next.Name).Because(err)
	}
	if _, ok := kindOf(next.Kind); !ok {
		return problem.New(problem.Usage, "contact.bad-kind", "kind", next.Kind)
	}
	return n.record(ctx, fact(factProfile, crypto.NodeScope, next))
}

// ownCard is the card that contacts get, as things stand now.
func (l *link) ownCard() ([]byte, error) {
	n := l.node
	profile := n.book.ownProfile()
	kind, _ := kindOf(profile.Kind)
	return contact.SignCard(n.keys.Owner(), n.keys.Node(), contact.Card{
		Owner: n.keys.Owner().DID(), Node: n.keys.Node().DID(), Receive: n.keys.Receive().Public(),
		Addresses: l.reachable(), Kind: kind, Name: profile.Name,
		Issued: n.now().Unix(), Expires: n.now().Add(cardLife).Unix(),
	})
}

// kindOf reads a word for a kind of owner; none is a person.
func kindOf(word string) (contact.Kind, bool) {
	for kind := contact.Person; kind <= contact.Anchor; kind++ {
		if kind.String() == word {
			return kind, true
		}
	}
	return contact.Person, word == ""
}

// reachable is the addresses that others may try; at most as many as a card
// takes.
func (l *link) reachable() []string {
	addresses := l.host.Addrs()
	return addresses[:min(len(addresses), protocol.MaxAddresses)]
}

// contactAdd makes the acquaintance of a link's owner: fetches their card,
// checks it against the link, and hands over our own.
func (n *Node) contactAdd(ctx context.Context, q ContactAddRequest, _ func(Progress)) (Contact, error) {
	l, err := n.online()
	if err != nil {
		return Contact{}, err
	}
	link, err := n.readLink(q.Link)
	if err != nil {
		return Contact{}, err
	}
	card, raw, err := l.exchange(ctx, link)
	if err != nil {
		return Contact{}, err
	}
	name, err := n.contactName(q.Name, card.Name, card.Owner)
	if err != nil {
		return Contact{}, err
	}
	f := contactFact{Owner: card.Owner, Name: name, Card: raw, Confirmed: true}
	if err := n.record(ctx, fact(factContact, crypto.ContactScope(card.Owner), f)); err != nil {
		return Contact{}, err
	}
	l.host.Protect(card.Node)
	k, _ := n.book.contactOf(card.Owner)
	return n.describeContact(k), nil
}

func (n *Node) readLink(text string) (contact.Link, error) {
	link, err := contact.ParseLink(text, n.now())
	if made := time.Unix(link.Issued, 0); errors.Is(err, contact.ErrExpired) && made.After(n.now()) {
		return link, problem.New(problem.WrongClock, "link.early", "time", moment(made), "here", moment(n.now())).Because(err)
	}
	if errors.Is(err, contact.ErrExpired) {
		return link, problem.New(problem.Invalid, "link.expired", "time", moment(time.Unix(link.Expires, 0))).Because(err)
	}
	if err != nil {
		return link, problem.New(problem.Invalid, "link.altered").Because(err)
	}
	if link.Owner == n.keys.Owner().DID() {
		return link, problem.New(problem.Usage, "link.own")
	}
	return link, nil
}

// exchange asks the link's node for its card and offers ours.
func (l *link) exchange(ctx context.Context, link contact.Link) (contact.Card, []byte, error) {
	own, err := l.ownCard()
	if err != nil {
		return contact.Card{}, nil, err
	}
	card, raw, err := l.fetchCard(ctx, link, own)
	if isCut(err) { // over a connection that was closed without our noticing
		card, raw, err = l.fetchCard(ctx, link, own)
	}
	switch {
	case err == nil:
		return card, raw, nil
	case errors.Is(err, &protocol.Refusal{Code: protocol.Denied}):
		return card, nil, problem.New(problem.Refused, "link.used").Because(err)
	case errors.Is(err, contact.ErrExpired):
		return card, nil, problem.New(problem.Invalid, "contact.expired", "name", link.Owner.Short()).Because(err)
	case errors.Is(err, contact.ErrLied), errors.Is(err, contact.ErrBadCard):
		return card, nil, problem.New(problem.Misbehaviour, "contact.bad-card").Because(err)
	case isCut(err):
		return card, nil, problem.New(problem.Unreachable, "peer.nobody", "contact", link.Owner.Short()).Because(err)
	}
	return card, nil, about(err, "contact", link.Owner.Short())
}

func (l *link) fetchCard(ctx context.Context, link contact.Link, own []byte) (contact.Card, []byte, error) {
	stream, err := l.dial(ctx, link.Node, link.Addresses, contact.ProtocolID)
	if err != nil {
		return contact.Card{}, nil, err
	}
	return contact.Fetch(ctx, stream, link, own, contact.Options{Now: l.node.opt.Now})
}

// contactName is a free name for a contact: the one wanted, or the card's.
func (n *Node) contactName(wanted, own string, owner crypto.DID) (string, error) {
	name := wanted
	if name == "" {
		name = own
	}
	if name == "" {
		name = string(owner[len(owner)-8:])
	}
	if strings.HasPrefix(name, "did:") && wanted == "" { // nobody goes by another's key
		name = string(owner[len(owner)-8:])
	}
	if err := protocol.CheckName(name); err != nil || strings.HasPrefix(name, "did:") {
		return "", problem.New(problem.Usage, "contact.bad-name", "name", name).Because(err)
	}
	if !n.nameTaken(name, owner) {
		return name, nil
	}
	if wanted != "" {
		return "", problem.New(problem.Exists, "contact.name-taken", "name", name)
	}
	// Whoever grinds a key for another's ending gets a number.
	name = fmt.Sprintf("%s %s", name, owner[len(owner)-4:])
	free := name
	for i := 2; n.nameTaken(free, owner); i++ {
		free = fmt.Sprintf("%s (%d)", name, i)
	}
	return free, nil
}

// nameTaken says whether another owner has this name.
func (n *Node) nameTaken(name string, owner crypto.DID) bool {
	k, ok := n.book.contactNamed(name)
	return ok && k.Owner != owner
}

// serveContact answers those who bring a link of ours.
func (l *link) serveContact(ctx context.Context, stream protocol.Stream) {
	if err := contact.Serve(ctx, stream, introductions{l}, contact.Options{Now: l.node.opt.Now}); err != nil {
		l.node.opt.Log.Debug("card conversation ended", "error", err)
	}
}

// introductions meets people who bring an invitation.
type introductions struct{ *link }

var errUninvited = errors.New("no such invitation")

// Invited takes the card of somebody who knows an invitation's secret, for the
// owner to confirm, and hands out ours. Each invitation is for one owner.
func (i introductions) Invited(ctx context.Context, secret []byte, guest contact.Card, guestCard []byte) ([]byte, error) {
	n := i.node
	n.changes.Lock()
	defer n.changes.Unlock()
	invited, ok := n.book.invitationOf(sha256.Sum256(secret))
	if !ok || n.now().Unix() >= invited.Expires || invited.UsedBy != "" && invited.UsedBy != guest.Owner {
		return nil, errUninvited
	}
	if guest.Owner == n.keys.Owner().DID() {
		return nil, errUninvited
	}
	own, err := i.ownCard()
	if err != nil {
		return nil, err
	}
	f := contactFact{Owner: guest.Owner, Card: guestCard}
	if before, known := n.book.contactOf(guest.Owner); known {
		if invited.UsedBy == guest.Owner && n.now().Sub(before.kept) < rewriteAfter {
			return own, nil
		}
		f.Name, f.Confirmed = before.Name, before.Confirmed
	} else if f.Name, err = n.contactName("", guest.Name, guest.Owner); err != nil {
		return nil, err
	}
	invited.UsedBy = guest.Owner
	err = n.record(ctx,
		fact(factInvitation, crypto.NodeScope, invited),
		fact(factContact, crypto.ContactScope(guest.Owner), f))
	if err == nil {
		i.host.Protect(guest.Node)
	}
	return own, err
}

func (n *Node) contactList(ctx context.Context, _ None, _ func(Progress)) (ContactListResult, error) {
	r := ContactListResult{Contacts: []Contact{}}
	for _, k := range n.book.contactList() {
		r.Contacts = append(r.Contacts, n.describeContact(*k))
	}
	return r, nil
}

func (n *Node) describeContact(k known) Contact {
	return Contact{
		Name: k.Name, Owner: string(k.Owner), Node: string(k.card.Node), Kind: k.card.Kind.String(),
		Fingerprint: contact.Fingerprint(n.keys.Owner().DID(), k.Owner), Confirmed: k.Confirmed, Expires: time.Unix(k.card.Expires, 0),
	}
}

// contactConfirm is the owner's word that the fingerprint is the right one.
func (n *Node) contactConfirm(ctx context.Context, q NameRequest, _ func(Progress)) (Contact, error) {
	k, ok := n.book.contactNamed(q.Name)
	if !ok {
		return Contact{}, problem.New(problem.NotFound, "contact.none", "name", q.Name)
	}
	k.Confirmed = true
	if err := n.record(ctx, fact(factContact, crypto.ContactScope(k.Owner), k.contactFact)); err != nil {
		return Contact{}, err
	}
	return n.describeContact(k), nil
}

// contactRemove ends what was granted to a contact, then forgets them.
func (n *Node) contactRemove(ctx context.Context, q NameRequest, _ func(Progress)) (ContactRemoveResult, error) {
	k, ok := n.book.contactNamed(q.Name)
	if !ok {
		return ContactRemoveResult{}, problem.New(problem.NotFound, "contact.none", "name", q.Name)
	}
	r := ContactRemoveResult{Name: k.Name}
	var err error
	if r.Revoked, err = n.endAll(ctx, k.Owner); err != nil {
		return r, err
	}
	n.tellNow(ctx, n.book.givenTo(k.Owner)) // the last time that we can
	if err := n.dismiss(ctx, k.Owner); err != nil {
		return r, err
	}
	late, err := n.endAll(ctx, k.Owner) // what was granted meanwhile
	r.Revoked += late
	if err != nil {
		return r, err
	}
	if l, err := n.online(); err == nil {
		l.host.Unprotect(k.card.Node)
	}
	if err := n.withRoom(func() error { return n.vault.EraseScope(ctx, crypto.ContactScope(k.Owner)) }); err != nil {
		return r, err
	}
	r.Notices = n.eraseFromKits(ctx)
	return r, nil
}

// endAll ends what a contact still has of ours.
func (n *Node) endAll(ctx context.Context, owner crypto.DID) (ended int, err error) {
	for _, g := range n.book.givenTo(owner) {
		if g.ended(n.now()) {
			continue
		}
		if _, err := n.end(ctx, g); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

// dismiss makes a contact nobody, for whom no invitation that they used is
// good any more, and whose keys are to be destroyed.
func (n *Node) dismiss(ctx context.Context, owner crypto.DID) error {
	n.changes.Lock()
	defer n.changes.Unlock()
	scope := crypto.ContactScope(owner)
	facts := []vault.Fact{{Kind: factContactGone, Scope: scope, Body: []byte(owner)}}
	for _, i := range n.book.invitationsOf(owner) {
		i.Expires = 0
		facts = append(facts, fact(factInvitation, crypto.NodeScope, i))
	}
	return n.withRoom(func() error {
		seq, err := n.vault.RecordLast(ctx, scope, facts...)
		if err != nil {
			return err
		}
		return n.believe(seq, facts)
	})
}
