// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"strings"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// poison is a giver's data set whose manifest names blocks that are not the
// giver's, put into the receiver's store.
func poison(t *testing.T, giver, receiver *Vault, did crypto.DID, number uint32, alien ...crypto.BlockName) ReceivedHead {
	t.Helper()
	d, err := giver.find(did)
	if err != nil {
		t.Fatal(err)
	}
	m, err := giver.manifest(bg, d, "", receiver.put(bg))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range alien {
		err := m.builder.Add(storage.Entry{Path: []byte{byte('a' + i)}, Kind: storage.File, Mode: 0o644, Size: 9000,
			Blocks: []storage.Ref{{Name: name}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	h, err := m.head(storage.SequenceOf(1, number), 1)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := storage.SignHead(giver.ring.Node(), h)
	if err != nil {
		t.Fatal(err)
	}
	return ReceivedHead{Dataset: did, Name: d.name, From: giver.ring.Owner().DID(), Signer: giver.ring.Node().DID(), Head: raw}
}

// A giver who knows the names of our blocks, because we granted them the data
// set, puts them into gifts. Whatever becomes of the gifts, ours stays, be a
// page of ours called data in another gift or not.
func TestGiftThatNamesOurBlocks(t *testing.T) {
	for _, how := range []string{"remove", "next version"} {
		t.Run(how, func(t *testing.T) {
			victim, giver := newVault(t, testOptions()), newVault(t, testOptions())
			src := t.TempDir()
			write(t, src, "precious", strings.Repeat("precious ", 1000))
			mine := mustAdd(t, victim, "mine", src)
			alien := []crypto.BlockName{blocksOf(t, victim, mine.Head)["precious"][0].Name, mine.Head.Root.Name, mine.Head.Description.Name}
			gift := mustAdd(t, giver, "gift", src).Dataset.DID
			second := mustAdd(t, giver, "second", src).Dataset.DID
			for _, did := range []crypto.DID{gift, second} {
				if err := victim.Receive(bg, poison(t, giver, victim, did, 5, alien...)); err != nil {
					t.Fatal(err)
				}
			}
			before := victim.store.Stats().Blocks
			if how == "remove" {
				if err := victim.Remove(bg, gift); err != nil {
					t.Fatal(err)
				}
			} else if err := victim.Receive(bg, poison(t, giver, victim, gift, 6)); err != nil {
				t.Fatal(err)
			}
			for _, name := range alien {
				if !victim.store.Has(name) {
					t.Errorf("%v of ours is dead", name)
				}
			}
			export(t, victim, mine.Dataset.DID, ExportOptions{})
			if how == "remove" && victim.store.Stats().Blocks != before-2 { // its page and description
				t.Errorf("%d blocks of %d", victim.store.Stats().Blocks, before)
			}
		})
	}
}

// A gift that names blocks of ours takes none along when it goes, be the page
// that is missing of ours the root or one below: the rest may come back.
func TestGiftBesideAMissingRoot(t *testing.T) {
	victim, giver := newVault(t, testOptions()), newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "precious", strings.Repeat("precious ", 1000))
	mine := mustAdd(t, victim, "mine", src)
	alien := blocksOf(t, victim, mine.Head)["precious"][0].Name
	gift := mustAdd(t, giver, "gift", src).Dataset.DID
	if err := victim.Receive(bg, poison(t, giver, victim, gift, 5, alien)); err != nil {
		t.Fatal(err)
	}
	root, err := victim.store.Get(mine.Head.Root.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.store.Delete(mine.Head.Root.Name); err != nil {
		t.Fatal(err)
	}
	if err := victim.Remove(bg, gift); err != nil || !victim.store.Has(alien) {
		t.Errorf("the gift was removed (%v), and a block of ours died", err)
	}
	if _, err := victim.store.Put(bg, mine.Head.Root.Name, root); err != nil {
		t.Fatal(err)
	}
	export(t, victim, mine.Dataset.DID, ExportOptions{})
}

// When what lives of a data set cannot be told, nothing of it dies.
func TestNextVersionBesideAMissingPage(t *testing.T) {
	v := newVault(t, testOptions())
	src := t.TempDir()
	write(t, src, "shared", strings.Repeat("shared ", 1000))
	first := mustAdd(t, v, "notes", src)
	write(t, src, "more", "more")
	second := mustAdd(t, v, "notes", src)
	shared := blocksOf(t, v, first.Head)["shared"][0].Name
	if err := v.store.Delete(second.Head.Root.Name); err != nil {
		t.Fatal(err)
	}
	d, err := v.find(second.Dataset.DID)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.bury(d, d.versions[:1], d.versions[1:]); err != nil || !v.store.Has(shared) || !v.store.Has(first.Head.Root.Name) {
		t.Errorf("%v, and a block died that the newest version needs", err)
	}
}

// When a page of a gift is missing, nobody can tell what it names, and nothing
// dies. One of which nothing is here needs nothing, nor does another data set of
// ours, which names no block that it has not sealed.
func TestRemoveBesideMissingPages(t *testing.T) {
	v, giver := newVault(t, testOptions()), newVault(t, testOptions())
	src := t.TempDir()
	for i := range 600 {
		write(t, src, strings.Repeat("long name ", 12)+string(rune('A'+i%26))+string(rune('a'+i/26)), "")
	}
	gift := headOf(t, giver, mustAdd(t, giver, "gift", src).Dataset.DID)
	if err := v.Receive(bg, give(t, giver, v, gift)); err != nil {
		t.Fatal(err)
	}
	small := t.TempDir()
	write(t, small, "x", "x")
	one, two, three := mustAdd(t, v, "one", small), mustAdd(t, v, "two", small), mustAdd(t, v, "three", src)
	losePages := func(h storage.Head) {
		t.Helper()
		pages := names{}
		if err := v.reach(bg, h, nil, pages); err != nil {
			t.Fatal(err)
		}
		delete(pages, h.Root.Name)
		delete(pages, h.Description.Name)
		if len(pages) == 0 {
			t.Fatal("a single page")
		}
		for name := range pages {
			lose(t, v, name)
		}
	}
	losePages(gift.Head)
	if err := v.Remove(bg, one.Dataset.DID); err != nil || !v.store.Has(one.Head.Root.Name) {
		t.Errorf("beside a missing page: %v, and the blocks died", err)
	}
	lose(t, v, gift.Root.Name)
	losePages(three.Head)
	if err := v.Remove(bg, two.Dataset.DID); err != nil || v.store.Has(two.Head.Root.Name) {
		t.Errorf("beside a gift that is not here, and a missing page of ours: %v, and the blocks live", err)
	}
}
