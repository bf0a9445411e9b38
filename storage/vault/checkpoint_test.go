// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// stateOf is all that the journal says, but for what a start counts anew.
func stateOf(v *Vault) *state {
	v.mu.RLock()
	defer v.mu.RUnlock()
	s := *v.state
	s.sets = maps.Clone(s.sets)
	s.opened = maps.Clone(s.opened)
	maps.DeleteFunc(s.opened, func(_ crypto.Scope, is bool) bool { return !is })
	s.tags = nil
	return &s
}

func sameState(a, b *state) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(state{}, dataset{}), cmpopts.EquateEmpty())
}

// recorded lists facts.
func recorded(t testing.TB, read func(func(Recorded) error, ...uint16) error) (list []Recorded) {
	t.Helper()
	err := read(func(r Recorded) error {
		list = append(list, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// eventsIn are the places and kinds of all that the vault tells.
func eventsIn(t testing.TB, v *Vault) (list []string) {
	t.Helper()
	err := v.Events(func(e Event) error {
		list = append(list, fmt.Sprint(e.Seq, e.Kind, e.Name, e.Time, e.Head.Sequence, e.Why))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// history is a vault under random operations on a disk in memory, and what it
// should know: the facts in a list, all that were ever recorded in another.
type history struct {
	t      *testing.T
	rng    *rand.Rand
	disk   *disktest.Disk
	v      *Vault
	opt    Options
	live   []Recorded
	all    []Recorded
	scopes []crypto.Scope
	gift   []ReceivedHead
	number int
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 14)), disk: disktest.NewDisk(), opt: testOptions().withDefaults()}
	h.opt.FS, h.opt.Keep = h.disk, 3
	k, _ := newRing(t)
	v, err := Create("/v", k, h.opt)
	if err != nil {
		t.Fatal(err)
	}
	h.v = v
	for range 3 {
		h.scopes = append(h.scopes, newContact(t))
	}
	return h
}

// reopen cuts the power, and opens.
func (h *history) reopen() {
	h.t.Helper()
	before := stateOf(h.v)
	h.opt.FS = h.disk.Crash(h.rng)
	h.disk = h.opt.FS.(*disktest.Disk)
	h.v, _ = mustOpen(h.t, "/v", h.opt)
	if diff := sameState(before, stateOf(h.v)); diff != "" {
		h.t.Fatalf("after a start the state is another:\n%s", diff)
	}
	h.compare()
}

func (h *history) compare() {
	h.t.Helper()
	if diff := cmp.Diff(h.live, recorded(h.t, h.v.LiveFacts), cmpopts.EquateEmpty()); diff != "" {
		h.t.Fatalf("facts that count (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(h.all, recorded(h.t, h.v.Facts), cmpopts.EquateEmpty()); diff != "" {
		h.t.Fatalf("all facts (-want +got):\n%s", diff)
	}
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) record() {
	h.number++
	f := Fact{Kind: FirstFact + uint16(h.rng.IntN(5)), Public: fmt.Appendf(nil, "public %d", h.number)}
	if h.rng.IntN(3) > 0 {
		f.Scope, f.Body = h.scopes[h.rng.IntN(len(h.scopes))], fmt.Appendf(nil, "body %d", h.number)
		if h.rng.IntN(2) == 0 {
			f.Public = nil
		}
	}
	seq, err := h.v.Record(bg, f)
	h.must(err)
	if f.Public == nil {
		f.Public = []byte{}
	}
	h.add(Recorded{Fact: f, Seq: seq, Time: h.opt.Now().Unix()})
}

func (h *history) add(r Recorded) {
	h.live, h.all = append(h.live, r), append(h.all, r)
}

// erase destroys the keys of a contact; a later fact makes new ones.
func (h *history) erase() {
	s := h.scopes[h.rng.IntN(len(h.scopes))]
	if !h.v.ring.HasScope(s) {
		return
	}
	h.must(h.v.EraseScope(bg, s))
	for _, list := range [][]Recorded{h.live, h.all} {
		for i, r := range list {
			if r.Scope == s {
				list[i].Fact = Fact{Kind: r.Kind, Public: r.Public}
				list[i].Erased = true
			}
		}
	}
}

// checkpoint gives up some facts, and says how many.
func (h *history) checkpoint() {
	d := Digest{Upto: h.v.Entries(), Dead: map[uint64]bool{}}
	var live []Recorded
	for _, r := range h.live {
		if h.rng.IntN(4) == 0 {
			d.Dead[r.Seq] = true
		} else if !r.Erased || len(r.Public) > 0 {
			live = append(live, r)
		}
	}
	if h.rng.IntN(2) == 0 {
		d.Instead = append(d.Instead, Fact{Kind: FirstFact + 9, Public: fmt.Appendf(nil, "%d facts", len(d.Dead))})
	}
	h.must(h.v.Checkpoint(bg, d))
	h.live = live
	if len(d.Instead) > 0 {
		got := recorded(h.t, h.v.LiveFacts)
		last := got[len(got)-1] // nothing came later
		if diff := cmp.Diff(d.Instead[0].Public, last.Public); diff != "" {
			h.t.Fatal(diff)
		}
		h.live = append(h.live, last)
	}
	h.compare()
}

func (h *history) dataset() {
	src := h.t.TempDir()
	write(h.t, src, "dir/a", strings.Repeat("x", 1+h.rng.IntN(5)))
	r, err := h.v.Add(bg, fmt.Sprint("set ", h.rng.IntN(3)), src, AddOptions{Replace: true, Keep: h.rng.IntN(3)})
	h.must(err)
	did := r.Dataset.DID
	switch h.rng.IntN(5) {
	case 0:
		h.must(h.v.Remove(bg, did))
	case 1:
		_, err = h.v.BumpGeneration(bg, did)
	case 2:
		_, err = h.v.ViewHead(bg, did, View{Paths: []string{"dir/"}})
	case 3:
		h.number++
		err = h.v.Rename(bg, did, fmt.Sprint("set ", 10+h.number))
	}
	h.must(err)
}

// receive takes the next gift.
func (h *history) receive() {
	if len(h.gift) == 0 {
		giver := newVault(h.t, testOptions())
		src := h.t.TempDir()
		for i := range 6 {
			write(h.t, src, "a", strings.Repeat("y", 1+i))
			did := mustAdd(h.t, giver, "gift", src).Dataset.DID
			head, err := giver.ViewHead(bg, did, View{Whole: i%2 == 0, Paths: []string{"a"}[i%2^1:]})
			h.must(err)
			h.gift = append(h.gift, give(h.t, giver, h.v, head))
		}
	}
	g := h.gift[0]
	h.gift = h.gift[1:]
	h.number++
	g.Name = fmt.Sprint("gift ", h.number)
	if err := h.v.Receive(bg, g); err != nil && !errors.Is(err, ErrMissing) {
		h.t.Fatal(err)
	}
}

func (h *history) suspend() {
	if h.v.Suspended() == "" {
		h.must(h.v.suspend(FromKit))
	} else {
		h.must(h.v.Confirm(bg))
	}
}

// TestCheckpointHistories: whatever has happened, a vault that starts from a
// checkpoint is the vault that it was, and nothing is told twice or missing.
func TestCheckpointHistories(t *testing.T) {
	first, runs := disktest.Seed(t), disktest.Runs(t, 6, 300)
	for seed := first; seed < first+uint64(runs); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := newHistory(t, seed)
			for range 40 {
				switch h.rng.IntN(16) {
				default:
					h.record()
				case 0, 1:
					h.dataset()
				case 2:
					h.erase()
				case 3, 4, 5:
					h.checkpoint()
				case 6, 7:
					h.reopen()
				case 8:
					h.suspend()
				case 9, 10:
					h.receive()
				}
			}
			h.checkpoint()
			h.reopen()
			before := eventsIn(t, h.v)
			h.checkpoint()
			if diff := cmp.Diff(before, eventsIn(t, h.v)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCheckpointFailures lets each change of the disk fail while a checkpoint
// is made, and cuts the power: the vault is what it was before, and a
// revocation is there.
func TestCheckpointFailures(t *testing.T) {
	h := newHistory(t, 7)
	for range 10 {
		h.record()
		h.dataset()
	}
	h.checkpoint()
	h.record()
	h.erase()
	h.record()
	h.must(h.v.Close())
	want := []Recorded(nil)
	for n := 1; ; n++ {
		d := h.disk.Crash(rand.New(rand.NewPCG(1, 1))) // all is durable
		opt := h.opt
		turned := &turnedDisk{d}
		opt.FS, opt.History = turned, 1
		v, _, err := Open("/v", crypto.Passphrase([]byte(passphrase)), opt)
		if err != nil {
			t.Fatal(err)
		}
		before := stateOf(v)
		if n == 1 {
			want = slices.DeleteFunc(recorded(t, v.LiveFacts), func(r Recorded) bool { return r.Erased && len(r.Public) == 0 })
		}
		faulty := disktest.Fail(d, n, syscall.EIO)
		turned.FS = faulty
		err = v.Checkpoint(bg, Digest{Upto: v.Entries()})
		for cut := range uint64(8) {
			after := opt
			after.FS = d.Crash(rand.New(rand.NewPCG(cut, uint64(n))))
			again, _, err := Open("/v", crypto.Passphrase([]byte(passphrase)), after)
			if err != nil {
				t.Fatalf("%s failed, then a power cut: %v", faulty.Hit(), err)
			}
			if diff := sameState(before, stateOf(again)); diff != "" {
				t.Fatalf("%s failed:\n%s", faulty.Hit(), diff)
			}
			got := slices.DeleteFunc(recorded(t, again.LiveFacts), func(r Recorded) bool { return r.Erased && len(r.Public) == 0 })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s failed:\n%s", faulty.Hit(), diff)
			}
			again.Close()
		}
		if faulty.Hit() == "" {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		// Whatever happened, the vault goes on.
		if _, err := v.Record(bg, Fact{Kind: FirstFact, Public: []byte("after")}); err != nil {
			t.Fatalf("%s failed, and then: %v", faulty.Hit(), err)
		}
		if err := v.Checkpoint(bg, Digest{Upto: v.Entries()}); err != nil {
			t.Fatalf("%s failed, and then: %v", faulty.Hit(), err)
		}
		if got := recorded(t, v.LiveFacts); string(got[len(got)-1].Public) != "after" {
			t.Errorf("%s failed: the next fact is not there", faulty.Hit())
		}
		v.Close()
	}
}

// turnedDisk is one disk, and then another.
type turnedDisk struct{ disk.FS }

// TestCheckpointBesideFacts records facts while checkpoints are made: none is
// lost, none is doubled, the order stays.
func TestCheckpointBesideFacts(t *testing.T) {
	h := newHistory(t, 3)
	h.v.opt.History = 1
	var g errgroup.Group
	const each = 150
	for who := range 2 {
		g.Go(func() error {
			for i := range each {
				if _, err := h.v.Record(bg, Fact{Kind: FirstFact, Scope: h.scopes[who], Body: fmt.Append(nil, i)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	stop := make(chan struct{})
	points := 0
	var p errgroup.Group
	p.Go(func() error {
		for ; ; points++ {
			select {
			case <-stop:
				return nil
			default:
			}
			if err := h.v.Checkpoint(bg, Digest{Upto: h.v.Entries()}); err != nil {
				return err
			}
		}
	})
	err := g.Wait()
	close(stop)
	if err := errors.Join(err, p.Wait()); err != nil {
		t.Fatal(err)
	}
	next, place := map[crypto.Scope]int{}, uint64(0)
	h.opt.FS = h.disk.Crash(h.rng)
	v, _ := mustOpen(t, "/v", h.opt)
	for _, r := range recorded(t, v.LiveFacts) {
		if string(r.Body) != fmt.Sprint(next[r.Scope]) || r.Seq <= place {
			t.Fatalf("%s has %s at %d after %d, want %d", r.Scope, r.Body, r.Seq, place, next[r.Scope])
		}
		next[r.Scope]++
		place = r.Seq
	}
	if points == 0 || next[h.scopes[0]] != each || next[h.scopes[1]] != each {
		t.Errorf("after %d checkpoints: %v", points, next)
	}
}

// TestHistoryIsDropped: beyond its bound the oldest history goes, never what
// counts; a kit holds that too.
func TestHistoryIsDropped(t *testing.T) {
	now := int64(1e9)
	opt := testOptions()
	opt.Growth, opt.History, opt.Keep = 20_000, 60_000, 2
	v := newVault(t, opt)
	src := t.TempDir()
	revoked, err := v.Record(bg, Fact{Kind: FirstFact + 1, Public: []byte("revoked")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		write(t, src, "a", strings.Repeat("a", i))
		mustAdd(t, v, "x", src)
	}
	dead := map[uint64]bool{}
	made, widest := 0, int64(0)
	for i := range 200 {
		now++
		seq, err := v.Record(bg, Fact{Kind: FirstFact, Public: bytes.Repeat([]byte{byte(i)}, 1000)})
		if err != nil {
			t.Fatal(err)
		}
		if i < 190 {
			dead[seq] = true
		}
		if v.CheckpointDue() {
			made++
			if err := v.Checkpoint(bg, Digest{Upto: v.Entries(), Dead: dead}); err != nil {
				t.Fatal(err)
			}
		}
		widest = max(widest, folderSize(t, v.path(logDir)))
	}
	if made < 4 || made > 12 || widest > opt.History+2*opt.Growth {
		t.Errorf("%d checkpoints, %d bytes of journal", made, widest)
	}
	v, r := reopen(t, v)
	if r.Suspended != "" {
		t.Errorf("suspended for %q", r.Suspended)
	}
	facts := recorded(t, v.Facts)
	if facts[0].Seq != revoked || string(facts[0].Public) != "revoked" {
		t.Errorf("the oldest fact that is left: %+v", facts[0].Seq)
	}
	if n := len(facts); n > 80 || !slices.IsSortedFunc(facts, func(a, b Recorded) int { return int(a.Seq) - int(b.Seq) }) {
		t.Errorf("%d facts are left, or not in order", n)
	}
	if live := recorded(t, v.LiveFacts); len(live) < 11 || live[0].Seq != revoked {
		t.Errorf("%d facts count", len(live))
	}
	if events := eventsIn(t, v); len(events) != 2 {
		t.Errorf("of the versions that are kept: %v", events)
	}
	if _, err := v.Check(bg, nil); err != nil {
		t.Error(err)
	}
	var kit bytes.Buffer
	words, err := v.ring.NewWords(v.opt.Rand)
	if err == nil {
		err = v.SaveKit(&kit, 0, Digest{})
	}
	if err != nil {
		t.Fatal(err)
	}
	w, err := Restore(&kit, words, filepath.Join(t.TempDir(), "w"), []byte(passphrase), testOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := recorded(t, w.Facts); len(got) == 0 || string(got[0].Public) != "revoked" || len(w.Datasets()[0].Versions) != 2 {
		t.Errorf("restored: %d facts, %+v", len(got), w.Datasets())
	}
}

func folderSize(t *testing.T, dir string) (size int64) {
	t.Helper()
	for _, n := range tree(t, dir) {
		size += int64(len(n.Content))
	}
	return size
}

// TestCheckpointKeepsWhatNoKeyOpens: keys that are missing, and not destroyed,
// may turn up again; a checkpoint made meanwhile has lost nothing.
func TestCheckpointKeepsWhatNoKeyOpens(t *testing.T) {
	h := newHistory(t, 5)
	old := disktest.Read(t, h.disk, "/v/"+keyringA)
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, h.v, "x", src).Dataset.DID
	for range 20 {
		h.record()
	}
	h.must(h.v.Close())
	newer := disktest.Read(t, h.disk, "/v/"+keyringA)
	put := func(ring []byte) (*Vault, *Report) {
		for _, name := range []string{keyringA, keyringB} {
			disktest.Write(t, h.disk, "/v/"+name, ring)
		}
		return mustOpen(t, "/v", h.opt)
	}
	v, r := put(old)
	if r.Suspended != MissingKeys {
		t.Fatalf("suspended for %q", r.Suspended)
	}
	h.must(v.Confirm(bg))
	v.opt.History = 1
	h.must(v.Checkpoint(bg, Digest{Upto: v.Entries()}))
	h.must(v.Close())
	if v, r = mustOpen(t, "/v", h.opt); r.Suspended != "" {
		t.Errorf("told again: suspended for %q", r.Suspended)
	}
	h.must(v.Close())
	h.v, _ = put(newer)
	h.compare()
	if diff := cmp.Diff(tree(t, src), export(t, h.v, did, ExportOptions{})); diff != "" {
		t.Error(diff)
	}
}

// TestCheckpointWaitsForErasures: while keys that were to go are still on the
// disk no checkpoint is made, which would need to say so.
func TestCheckpointWaitsForErasures(t *testing.T) {
	h := newHistory(t, 6)
	_, err := h.v.Record(bg, Fact{Kind: FirstFact, Scope: h.scopes[0], Body: []byte("body")})
	h.must(err)
	h.disk.SetRoom(400) // for the entry, not for the keyring
	if err := h.v.EraseScope(bg, h.scopes[0]); !disk.IsFull(err) {
		t.Fatal(err)
	}
	h.disk.SetRoom(-1)
	if err := h.v.Checkpoint(bg, Digest{}); !errors.Is(err, ErrErasing) {
		t.Errorf("a checkpoint in the middle of an erasure: %v", err)
	}
	h.opt.FS = h.disk.Crash(h.rng)
	v, _ := mustOpen(t, "/v", h.opt)
	h.must(v.Checkpoint(bg, Digest{}))
	if v.ring.HasScope(h.scopes[0]) {
		t.Error("it was not finished")
	}
}

// TestErasureGoesOn: when the keyring could not be written, the erasure is
// tried again, and a key that the scope got meanwhile is not taken for the old.
func TestErasureGoesOn(t *testing.T) {
	for name, again := range map[string]func(*history, crypto.Scope) error{
		"the same call": func(h *history, s crypto.Scope) error { return h.v.EraseScope(bg, s) },
		"what is owed":  func(h *history, s crypto.Scope) error { return h.v.FinishErasures() },
		"a scope that is new": func(h *history, s crypto.Scope) error {
			_, err := h.v.Record(bg, Fact{Kind: FirstFact, Scope: s, Body: []byte("another life")})
			return errors.Join(err, h.v.FinishErasures())
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 6)
			_, err := h.v.Record(bg, Fact{Kind: FirstFact, Scope: h.scopes[0], Body: []byte("body")})
			h.must(err)
			h.disk.SetRoom(400) // for the entry, not for the keyring
			if err := h.v.EraseScope(bg, h.scopes[0]); !disk.IsFull(err) {
				t.Fatal(err)
			}
			if err := h.v.FinishErasures(); !disk.IsFull(err) {
				t.Errorf("finished on a full disk: %v", err)
			}
			h.disk.SetRoom(-1)
			h.must(again(h, h.scopes[0]))
			h.must(h.v.Checkpoint(bg, Digest{}))
			h.opt.FS = h.disk.Crash(h.rng)
			v, _ := mustOpen(t, "/v", h.opt)
			want := 0
			if name == "a scope that is new" {
				want = 1
			}
			readable := 0
			for _, r := range recorded(t, v.LiveFacts) {
				if !r.Erased && len(r.Body) > 0 {
					readable++
				}
			}
			if has := v.ring.HasScope(h.scopes[0]); has != (want == 1) || readable != want {
				t.Errorf("keys are there: %v, %d facts can be read", has, readable)
			}
		})
	}
}

// TestRemovalGoesOn: so is a removal, and what was removed is listed no more.
func TestRemovalGoesOn(t *testing.T) {
	h := newHistory(t, 7)
	src := t.TempDir()
	write(t, src, "a", "content")
	did := mustAdd(t, h.v, "notes", src).Dataset.DID
	h.disk.SetRoom(400) // for the entry, not for the keyring
	if err := h.v.Remove(bg, did); !disk.IsFull(err) {
		t.Fatal(err)
	}
	h.disk.SetRoom(-1)
	h.must(h.v.Remove(bg, did))
	if list := h.v.Datasets(); len(list) != 0 {
		t.Errorf("listed: %+v", list)
	}
	h.must(h.v.Checkpoint(bg, Digest{}))
	h.opt.FS = h.disk.Crash(h.rng)
	v, _ := mustOpen(t, "/v", h.opt)
	if v.ring.HasScope(crypto.DatasetScope(did)) || len(v.Datasets()) != 0 {
		t.Errorf("its keys are back: %+v", v.Datasets())
	}
}

// TestErasedWithItsLastFact: the facts and the erasure are one, and a crash
// behind it does not keep the keys.
func TestErasedWithItsLastFact(t *testing.T) {
	h := newHistory(t, 6)
	_, err := h.v.Record(bg, Fact{Kind: FirstFact, Scope: h.scopes[0], Body: []byte("body")})
	h.must(err)
	_, err = h.v.RecordLast(bg, h.scopes[0], Fact{Kind: FirstFact + 1, Scope: h.scopes[0], Body: []byte("gone")})
	h.must(err)
	if !h.v.ring.HasScope(h.scopes[0]) {
		t.Fatal("erased before it was asked for")
	}
	h.must(h.v.FinishErasures())
	if err := h.v.Checkpoint(bg, Digest{}); !errors.Is(err, ErrErasing) {
		t.Errorf("a checkpoint in the middle of an erasure: %v", err)
	}
	h.opt.FS = h.disk.Crash(h.rng)
	v, _ := mustOpen(t, "/v", h.opt)
	if v.ring.HasScope(h.scopes[0]) {
		t.Error("it has its keys")
	}
	if _, err := v.RecordLast(bg, h.scopes[0]); !errors.Is(err, crypto.ErrUnknownScope) {
		t.Errorf("erased twice: %v", err)
	}
}

// TestDigestComesBeforeWhatCameLater: what stands for dead facts is told before
// the facts that its maker had not seen.
func TestDigestComesBeforeWhatCameLater(t *testing.T) {
	h := newHistory(t, 8)
	for _, what := range []string{"dead", "alive"} {
		_, err := h.v.Record(bg, Fact{Kind: FirstFact, Public: []byte(what)})
		h.must(err)
	}
	d := Digest{Upto: h.v.Entries(), Dead: map[uint64]bool{h.v.Entries() - 1: true},
		Instead: []Fact{{Kind: FirstFact, Public: []byte("one was here")}, {Kind: FirstFact, Scope: h.scopes[0], Body: []byte("of nobody")}}}
	_, err := h.v.Record(bg, Fact{Kind: FirstFact, Public: []byte("later")})
	h.must(err)
	h.must(h.v.Checkpoint(bg, d))
	told := ""
	for _, r := range recorded(t, h.v.LiveFacts) {
		told += string(r.Public) + "; "
	}
	if told != "alive; one was here; later; " {
		t.Error(told)
	}
}
