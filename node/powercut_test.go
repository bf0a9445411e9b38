// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/transfer"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// pact is what two nodes have acknowledged to their owners, and what is on its
// way.
type pact struct {
	doing   string // "" for nothing
	target  string // the data set, or grant, that this is about
	live    map[string]granted
	revoked map[string]granted
	trees   map[string]tree   // at the giver's, by data set
	fetched map[string]tree   // at the grantee's
	tries   map[string][]tree // all that ever was a version
}

// granted is a grant that the grantee can invoke.
type granted struct {
	dataset string
	got     received
}

func (p pact) clone() pact {
	p.live, p.revoked = maps.Clone(p.live), maps.Clone(p.revoked)
	p.trees, p.fetched, p.tries = maps.Clone(p.trees), maps.Clone(p.fetched), maps.Clone(p.tries)
	return p
}

// deal is two neighbours on disks whose power is going to be cut, who do
// something over real connections.
type deal struct {
	t     *testing.T
	rng   *rand.Rand
	sides [2]*person // the giver and the grantee
	disks [2]*disktest.Disk
	recs  [2]*disktest.Recording
	pact
}

func newDeal(t *testing.T, seed uint64) *deal {
	t.Helper()
	return newDealAt(t, seed, newClock())
}

func newDealAt(t *testing.T, seed uint64, c *clock) *deal {
	t.Helper()
	d := &deal{t: t, rng: rand.New(rand.NewPCG(seed, 3)), pact: pact{live: map[string]granted{}, revoked: map[string]granted{},
		trees: map[string]tree{}, fetched: map[string]tree{}, tries: map[string][]tree{}}}
	for i, name := range []string{"alice", "bob"} {
		d.disks[i] = disktest.NewDisk()
		d.sides[i] = newPersonOn(t, name, c, d.disks[i])
	}
	meet(d.sides[0], d.sides[1])
	for i := range d.recs {
		d.recs[i] = d.disks[i].Record()
	}
	d.mark()
	return d
}

func (d *deal) mark() {
	for _, rec := range d.recs {
		rec.Mark(d.pact.clone())
	}
}

func (d *deal) act(doing, target string, do func()) {
	d.t.Helper()
	d.doing, d.target = doing, target
	d.mark()
	do()
	d.doing, d.target = "", ""
	d.mark()
}

func (d *deal) add(name string) {
	d.t.Helper()
	files := tree{"same": name}
	for i := range 1 + d.rng.IntN(3) {
		files[fmt.Sprint("changing ", i)] = noise(d.rng.IntN(9000))
	}
	d.tries[name] = append(slices.Clone(d.tries[name]), files)
	d.act("add", name, func() {
		d.sides[0].add(name, files)
		d.trees[name] = files
	})
}

func (d *deal) grant(name string) string {
	d.t.Helper()
	id := ""
	d.act("grant", name, func() {
		id = d.sides[0].give(name, d.sides[1]).Grant.ID
		got, err := d.sides[1].receivedNamed(id)
		if err != nil {
			d.t.Fatal(err)
		}
		d.live[id] = granted{name, got}
	})
	return id
}

func (d *deal) fetch(id string) {
	d.t.Helper()
	name := d.live[id].dataset
	d.act("fetch", name, func() {
		do(d.sides[1], Fetch, FetchRequest{Grant: id})
		d.fetched[name] = d.trees[name]
	})
}

func (d *deal) revoke(id string) {
	d.t.Helper()
	d.act("revoke", id, func() {
		do(d.sides[0], Revoke, NameRequest{Name: id})
		d.revoked[id] = d.live[id]
		delete(d.live, id)
	})
}

// deals are the families of the campaign.
var deals = map[string]func(d *deal){
	"granting": func(d *deal) {
		for i := range 4 {
			name := fmt.Sprint("set ", i%2)
			d.add(name)
			d.grant(name)
		}
	},
	"revoking": func(d *deal) {
		for i := range 4 {
			name := fmt.Sprint("set ", i%2)
			d.add(name)
			id := d.grant(name)
			if i%2 == 0 {
				d.fetch(id)
			}
			d.revoke(id)
		}
	},
	"fetching": func(d *deal) {
		d.add("set")
		id := d.grant("set")
		for range 4 {
			d.fetch(id)
			d.add("set")
		}
	},
}

// TestPowerCuts cuts the power of either node at chance moments, while the two
// deal with each other. What was acknowledged is there afterwards; the gate of
// what is left of the giver admits the grants that are live, and none that was
// revoked.
func TestPowerCuts(t *testing.T) {
	seed := disktest.Seed(t)
	for _, family := range slices.Sorted(maps.Keys(deals)) {
		t.Run(family, func(t *testing.T) {
			images := disktest.Runs(t, 60, 1000)
			a := aftermath{}
			for run := 0; a.images < images; run++ {
				a.of(newDeal(t, seed+uint64(run)), family, min(images-a.images, max(30, images/10)), seed+uint64(run))
				if t.Failed() {
					return
				}
			}
			t.Logf("seed %d: %d images, %d that do not open; the gate was asked %d times for what was revoked and admitted 0, "+
				"%d times for what is live and refused 0; %d refused over the wire; 0 acknowledged lost", seed, a.images, a.refused, a.denied, a.admitted, a.asked)
		})
	}
}

// aftermath counts what became of images.
type aftermath struct{ images, refused, denied, admitted, asked int }

func (a *aftermath) of(d *deal, family string, images int, seed uint64) {
	d.t.Helper()
	deals[family](d)
	d.sides[0].leave() // its address is wanted by what is left of it
	for side, share := range []int{images - images/3, images / 3} {
		disktest.Images(d.t, d.recs[side], share, seed, func(_ int, after *disktest.Disk, promises []any) {
			a.images++
			left := d.left(side, after)
			defer left.close()
			p := promises[len(promises)-1].(pact)
			if side == 0 {
				a.giver(d, left, p)
			} else {
				p.grantee(d.t, left)
			}
		})
	}
}

// left is the node that a power cut left of one side.
func (d *deal) left(side int, after *disktest.Disk) *person {
	d.t.Helper()
	was := d.sides[side]
	p := &person{t: d.t, name: was.name, home: was.home, clock: was.clock, listen: was.listen, below: after}
	p.open()
	if why := p.vault.Suspended(); why != "" {
		d.t.Errorf("its grants are suspended: %s", why)
	}
	return p
}

func (a *aftermath) giver(d *deal, left *person, p pact) {
	d.t.Helper()
	for name, want := range p.trees {
		got := left.opened(name)
		if !maps.Equal(got, want) && !(p.target == name && p.among(name, got)) {
			d.t.Errorf("%s is not what was acknowledged", name)
		}
	}
	for id, g := range p.live {
		if p.target == id {
			continue // its revocation is on its way
		}
		if state := left.given(id).State; state != "live" {
			d.t.Errorf("the grant %s was acknowledged and is %s", id, state)
		}
		if denial := d.ask(left, g); denial != nil {
			d.t.Errorf("the live grant %s is refused: %v", id, denial)
		}
		a.admitted++
	}
	for id, g := range p.revoked {
		if state := left.given(id).State; state != "revoked" {
			d.t.Errorf("the grant %s was revoked and is %s", id, state)
		}
		if d.ask(left, g) == nil {
			d.t.Errorf("the revoked grant %s is honoured", id)
		}
		a.denied++
	}
	if a.images%20 == 0 {
		a.overTheWire(d, left, p)
	}
}

func (p pact) among(name string, got tree) bool {
	return slices.ContainsFunc(p.tries[name], func(try tree) bool { return maps.Equal(got, try) })
}

// invocation asks for all that a grant gives, in the grantee's name.
func (d *deal) invocation(g granted) []byte {
	d.t.Helper()
	bob := d.sides[1]
	args := grant.ReadArgs{Columns: []string{}, Rows: []string{}, Purpose: g.got.grant.Purpose,
		Paths: []string{""}, HPKE: bob.keys.Receive().Public()}
	inv, err := grant.Ask(bob.keys.Node(), g.got.chain, g.got.Node, grant.CommandRead, args.ToMap(), bob.now(), newNonce())
	if err != nil {
		d.t.Fatal(err)
	}
	return inv.Bytes()
}

// ask is the question at the gate.
func (d *deal) ask(left *person, g granted) *access.Denial {
	d.t.Helper()
	decision, denial := left.gate.Check(d.sides[1].self(), d.invocation(g), g.got.chain.Tokens())
	if denial == nil {
		left.gate.Release(decision)
	}
	return denial
}

// overTheWire puts what is left of the giver on the network, and asks there.
func (a *aftermath) overTheWire(d *deal, left *person, p pact) {
	d.t.Helper()
	left.start()
	defer left.leave()
	bob := d.sides[1]
	for id, g := range p.revoked {
		stream, err := bob.net().dial(d.t.Context(), left.self(), left.net().reachable(), transfer.ProtocolID)
		if err != nil {
			d.t.Fatal(err)
		}
		_, err = transfer.Open(d.t.Context(), stream, transfer.Request{Invocation: d.invocation(g), Proofs: g.got.chain.Tokens()}, transfer.ClientOptions{})
		if !isRefused(err, protocol.Revoked) {
			d.t.Errorf("over the wire the revoked grant %s gives %v", id, err)
		}
		stream.Close()
		a.asked++
	}
}

// grantee is what must be left of the grantee.
func (p pact) grantee(t *testing.T, left *person) {
	t.Helper()
	for id := range p.live {
		if state := left.gotten(id).State; state != "live" && p.target != id {
			t.Errorf("the grant %s that was received is %s", id, state)
		}
	}
	for _, set := range left.vault.Datasets() {
		_, whole := p.fetched[set.Name]
		if !whole && p.target != set.Name {
			t.Errorf("nobody fetched %q", set.Name)
		}
	}
	for name, want := range p.fetched {
		got := left.opened(name)
		if !maps.Equal(got, want) && !(p.target == name && p.among(name, got)) {
			t.Errorf("%s is not what was fetched", name)
		}
	}
	if p.doing == "fetch" && p.fetched[p.target] == nil {
		if _, err := left.vault.Lookup(p.target); err == nil && !p.among(p.target, left.opened(p.target)) {
			t.Errorf("%s was fetched by halves", p.target)
		}
	}
	left.sound()
}
