// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/storage/vault"
)

// names collects the blocks that pass on a wire in one way.
type names struct {
	mu   sync.Mutex
	list map[crypto.BlockName]int
}

func (n *names) add(name crypto.BlockName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.list == nil {
		n.list = map[crypto.BlockName]int{}
	}
	n.list[name]++
}

// take empties the collection.
func (n *names) take() map[crypto.BlockName]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.list
	n.list = nil
	return list
}

// mixed is a data set of files of many sizes: empty ones, small ones, some of
// several blocks, and two that are the same.
func mixed(t *testing.T, root string, seed uint64) {
	t.Helper()
	random := seeded(seed)
	sizes := map[string]int{"empty": 0, "one byte": 1, "exactly one block": crypto.BlockData, "large/a": 3<<20 + 17, "large/b": 1<<20 + 5}
	for i := range 120 {
		sizes[fmt.Sprintf("small/%d/%03d.txt", i%7, i)] = 100 + i*i
	}
	write(t, root, random, sizes)
	data, err := os.ReadFile(filepath.Join(root, "large/b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "large/again"), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// mustEqual opens what was received and compares it with its source.
func mustEqual(t *testing.T, c node.Caller, name, source string) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "opened")
	do(t, c, node.Open, node.OpenRequest{Name: name, To: to})
	want, err := listing(source)
	if err != nil {
		t.Fatal(err)
	}
	got, err := listing(to)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 {
		t.Fatal("there is nothing to compare")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s came out changed (-source +received):\n%.2000s", name, diff)
	}
}

const cuts = 200

// A fetch that is cut at any byte goes on where it was: what came whole is
// kept, made durable when the fetch fails, and never asked for again. Two
// hundred cuts, spread over as many data sets as it takes.
func TestFetchGoesOnAfterACut(t *testing.T) {
	t.Parallel()
	var came, wanted names
	w := newWire()
	w.frame = func(_ *wireStream, out bool, kind byte, body []byte) {
		switch {
		case !out && kind == frameBlock:
			came.add(blockName(body))
		case out && kind == frameWant:
			for _, name := range wantedNames(body) {
				wanted.add(name)
			}
		}
	}
	giver := openHome(t, makeHome(t), nil)
	taker := openHome(t, makeHome(t), w.network)
	introduce(t, giver, taker, "Alice", "Camille")
	random := rand.New(seeded(200))
	c := &cutting{taker: taker, wire: w, came: &came, wanted: &wanted, random: random}
	sets := 0
	for ; c.cuts < cuts; sets++ {
		name, source := fmt.Sprintf("set %d", sets), filepath.Join(t.TempDir(), "source")
		mixed(t, source, uint64(1000+sets))
		do(t, giver, node.Add, node.AddRequest{Path: source, Name: name})
		given := do(t, giver, node.Grant, node.GrantRequest{Name: name, To: "Camille"})
		c.fetchInParts(t, given.Grant.ID)
		mustEqual(t, taker, name, source)
	}
	if c.resumed == 0 {
		t.Error("no fetch found anything of the one before: nothing was shown")
	}
	t.Logf("%d cuts of %d data sets with %d blocks; a later try found what had come %d times", c.cuts, sets, c.total, c.resumed)
}

type cutting struct {
	taker          *home
	wire           *wire
	came, wanted   *names
	random         *rand.Rand
	cuts           int
	resumed, total int
}

// fetchInParts fetches one data set, cut at random bytes until it is whole:
// one time in three in the handshake or the manifest, one in three after less
// than a block, one in three after several.
func (c *cutting) fetchInParts(t *testing.T, id string) {
	t.Helper()
	have := map[crypto.BlockName]int{}
	for {
		limit := 1 + c.random.Int64N([]int64{30 << 10, 300 << 10, 3 << 20}[c.random.IntN(3)])
		if c.cuts >= cuts {
			limit = -1
		}
		c.wire.cutAfter(limit)
		_, err := node.Fetch.Do(t.Context(), c.taker, node.FetchRequest{Grant: id}, nil)
		c.wire.cutAfter(-1)
		for name := range c.wanted.take() {
			if have[name] > 0 {
				t.Fatalf("cut %d: block %s had come and is asked for again", c.cuts, name)
			}
		}
		c.resumed += len(have)
		for name, n := range c.came.take() {
			have[name] += n
		}
		if err == nil {
			c.total += len(have)
			return
		}
		c.cuts++
	}
}

const kills = 20

// A receiver that is killed goes on too: whatever its vault still has when it
// is opened again is not asked for again.
func TestFetchGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	var wanted names
	w := newWire()
	w.frame = func(_ *wireStream, out bool, kind byte, body []byte) {
		if !out && kind == frameWant {
			for _, name := range wantedNames(body) {
				wanted.add(name)
			}
		}
	}
	giver := openHome(t, makeHome(t), w.network)
	dir := makeHome(t)
	taker := openHome(t, dir, nil)
	introduce(t, giver, taker, "Alice", "Camille")
	source := filepath.Join(t.TempDir(), "source")
	mixed(t, source, 20)
	write(t, source, seeded(21), map[string]int{"then/huge": 96 << 20})
	do(t, giver, node.Add, node.AddRequest{Path: source, Name: "pictures"})
	id := do(t, giver, node.Grant, node.GrantRequest{Name: "pictures", To: "Camille"}).Grant.ID
	taker.stop()

	bin, random := build(t), rand.New(seeded(22))
	have, survived := map[crypto.BlockName]struct{}{}, []int{}
	for range kills {
		killDuringFetch(t, bin, dir, node.FetchRequest{Grant: id, LimitRate: 2<<20 + random.Int64N(20<<20)}, 1+random.Int64N(1<<20))
		mustNotWant(t, wanted.take(), have)
		have = blocksIn(t, dir)
		survived = append(survived, len(have))
	}
	taker = openHome(t, dir, nil)
	result := do(t, taker, node.Fetch, node.FetchRequest{Grant: id})
	mustNotWant(t, wanted.take(), have)
	mustEqual(t, taker, "pictures", source)
	if result.HadBlocks == 0 {
		t.Error("no block outlived a kill: nothing was shown")
	}
	t.Logf("blocks there after each of %d kills: %v; the last fetch asked for %d", kills, survived, result.Blocks)
}

func mustNotWant(t *testing.T, wanted map[crypto.BlockName]int, have map[crypto.BlockName]struct{}) {
	t.Helper()
	for name := range wanted {
		if _, here := have[name]; here {
			t.Errorf("block %s was in the vault and is asked for again", name)
		}
	}
}

// killDuringFetch starts a receiver, lets it fetch, and kills it once n bytes
// of blocks have come.
func killDuringFetch(t *testing.T, bin, dir string, request node.FetchRequest, n int64) {
	t.Helper()
	p := startProcess(t, bin, dir)
	caller, err := control.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	enough, ended := make(chan struct{}), make(chan error, 1)
	reached := sync.OnceFunc(func() { close(enough) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		_, err := node.Fetch.Do(ctx, caller, request, func(so node.Progress) {
			if so.Step == "blocks" && so.Done >= n {
				reached()
			}
		})
		ended <- err
	}()
	select {
	case <-enough:
	case err := <-ended:
		t.Fatalf("the fetch ended before it was killed: %v", err)
	}
	p.kill(t)
	if within(t, "the fetch ends", ended) == nil {
		t.Fatal("the fetch of a receiver that was killed succeeded")
	}
}

// blocksIn lists what a vault has when it is opened.
func blocksIn(t *testing.T, dir string) map[crypto.BlockName]struct{} {
	t.Helper()
	v, _, err := vault.Open(dir, crypto.Passphrase([]byte(passphrase)), vault.Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := map[crypto.BlockName]struct{}{}
	for name := range v.Blocks().Names() {
		list[name] = struct{}{}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	return list
}
