// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol/contact"
	"github.com/traboule/traboule/storage/vault"
)

// TestInvitationIsForOneOwner: the same owner may come back with a link, and
// whoever comes after them hears what anybody with a wrong link hears.
func TestInvitationIsForOneOwner(t *testing.T) {
	t.Parallel()
	c := newClock()
	alice, bob, eve := newPerson(t, "alice", c), newPerson(t, "bob", c), newPerson(t, "eve", c)
	link := do(alice, Card, CardRequest{Name: "alice"}).Link

	first := do(bob, ContactAdd, ContactAddRequest{Link: link})
	if !first.Confirmed || first.Name != "alice" || first.Owner != string(alice.owner()) {
		t.Errorf("bob added %+v", first)
	}
	again := do(bob, ContactAdd, ContactAddRequest{Link: link})
	if again != first {
		t.Errorf("the second time bob added %+v, want %+v", again, first)
	}
	refused := fails(eve, ContactAdd, ContactAddRequest{Link: link}, "link.used")

	// A link whose secret was never handed out.
	parsed, err := contact.ParseLink(link, c.now())
	if err != nil {
		t.Fatal(err)
	}
	parsed.Secret = []byte(strings.Repeat("x", contact.SecretSize))
	invented, err := contact.SignLink(alice.keys.Owner(), parsed)
	if err != nil {
		t.Fatal(err)
	}
	wrong := fails(eve, ContactAdd, ContactAddRequest{Link: invented}, "link.used")
	if refused.Detail != wrong.Detail {
		t.Errorf("a spent link is refused with %q, an invented one with %q", refused.Detail, wrong.Detail)
	}

	guests := do(alice, ContactList, None{}).Contacts
	if len(guests) != 1 || guests[0].Owner != string(bob.owner()) || guests[0].Confirmed {
		t.Errorf("alice's contacts are %+v, want bob alone, unconfirmed", guests)
	}
	if guests[0].Fingerprint != first.Fingerprint {
		t.Error("the two sides read different fingerprints")
	}

	// Nor after a restart.
	alice.restart()
	fails(eve, ContactAdd, ContactAddRequest{Link: link}, "link.used")
	do(bob, ContactAdd, ContactAddRequest{Link: link})
}

func TestLinksThatDoNotServe(t *testing.T) {
	t.Parallel()
	c := newClock()
	alice, bob := newPerson(t, "alice", c), newPerson(t, "bob", c)
	link := do(alice, Card, CardRequest{}).Link

	fails(alice, ContactAdd, ContactAddRequest{Link: link}, "link.own")
	fails(bob, ContactAdd, ContactAddRequest{Link: link[:len(link)-1] + "!"}, "link.altered")
	fails(bob, ContactAdd, ContactAddRequest{Link: "hello"}, "link.altered")
	fails(bob, ContactAdd, ContactAddRequest{Link: link, Name: "a\nb"}, "contact.bad-name")
	fails(bob, Card, CardRequest{Name: "a\x00b"}, "contact.bad-name")
	fails(bob, Card, CardRequest{Kind: "ghost"}, "contact.bad-kind")
	fails(bob, ContactConfirm, NameRequest{Name: "nobody"}, "contact.none")
	fails(bob, ContactRemove, NameRequest{Name: "nobody"}, "contact.none")

	alice.leave()
	fails(alice, Card, CardRequest{}, "needs-run")
	// An old connection may seem to be there, and be cut.
	_, err := ContactAdd.Do(t.Context(), bob.Node, ContactAddRequest{Link: link}, nil)
	if p := problem.Of(err); p == nil || p.Kind != problem.Unreachable {
		t.Errorf("alice is away, and it says %v", err)
	}
	alice.start()
	c.advance(invitationLife + time.Second)
	fails(bob, ContactAdd, ContactAddRequest{Link: link}, "link.expired")
}

// TestExpiredInvitation: bob's clock is behind, so he does not see that the
// link is over; alice's node does.
func TestExpiredInvitation(t *testing.T) {
	t.Parallel()
	alice, bob := newPerson(t, "alice", newClock()), newPerson(t, "bob", newClock())
	link := do(alice, Card, CardRequest{}).Link
	alice.clock.advance(invitationLife)
	fails(bob, ContactAdd, ContactAddRequest{Link: link}, "link.used")
	if n := len(do(alice, ContactList, None{}).Contacts); n != 0 {
		t.Errorf("alice has %d contacts", n)
	}
}

func TestContactNames(t *testing.T) {
	t.Parallel()
	c := newClock()
	alice, first, second := newPerson(t, "alice", c), newPerson(t, "bob", c), newPerson(t, "bob", c)
	for _, p := range []*person{first, second} {
		do(p, Card, CardRequest{Name: "bob"})
		do(p, ContactAdd, ContactAddRequest{Link: do(alice, Card, CardRequest{Name: "alice"}).Link})
	}
	names := map[string]bool{}
	for _, k := range do(alice, ContactList, None{}).Contacts {
		names[k.Name] = true
	}
	if len(names) != 2 || !names["bob"] {
		t.Errorf("two who call themselves bob became %v", names)
	}
	link := do(second, Card, CardRequest{}).Link
	fails(alice, ContactAdd, ContactAddRequest{Link: link, Name: "bob"}, "contact.name-taken")
	if k := do(alice, ContactAdd, ContactAddRequest{Link: link, Name: "robert"}); k.Name != "robert" {
		t.Errorf("alice calls them %q", k.Name)
	}
	if n := len(do(alice, ContactList, None{}).Contacts); n != 2 {
		t.Errorf("another name made another contact: %d", n)
	}
}

// TestContactNameIsNeverTwice: whoever chooses a name and grinds a key so that
// the name given to it is another contact's still gets one of its own.
func TestContactNameIsNeverTwice(t *testing.T) {
	t.Parallel()
	alice := newPerson(t, "alice", newClock())
	k := func(owner crypto.DID, name string) {
		alice.book.mu.Lock()
		defer alice.book.mu.Unlock()
		alice.book.contacts[owner] = &known{contactFact: contactFact{Owner: owner, Name: name}}
	}
	stranger := alice.self() // any DID
	end := string(stranger[len(stranger)-4:])
	k("did:key:z1", "bob")
	k("did:key:z2", "bob "+end)
	name, err := alice.contactName("", "bob", stranger)
	if err != nil {
		t.Fatal(err)
	}
	if name == "bob" || name == "bob "+end {
		t.Errorf("a third contact is called %q too", name)
	}
	for i := range 8 { // who calls themselves what another is
		k(crypto.DID(fmt.Sprintf("did:key:y%d", i)), "did:key:z1")
	}
	if found, ok := alice.book.contactNamed("did:key:z1"); !ok || found.Name != "bob" {
		t.Errorf("by the DID of bob %q is found", found.Name)
	}
}

// TestCardMayExpire: a card that was good when it came stays readable, however
// often the contact is recorded anew.
func TestCardMayExpire(t *testing.T) {
	t.Parallel()
	c := newClock()
	alice, bob := newPerson(t, "alice", c), newPerson(t, "bob", c)
	do(bob, Card, CardRequest{Name: "bob"})
	do(bob, ContactAdd, ContactAddRequest{Link: do(alice, Card, CardRequest{Name: "alice"}).Link})
	alice.add("notes", tree{"a": "a"})

	c.advance(cardLife + time.Hour)
	alice.restart()
	fails(alice, Grant, GrantRequest{Name: "notes", To: "bob"}, "contact.unconfirmed")
	do(alice, ContactConfirm, NameRequest{Name: "bob"})
	fails(alice, Grant, GrantRequest{Name: "notes", To: "bob"}, "contact.expired")
	alice.restart()

	// Meeting again brings a new card.
	do(bob, ContactAdd, ContactAddRequest{Link: do(alice, Card, CardRequest{}).Link})
	alice.give("notes", bob)
}

func TestContactRemove(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.add("notes", tree{"a": "a"})
	g := alice.give("notes", bob)
	do(bob, Fetch, FetchRequest{Grant: "notes"})
	introduced := len(alice.events("erased"))

	if r := do(alice, ContactRemove, NameRequest{Name: "bob"}); r.Revoked != 1 {
		t.Errorf("%d grants ended, want 1", r.Revoked)
	}
	if state := alice.given(g.Grant.ID).State; state != "revoked" {
		t.Errorf("the grant is %s", state)
	}
	fails(bob, Fetch, FetchRequest{Grant: g.Grant.ID}, "refused.revoked")
	if erased := len(alice.events("erased")) - introduced; erased < 2 {
		t.Errorf("%d lines read erased, want those of the contact", erased)
	}
	for _, event := range []string{"contact.introduced", "contact.confirmed", "contact.added"} {
		if lines := alice.events(event); len(lines) > 0 {
			t.Errorf("the log still says %+v", lines)
		}
	}
	for _, l := range do(alice, Log, LogRequest{}).Lines {
		if l.Contact == "bob" {
			t.Errorf("the log still names bob: %+v", l)
		}
	}
	alice.sound()
	alice.restart()
	alice.sound()
	fails(alice, Grant, GrantRequest{Name: "notes", To: "bob"}, "contact.none")

	// They may meet again, and what was erased stays erased.
	meet(alice, bob)
	alice.restart()
	alice.give("notes", bob)
	alice.sound()
}

// TestContactRemovedInPart: the power went between the word that a contact is
// gone and the end of their keys.
func TestContactRemovedInPart(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	if err := alice.dismiss(t.Context(), bob.owner()); err != nil {
		t.Fatal(err)
	}
	alice.restart()
	if alice.keys.HasScope(crypto.ContactScope(bob.owner())) {
		t.Error("the keys of a contact who is gone are there")
	}
	fails(alice, ContactRemove, NameRequest{Name: "bob"}, "contact.none")
	err := alice.vault.LiveFacts(func(r vault.Recorded) error {
		if !r.Erased {
			t.Error("what was known of the contact can be read")
		}
		return nil
	}, factContact, factContactGone)
	if err != nil {
		t.Fatal(err)
	}
	meet(alice, bob)
	alice.restart()
	if _, known := alice.book.contactOf(bob.owner()); !known {
		t.Error("who came again was forgotten")
	}
}
