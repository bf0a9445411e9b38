// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/node/messages"
	"github.com/traboule/traboule/protocol"
)

// TestDenialsAreCounted: whoever is refused makes the node write nothing. What
// grantees were refused is in the log later, in one line for each reason; what
// strangers were is told while the node runs, and never written.
func TestDenialsAreCounted(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	alice.add("notes", tree{"a": "a"})
	r := alice.give("notes", bob)
	do(alice, Revoke, NameRequest{Name: r.Grant.ID})
	stolen := bob.request(r.Grant.ID, 0)

	entries := alice.vault.Entries()
	for range 3 {
		if _, err := bob.present(alice, bob.request(r.Grant.ID, 0)); !isRefused(err, protocol.Revoked) {
			t.Fatalf("bob hears %v", err)
		}
	}
	for range 2 {
		if _, err := eve.present(alice, stolen); !isRefused(err, protocol.Denied) {
			t.Fatalf("eve hears %v", err)
		}
	}
	if now := alice.vault.Entries(); now != entries {
		t.Errorf("refusals wrote %d entries", now-entries)
	}
	if n := do(alice, Status, None{}).Strangers; n != 2 {
		t.Errorf("status tells of %d strangers, want 2", n)
	}
	alice.leave() // what is counted of grantees is saved on the way out
	got := map[string]string{}
	for _, line := range alice.events("denied") {
		got[line.Contact+"/"+line.Args["reason"]] = line.Args["count"]
	}
	if len(got) != 1 || got["bob/"+protocol.Revoked.String()] != "3" {
		t.Errorf("the log counts %v", got)
	}
	if err := alice.saveDenials(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if n := len(alice.events("denied")); n != 1 {
		t.Errorf("saving twice made %d lines", n)
	}
	alice.start()
}

// TestStrangersWriteNothing: not even when all that is due is written.
func TestStrangersWriteNothing(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	eve := newPerson(t, "eve", alice.clock)
	alice.add("notes", tree{"a": "a"})
	stolen := bob.request(alice.give("notes", bob).Grant.ID, 0)
	alice.clock.advance(2 * denialsEvery)
	if err := alice.housekeeping(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries := alice.vault.Entries()
	for range 5 {
		if _, err := eve.present(alice, stolen); !isRefused(err, protocol.Denied) {
			t.Fatalf("eve hears %v", err)
		}
	}
	if err := alice.saveDenials(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if now := alice.vault.Entries(); now != entries {
		t.Errorf("strangers made the node write %d entries", now-entries)
	}
}

func refusal(grantee int, code protocol.Code) *access.Denial {
	return &access.Denial{Code: code, Audience: true, Grantee: crypto.DID(fmt.Sprint("did:key:z", grantee)), Reason: errors.New("any")}
}

func TestDenialsAreBounded(t *testing.T) {
	t.Parallel()
	var n Node
	const grantees = 10 * maxDenials
	for i := range grantees {
		n.denied(refusal(i, protocol.Busy))
		n.denied(&access.Denial{Code: protocol.Denied, Layer: access.LayerUCAN, Reason: errors.New("any")})
	}
	total := uint64(0)
	for _, count := range n.denials.due(time.Now(), false) {
		total += count
	}
	if kept := len(n.denials.grantees); kept > maxDenials+1 || total != grantees || n.denials.strangers.Load() != grantees {
		t.Errorf("%d kinds of refusal are kept apart, %d in all; want at most %d, and %d", kept, total, maxDenials+1, grantees)
	}
}

// TestDenialsAreApart: a grantee who goes on asking has one line an hour for
// each reason, a new reason is told at once, and nothing that could not be
// written is lost.
func TestDenialsAreApart(t *testing.T) {
	t.Parallel()
	alice, _ := neighbours(t)
	alice.leave()
	lines := func() (list []string) {
		for _, line := range alice.events("denied") {
			list = append(list, line.Args["reason"]+" "+line.Args["count"])
		}
		return list
	}
	var want []string
	save := func(told ...string) {
		t.Helper()
		if err := alice.saveDenials(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		want = append(want, told...)
		if got := lines(); strings.Join(got, ",") != strings.Join(want, ",") {
			t.Fatalf("the log says %q, want %q", got, want)
		}
	}
	alice.denied(refusal(1, protocol.Revoked))
	save("revoked 1")
	for range 100 {
		alice.denied(refusal(1, protocol.Revoked))
		alice.clock.advance(denialsEvery / 4)
		save()
	}
	alice.denied(refusal(1, protocol.Busy))
	save("busy 1")
	alice.clock.advance(denialsApart)
	due := alice.denials.due(alice.now(), false) // and then the entry cannot be written
	if len(due) != 1 {
		t.Fatalf("%v is due", due)
	}
	alice.denied(refusal(1, protocol.Revoked))
	save("revoked 101")
	alice.clock.advance(denialsApart)
	save()
	if n := len(alice.denials.grantees); n != 0 {
		t.Errorf("%d refusals of long ago are remembered", n)
	}
	alice.start()
}

// TestReasonsHaveWords: the log tells why in the reader's language.
func TestReasonsHaveWords(t *testing.T) {
	for code := protocol.Denied; code <= protocol.Failed; code++ {
		if key := "refusal." + strings.ReplaceAll(code.String(), " ", "-"); !messages.Has(key) {
			t.Errorf("%v: %q is not in the catalogue", code, key)
		}
	}
}
