// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

const home = "/home/vault"

// busy is somebody at work in a vault on a disk whose power is going to be
// cut, who keeps a ledger.
type busy struct {
	t    testing.TB
	rng  *rand.Rand
	disk *disktest.Disk
	rec  *disktest.Recording
	opt  Options
	v    *Vault
	ledger
	src   string
	giver *Vault
	ring  *crypto.Keyring
	fails *disktest.Faulty // nil where nothing does
}

// newBusy makes a vault with one data set in it; from there on the disk is
// recorded, or from the beginning.
func newBusy(t testing.TB, seed uint64, creating bool) *busy {
	t.Helper()
	return newBusyOn(t, seed, creating, func(d *disktest.Disk) disk.FS { return d })
}

func newBusyOn(t testing.TB, seed uint64, creating bool, over func(*disktest.Disk) disk.FS) *busy {
	t.Helper()
	b := &busy{t: t, rng: rand.New(rand.NewPCG(seed, 77)), disk: disktest.NewDisk(), ledger: newLedger(), src: t.TempDir()}
	b.opt = Options{FS: over(b.disk), Reserve: -1, Workers: 1, Keep: 2, History: 6 << 10, packSize: 24 << 10, segmentSize: 4 << 10}
	b.ring, _ = newRing(t)
	b.rec = b.disk.Record()
	b.act("create", "", func() (err error) {
		b.v, err = Create(home, b.ring, b.opt)
		return err
	}, func() {})
	t.Cleanup(func() {
		if b.v != nil { // the last Open may have failed
			b.v.Close()
		}
	})
	if !creating {
		b.rec = b.disk.Record()
		b.add("first")
	}
	return b
}

// act does one thing, and enters it in the ledger when it is acknowledged.
func (b *busy) act(doing, target string, do func() error, acknowledged func()) {
	b.t.Helper()
	b.doing, b.target = doing, target
	b.rec.Mark(b.ledger.clone())
	if err := do(); err != nil {
		if b.fails != nil && b.fails.Hit() != "" {
			panic(failed{err})
		}
		b.t.Fatalf("%s %s: %v", doing, target, err)
	}
	acknowledged()
	if b.doing, b.target = "", ""; !b.loose {
		b.coming = nil
	}
	b.rec.Mark(b.ledger.clone())
}

// scribble changes some files of a source, in sizes from nothing to more than
// a page of the disk, and now and then one of two blocks.
func (b *busy) scribble(dir string) map[string]node {
	b.t.Helper()
	for range 1 + b.rng.IntN(3) {
		size := []int{0, 10, 600, 5000, 12000}[b.rng.IntN(5)]
		if b.rng.IntN(40) == 0 {
			size = crypto.BlockData + 1
		}
		write(b.t, dir, fmt.Sprintf("%c/%d", 'a'+b.rng.IntN(2), b.rng.IntN(4)), strings.Repeat(fmt.Sprintf("%08x", b.rng.Uint32()), size/8+1)[:size])
	}
	return tree(b.t, dir)
}

func (b *busy) add(name string) {
	b.t.Helper()
	dir := filepath.Join(b.src, name)
	want := b.scribble(dir)
	b.tries[name] = append(slices.Clone(b.tries[name]), want)
	var r AddResult
	b.act("add", name, func() (err error) {
		r, err = b.v.Add(bg, name, dir, AddOptions{})
		return err
	}, func() {
		s := b.sets[name]
		b.sets[name] = ackedSet{did: r.Dataset.DID, generation: s.generation, versions: b.kept(r.Dataset, s, r.Head.Sequence, want)}
	})
}

// kept is the acknowledged versions after one more.
func (b *busy) kept(d Dataset, s ackedSet, sequence uint64, want map[string]node) map[uint64]map[string]node {
	versions := map[uint64]map[string]node{sequence: want}
	for _, h := range d.Versions {
		if old, ok := s.versions[h.Sequence]; ok {
			versions[h.Sequence] = old
		}
	}
	return versions
}

// receive takes the next version of what another vault gives.
func (b *busy) receive() {
	b.t.Helper()
	const name = "theirs"
	if b.giver == nil {
		b.giver = newVault(b.t, Options{Reserve: -1, FS: disktest.NewDisk()})
	}
	dir := filepath.Join(b.src, "of the giver")
	want := b.scribble(dir)
	given := mustAdd(b.t, b.giver, "x", dir)
	head, err := b.giver.ViewHead(bg, given.Dataset.DID, View{Whole: true})
	if err != nil {
		b.t.Fatal(err)
	}
	b.tries[name] = append(slices.Clone(b.tries[name]), want)
	b.act("receive", name, func() error { return b.take(head) }, func() {
		b.sets[name] = ackedSet{did: head.Dataset, versions: map[uint64]map[string]node{head.Sequence: want}}
	})
}

// take stores what a head of the giver's names, and receives it.
func (b *busy) take(head SignedHead) error {
	names, err := b.giver.ViewBlocks(bg, head)
	if err != nil {
		return err
	}
	for name := range names {
		sealed, err := b.giver.store.Get(name, nil)
		if err != nil {
			return err
		}
		if _, err := b.v.store.Put(bg, name, sealed); err != nil {
			return err
		}
	}
	return b.v.Receive(bg, ReceivedHead{Dataset: head.Dataset, Name: "theirs", Head: head.Bytes,
		From: b.giver.ring.Owner().DID(), Signer: b.giver.ring.Node().DID()})
}

// someObjects are a few objects, in sizes from nothing to more than a page of
// the disk, and now and then one of two blocks.
func (b *busy) someObjects() (list []Object) {
	for range 1 + b.rng.IntN(3) {
		size := []int{0, 10, 600, 5000, 12000}[b.rng.IntN(5)]
		if b.rng.IntN(40) == 0 {
			size = crypto.BlockData + 1
		}
		content := strings.Repeat(fmt.Sprintf("%08x", b.rng.Uint32()), size/8+1)[:size]
		list = append(list, Object{Path: fmt.Sprintf("o%d", b.rng.IntN(6)), Content: []byte(content)})
	}
	return list
}

// put makes a version of a data set of objects; sometimes somebody else has
// given up in the middle of one before.
func (b *busy) put(name string) {
	b.t.Helper()
	s := b.sets[name]
	want := map[string]node{}
	if len(s.versions) > 0 {
		maps.Copy(want, s.versions[slices.Max(slices.Collect(maps.Keys(s.versions)))])
	}
	to := Target{Dataset: s.did}
	if s.did == "" {
		to.Name = name
	}
	drop := fmt.Sprintf("o%d", b.rng.IntN(6))
	delete(want, drop)
	given := b.someObjects()
	for _, o := range given {
		want[o.Path] = node{Mode: objectMode, ModTime: time.Unix(0, 0).UTC(), Content: string(o.Content)}
	}
	b.tries[name] = append(slices.Clone(b.tries[name]), want)
	var r PutResult
	b.act("put", name, func() (err error) {
		if b.rng.IntN(3) == 0 {
			if err := b.giveUp(to); err != nil {
				return err
			}
		}
		r, err = b.v.Put(bg, PutRequest{to, given, []string{drop}})
		return err
	}, func() {
		b.sets[name] = ackedSet{did: r.Dataset.DID, generation: s.generation, view: s.view, versions: b.kept(r.Dataset, s, r.Head.Sequence, want)}
	})
}

func (b *busy) giveUp(to Target) error {
	w, err := b.v.Begin(bg, to)
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, o := range b.someObjects() {
		if err := w.Write(o.Path, o.Content); err != nil {
			return err
		}
	}
	return nil
}

// cut puts a view with objects of its own, and remembers that it was given.
func (b *busy) cut(name string) {
	b.t.Helper()
	var h SignedHead
	q := viewRequest{Dataset: b.sets[name].did, View: oneView, Put: b.someObjects(), Time: time.Unix(1e9, 0)}
	b.act("cut", name, func() (err error) {
		h, err = putView(bg, b.v, q)
		return err
	}, func() {
		s := b.sets[name]
		s.view = &h
		b.sets[name] = s
	})
	b.record()
}

// uncut drops the views.
func (b *busy) uncut(name string) {
	b.t.Helper()
	b.act("uncut", name, func() error {
		return b.v.DropViews(bg, b.sets[name].did, func(string) bool { return false })
	}, func() {
		s := b.sets[name]
		s.view = nil
		b.sets[name] = s
	})
}

// record remembers some facts at once, of a contact that may be new.
func (b *busy) record() {
	b.t.Helper()
	scope := crypto.NodeScope
	if b.rng.IntN(2) == 0 {
		scope = newContact(b.t)
	}
	var facts []Fact
	for range 1 + b.rng.IntN(3) {
		f := Fact{Kind: FirstFact, Scope: scope, Public: fmt.Appendf(nil, "%d", b.rng.Uint64()), Body: []byte(strings.Repeat("body ", b.rng.IntN(900)))}
		b.coming = append(b.coming, fmt.Sprintf("%s %s", f.Public, f.Body))
		facts = append(facts, f)
	}
	b.act("record", "", func() error {
		_, err := b.v.Record(bg, facts...)
		return err
	}, func() { b.facts = append(b.facts, b.coming...) })
}

// grant cuts a view, and remembers that it was given.
func (b *busy) grant(name string) {
	b.t.Helper()
	var h SignedHead
	view := View{Paths: []string{fmt.Sprintf("%c/", 'a'+b.rng.IntN(2))}}
	b.act("view", name, func() (err error) {
		h, err = b.v.ViewHead(bg, b.sets[name].did, view)
		return err
	}, func() {
		s := b.sets[name]
		s.view = &h
		b.sets[name] = s
	})
	b.record()
}

// revoke does what the node does.
func (b *busy) revoke(name string) {
	b.t.Helper()
	b.record()
	b.act("bump", name, func() error {
		_, err := b.v.BumpGeneration(bg, b.sets[name].did)
		return err
	}, func() {
		s := b.sets[name]
		s.generation++
		s.view = nil
		b.sets[name] = s
	})
}

func (b *busy) remove(name string) {
	b.t.Helper()
	did := b.sets[name].did
	b.act("remove", name, func() error { return b.v.Remove(bg, did) }, func() {
		delete(b.sets, name)
		b.removed = append(b.removed, did)
	})
}

// reopen is a stop and a start.
func (b *busy) reopen() {
	b.t.Helper()
	b.act("reopen", "", func() error {
		if err := b.v.Close(); err != nil {
			return err
		}
		var err error
		b.v, _, err = Open(home, crypto.Passphrase([]byte(b.pass)), b.opt)
		return err
	}, func() {})
}

// rekey changes the passphrase.
func (b *busy) rekey() {
	b.t.Helper()
	b.newPass = fmt.Sprintf("%s %d", passphrase, b.rng.Uint64())
	if err := b.v.Keyring().UseArgon(crypto.Argon{MemoryKiB: 1024, Time: 1, Threads: 1}); err != nil {
		b.t.Fatal(err)
	}
	b.act("rekey", "", func() error { return b.v.ChangePassphrase([]byte(b.newPass)) }, func() { b.pass, b.newPass = b.newPass, "" })
}

// forget records about a contact and destroys its keys.
func (b *busy) forget() {
	b.t.Helper()
	contact := newContact(b.t)
	b.act("record", "", func() error {
		_, err := b.v.Record(bg, Fact{Kind: FirstFact, Scope: contact, Public: []byte(forgettable), Body: []byte("a secret")})
		return err
	}, func() {})
	b.act("forget", "", func() error { return b.v.EraseScope(bg, contact) }, func() { b.erased = append(b.erased, contact) })
}

// rotAndRepair flips a bit of the journal, behind which all is lost, and
// perhaps one of a file that there are two of; from there on the disk is
// recorded, while Repair works.
func (b *busy) rotAndRepair() {
	b.t.Helper()
	sound := b.sizes(logDir)
	facts := slices.Clone(b.facts)
	for range 3 {
		b.record()
	}
	b.act("close", "", b.v.Close, func() {})
	b.loose, b.suspended = true, true
	b.coming, b.facts = b.facts[len(facts):], facts
	for name, size := range b.sizes(logDir) {
		if before := sound[name]; size > before {
			b.flip(name, before*8+int64(b.rng.IntN(int(size-before)*8)))
			break
		}
	}
	if one := []string{"", keyringA, keyringB, markA, markB}[b.rng.IntN(5)]; one != "" {
		b.flip(filepath.Join(home, one), 300)
	}
	b.rec = b.disk.Record()
	b.repairAndOpen()
}

// rotHistoryAndRepair flips a bit of the journal before its newest checkpoint;
// from there on the disk is recorded, while Repair works.
func (b *busy) rotHistoryAndRepair() {
	b.t.Helper()
	b.opt.History = 1 << 20
	b.reopen()
	for range 2 {
		b.record()
		b.revoke("first")
		b.forget()
		b.checkpoint()
	}
	b.record()
	files := b.files("journal/")
	history := files[:b.v.newestCheckpoint()-1]
	b.act("close", "", b.v.Close, func() {})
	name := history[b.rng.IntN(len(history))]
	b.flip(name, b.rng.Int64N(8*disktest.Size(b.t, b.disk, name)))
	b.rec = b.disk.Record()
	b.repairAndOpen()
}

// repairAndOpen is what a person does whose vault does not open.
func (b *busy) repairAndOpen() {
	b.t.Helper()
	secret := crypto.Passphrase([]byte(b.pass))
	b.act("repair", "", func() error {
		_, err := Repair(bg, home, secret, b.opt)
		return err
	}, func() { b.mended = true })
	b.act("open", "", func() (err error) {
		b.v, _, err = Open(home, secret, b.opt)
		return err
	}, func() {})
}

func (b *busy) sizes(folder string) map[string]int64 {
	b.t.Helper()
	list, err := b.disk.ReadDir(filepath.Join(home, folder))
	if err != nil {
		b.t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range list {
		name := filepath.Join(home, folder, e.Name())
		sizes[name] = disktest.Size(b.t, b.disk, name)
	}
	return sizes
}

// flip rots one bit, durably.
func (b *busy) flip(name string, bit int64) {
	b.t.Helper()
	disktest.Flip(b.t, b.disk, name, bit)
	disktest.Write(b.t, b.disk, name, disktest.Read(b.t, b.disk, name))
}

// compact gives all room back that can be, and says of how many packs. What is
// dead may all lie in the last one, which stays.
func (b *busy) compact() (packs int) {
	b.t.Helper()
	b.act("compact", "", func() error {
		r, err := b.v.Compact(bg, CompactOptions{Grace: -1, Percent: 1, All: true})
		packs = r.Blocks.Packs
		return err
	}, func() {})
	return packs
}

// checkpoint repeats all that counts, and drops what was before as far as it
// may.
func (b *busy) checkpoint() {
	b.t.Helper()
	b.act("checkpoint", "", func() error { return b.v.Checkpoint(bg, Digest{}) }, func() {})
}

func (b *busy) sometimesReopen() {
	if b.rng.IntN(3) == 0 {
		b.reopen()
	}
}

// families are the kinds of work, each as a script for one recording.
var families = map[string]func(b *busy){
	"creating": func(b *busy) { b.add("first") },
	"repairing": func(b *busy) {
		b.record()
		b.rotAndRepair()
	},
	"setting history aside": func(b *busy) { b.rotHistoryAndRepair() },
	"rekeying": func(b *busy) {
		for range 3 {
			b.rekey()
			b.forget()
			b.sometimesReopen()
		}
	},
	"adding": func(b *busy) {
		for range 5 {
			b.add([]string{"first", "second"}[b.rng.IntN(2)])
			b.sometimesReopen()
		}
	},
	"fetching": func(b *busy) {
		for range 4 {
			b.receive()
			b.sometimesReopen()
		}
	},
	"granting": func(b *busy) {
		for range 4 {
			b.grant("first")
			b.sometimesReopen()
		}
		b.add("first")
		b.grant("first")
	},
	"revoking": func(b *busy) {
		b.grant("first")
		for range 4 {
			b.revoke("first")
			b.sometimesReopen()
		}
		b.add("first")
	},
	"checkpointing": func(b *busy) {
		for range 3 {
			b.record()
			b.revoke("first")
			b.forget()
			b.checkpoint()
			b.sometimesReopen()
		}
		b.add("first")
	},
	"compacting": func(b *busy) {
		b.add("second")
		b.add("second")
		b.remove("first")
		packs := b.compact()
		b.add("second")
		b.sometimesReopen()
		if packs += b.compact(); packs == 0 {
			b.t.Error("nothing was compacted")
		}
	},
	"putting": func(b *busy) {
		for range 3 {
			b.put("rows")
			b.cut("rows")
			b.sometimesReopen()
		}
		b.revoke("rows")
		b.put("rows")
		b.uncut("rows")
		b.cut("rows")
		b.checkpoint()
		b.compact()
		b.put("more rows")
		b.remove("rows")
	},
	"removing": func(b *busy) {
		b.receive()
		b.add("second")
		b.remove([]string{"first", "theirs"}[b.rng.IntN(2)])
		b.sometimesReopen()
		b.remove("second")
		b.add("second")
		b.record()
	},
}

// cuts are what became of the images of one family.
type cuts struct{ images, refused, suspended, dropped, scars int }

// TestPowerCuts cuts the power at chance moments of each kind of work. What
// was acknowledged is there afterwards, and nothing is there by halves.
func TestPowerCuts(t *testing.T) {
	eachFamily(t, disktest.Runs(t, 60, 1000), func(t *testing.T, c *cuts, b *busy, count int, seed uint64) {
		disktest.Images(t, b.rec, count, seed, func(_ int, after *disktest.Disk, promises []any) {
			c.images++
			c.survive(t, b, after, promises)
		})
	})
}

// TestKilledThenPowerCut kills the process at chance moments; the next one
// acknowledges something, and then the power is cut.
func TestKilledThenPowerCut(t *testing.T) {
	eachFamily(t, disktest.Runs(t, 8, 1000), func(t *testing.T, c *cuts, b *busy, count int, seed uint64) {
		disktest.Kills(t, b.rec, count, seed, func(rng *rand.Rand, next *disktest.Disk, promises []any) {
			c.images++
			l := c.resume(t, b, next, promises[len(promises)-1].(ledger))
			c.survive(t, b, next.Crash(rng), []any{l})
		})
	})
}

// eachFamily records one run of a kind of work after the other, and has enemy
// try count moments of each, until there are enough images.
func eachFamily(t *testing.T, images int, enemy func(t *testing.T, c *cuts, b *busy, count int, seed uint64)) {
	seed := disktest.Seed(t)
	for _, family := range slices.Sorted(maps.Keys(families)) {
		t.Run(family, func(t *testing.T) {
			var c cuts
			for run := uint64(0); c.images < images; run++ {
				b := newBusy(t, seed+run, family == "creating")
				families[family](b)
				enemy(t, &c, b, min(images-c.images, max(20, images/20)), seed+run)
				if t.Failed() {
					return
				}
			}
			t.Logf("seed %d: %d images, %d refused with a reason and repaired, %d suspended, %d with a torn entry dropped, %d with scars; 0 acknowledged lost",
				seed, c.images, c.refused, c.suspended, c.dropped, c.scars)
		})
	}
}

// resume is the next process: it opens the vault, or makes it, and records
// something.
func (c *cuts) resume(t testing.TB, b *busy, next *disktest.Disk, l ledger) ledger {
	t.Helper()
	v, _, _ := c.open(t, b, next, l)
	defer v.Close()
	l = l.settled(t, v)
	f := Fact{Kind: FirstFact, Public: []byte("resumed"), Scope: newContact(t), Body: []byte("body")}
	if _, err := v.Record(bg, f); err != nil {
		t.Fatal(err)
	}
	l.facts = append(l.facts, "resumed body")
	return l
}

// survive opens what a power cut left and compares.
func (c *cuts) survive(t testing.TB, b *busy, after *disktest.Disk, promises []any) {
	t.Helper()
	l := promises[len(promises)-1].(ledger)
	v, r, secret := c.open(t, b, after, l)
	defer v.Close()
	if r.Suspended != "" {
		c.suspended++
	}
	if r.Dropped > 0 {
		c.dropped++
	}
	if len(r.Blocks.Damage) > 0 {
		c.scars++
	}
	l.check(t, v)
	c.goOn(t, b, v, secret)
}

// open opens a vault with whatever it says is needed.
func (c *cuts) open(t testing.TB, b *busy, fsys *disktest.Disk, l ledger) (*Vault, *Report, crypto.Secret) {
	t.Helper()
	opt, secret := b.opt, crypto.Passphrase([]byte(l.pass))
	opt.FS = fsys
	v, r, err := Open(home, secret, opt)
	if errors.Is(err, ErrSecret) && l.newPass != "" {
		secret = crypto.Passphrase([]byte(l.newPass))
		v, r, err = Open(home, secret, opt)
	}
	if l.doing == "create" && (errors.Is(err, ErrNoVault) || errors.Is(err, ErrUnfinished)) {
		if v, err = Create(home, b.ring, opt); err == nil {
			v.Close()
			v, r, err = Open(home, secret, opt)
		}
	}
	if err == nil {
		if (r.Suspended != "") != l.suspended {
			t.Errorf("suspended: %q", r.Suspended)
		}
		return v, r, secret
	}
	c.refused++
	if !stated(err) || l.mended {
		t.Fatalf("it does not open: %v", err)
	}
	found, err := Repair(bg, home, secret, opt)
	if err != nil || len(found.Damages) == 0 {
		t.Fatalf("repaired: %+v, %v", found, err)
	}
	if v, r, err = Open(home, secret, opt); err != nil || (r.Suspended != "") != l.suspended {
		t.Fatalf("after the repair: %+v, %v", r, err)
	}
	return v, r, secret
}

// goOn sees to it that what is left can be worked with.
func (c *cuts) goOn(t testing.TB, b *busy, v *Vault, secret crypto.Secret) {
	t.Helper()
	if c.images%7 != 0 {
		return
	}
	if _, err := v.Record(bg, Fact{Kind: FirstFact, Public: []byte("afterwards")}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	r, err := v.Add(bg, "afterwards", filepath.Join(b.src, "first"), AddOptions{})
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	if err := v.Close(); err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	again, _, err := Open(home, secret, v.opt)
	if err != nil {
		t.Fatalf("afterwards: %v", err)
	}
	defer again.Close()
	got, err := exported(again, r.Dataset.DID, r.Head)
	if want := tree(t, filepath.Join(b.src, "first")); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("what was added afterwards: %v", err)
	}
}
