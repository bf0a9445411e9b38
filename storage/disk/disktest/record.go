// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

// Recording is every change of a [Disk] from one moment on, in order, and what
// was promised in between.
type Recording struct {
	disk     *Disk // whose lock guards all but replay
	ops      []op
	promises []promise
	base     *state // before the first change

	replay *state // after ops[:done]; images are mostly asked for in order
	done   int
}

type promise struct {
	at int // changes made before it
	is any
}

// Record keeps every change of the disk from now on. Another Record ends it.
func (d *Disk) Record() *Recording {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rec = &Recording{disk: d, base: d.state.clone()}
	return d.rec
}

// Mark says that something was acknowledged: whatever power cut comes from
// here on has to respect it.
func (r *Recording) Mark(is any) {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	r.promises = append(r.promises, promise{len(r.ops), is})
}

// Len is how many changes there were.
func (r *Recording) Len() int {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	return len(r.ops)
}

// Describe names the n-th change, counted from 1, as "sync /v/packs/00000001.pack".
func (r *Recording) Describe(n int) string {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	if n < 1 || n > len(r.ops) {
		return "none"
	}
	o := r.ops[n-1]
	what := [...]string{"make", "rename", "remove", "write", "cut", "sync", "syncdir"}[o.kind] + " " + o.name
	switch o.kind {
	case opRename:
		what += " to " + o.toName
	case opWrite:
		what += fmt.Sprintf(", %d bytes at %d", len(o.data), o.off)
	}
	return what
}

// Image is the disk after the first n changes and then a power cut, and what
// had been promised until then. It is fast when n rises from call to call.
// One goroutine at a time may ask.
func (r *Recording) Image(n int, rng *rand.Rand) (after *Disk, promises []any) {
	promises = r.advance(n)
	return &Disk{state: r.replay.crash(rng), room: -1, locked: map[string]bool{}}, promises
}

// Killed is the disk after the first n changes as the next process finds it
// when this one was killed: nothing is lost, and what was not durable still is
// not.
func (r *Recording) Killed(n int) (after *Disk, promises []any) {
	promises = r.advance(n)
	return &Disk{state: r.replay.clone(), room: -1, locked: map[string]bool{}}, promises
}

// advance brings replay to the n-th change, and returns what was promised.
func (r *Recording) advance(n int) (promises []any) {
	r.disk.mu.Lock()
	ops, all := r.ops[:n:n], r.promises
	r.disk.mu.Unlock()
	if r.replay == nil || n < r.done {
		r.replay, r.done = r.base.clone(), 0
	}
	for ; r.done < n; r.done++ {
		r.replay.apply(ops[r.done])
	}
	for _, p := range all[:sort.Search(len(all), func(i int) bool { return all[i].at > n })] {
		promises = append(promises, p.is)
	}
	return promises
}

// Images cuts a recording at count moments drawn from the seed, every other one
// of them just before a sync, and calls check with each: the number of changes
// before the cut, the disk after it, and what was promised. A failure says
// which image it was.
func Images(t testing.TB, rec *Recording, count int, seed uint64, check func(n int, after *Disk, promises []any)) {
	t.Helper()
	rec.each(t, count, seed, "a power cut", func(n int, rng *rand.Rand) {
		after, promises := rec.Image(n, rng)
		check(n, after, promises)
	})
}

// Kills is [Images] with a process killed ([Recording.Killed]). rng is for the
// power cut that may follow.
func Kills(t testing.TB, rec *Recording, count int, seed uint64, check func(rng *rand.Rand, after *Disk, promises []any)) {
	t.Helper()
	rec.each(t, count, seed, "a kill", func(n int, rng *rand.Rand) {
		after, promises := rec.Killed(n)
		check(rng, after, promises)
	})
}

func (r *Recording) each(t testing.TB, count int, seed uint64, what string, check func(n int, rng *rand.Rand)) {
	t.Helper()
	for i, n := range r.moments(count, seed) {
		func() {
			before := t.Failed()
			defer func() {
				if t.Failed() && !before {
					t.Logf("that was number %d of %d with TRABOULE_SEED=%d: %s after %d of %d changes, the last: %s",
						i, count, seed, what, n, r.Len(), r.Describe(n))
				}
			}()
			check(n, rand.New(rand.NewPCG(seed, uint64(i)+1)))
		}()
	}
}

// moments are numbers of changes, in rising order.
func (r *Recording) moments(count int, seed uint64) []int {
	rng := rand.New(rand.NewPCG(seed, 0))
	at, syncs := make([]int, count), r.syncs()
	for i := range at {
		at[i] = rng.IntN(r.Len() + 1)
		if i%2 == 0 && len(syncs) > 0 {
			at[i] = syncs[rng.IntN(len(syncs))]
		}
	}
	slices.Sort(at)
	return at
}

// syncs are the moments just before each sync of a file or folder.
func (r *Recording) syncs() (at []int) {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	for i, o := range r.ops {
		if o.kind == opSync || o.kind == opSyncDir {
			at = append(at, i)
		}
	}
	return at
}

// clone copies a state; contents are shared until one side changes.
func (s *state) clone() *state {
	c := &state{nodes: map[int]*inode{}, next: s.next}
	for id, n := range s.nodes {
		c.nodes[id] = &inode{id: id, folder: n.folder, data: n.data.share(), durable: n.durable.share(), pending: slices.Clone(n.pending)}
	}
	names := func(from map[string]*inode) map[string]*inode {
		to := maps.Clone(from)
		for name, n := range to {
			to[name] = c.nodes[n.id]
		}
		return to
	}
	for id, n := range s.nodes {
		c.nodes[id].entries, c.nodes[id].sure = names(n.entries), names(n.sure)
	}
	for _, ch := range s.names {
		copied := nameChange{id: ch.id, up: c.nodes[ch.up.id], name: ch.name}
		if ch.node != nil {
			copied.node = c.nodes[ch.node.id]
		}
		c.names = append(c.names, copied)
	}
	return c
}
