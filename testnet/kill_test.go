// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// longestStart is how long a node may take to come back after a kill.
const longestStart = 10 * time.Second

// TestKills ends real processes of the real program with SIGKILL at random
// moments of what they do, and starts them again. After each kill the node is
// back in ten seconds, nothing that it acknowledged is lost, what was revoked
// is refused to whoever asks for it over the network, what was removed stays
// removed, and the files that come out are those that went in.
//
// TRABOULE_SEED repeats a run; TRABOULE_SOAK=1 kills 200 times in each family.
func TestKills(t *testing.T) {
	bin, seed := build(t), disktest.Seed(t)
	families := []struct {
		name string
		run  func(*killing)
	}{
		{"adding", killAdding}, {"fetching, the receiver", killReceiver}, {"fetching, the sender", killSender},
		{"granting", killGranting}, {"revoking", killRevoking}, {"removing", killRemoving},
		{"compacting", killCompacting}, {"repairing", killRepairing}, {"importing", killImporting},
		{"sharing a view, the giver", killViewGiver}, {"sharing a view, the receiver", killViewTaker},
	}
	for i, family := range families {
		t.Run(family.name, func(t *testing.T) {
			t.Parallel()
			k := &killing{T: t, bin: bin, random: rand.New(seeded(seed + uint64(i)))}
			k.kills = disktest.Runs(t, 10, 200)
			family.run(k)
			t.Logf("%s: %d kills, of which %d after the answer; the longest start took %v", family.name, k.kills, k.acknowledged, k.longest.Round(time.Millisecond))
		})
	}
}

// killing is one family of kills: a node that is a process, which dies, and
// one in this process, which watches.
type killing struct {
	*testing.T
	bin    string
	random *rand.Rand
	kills  int

	dir     string // of the node that dies
	listen  string
	running *running
	*control.Client

	usual        time.Duration // how long the operation takes, as far as is known
	acknowledged int
	longest      time.Duration // start
}

// prepare makes the node that dies.
func (k *killing) prepare() {
	k.Helper()
	port, err := freePort()
	if err != nil {
		k.Fatal(err)
	}
	k.dir, k.listen = makeHome(k.T), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)
	k.start()
}

func (k *killing) start() {
	k.Helper()
	began := time.Now()
	k.running = startProcessAt(k.T, k.bin, k.dir, passphrase, k.listen)
	took := time.Since(began)
	if k.longest = max(k.longest, took); took > longestStart {
		k.Errorf("the node was back after %v, want %v", took, longestStart)
	}
	var err error
	if k.Client, err = control.Dial(k.Context(), k.dir); err != nil {
		k.Fatal(err)
	}
}

// neighbour is another node in this process, whose contact the dying one is.
func (k *killing) neighbour() *home {
	k.Helper()
	other := openHome(k.T, makeHome(k.T), nil)
	introduce(k.T, k.Client, other, "Alice", "Camille")
	return other
}

// moment is when to kill: at any time of the operation, or just after it.
func (k *killing) moment() time.Duration {
	return time.Duration(k.random.Int64N(int64(k.usual) + int64(k.usual)/4 + 1))
}

// learn corrects what is known of how long the operation takes.
func (k *killing) learn(acknowledged bool, took time.Duration) {
	if acknowledged {
		k.acknowledged++
		k.usual = (k.usual + took) / 2
	} else {
		k.usual += k.usual / 3
	}
}

// killDuring carries out an operation and kills the process at a random
// moment of it, then starts it again. It says whether the operation succeeded.
func (k *killing) killDuring(operation func(context.Context) error) bool {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	defer cancel()
	if k.usual == 0 {
		k.usual = 40 * time.Millisecond
	}
	began, ended, took := time.Now(), make(chan error, 1), time.Duration(0)
	go func() {
		err := operation(ctx)
		took = time.Since(began)
		ended <- err
	}()
	at := time.NewTimer(k.moment())
	defer at.Stop()
	<-at.C
	k.running.kill(k.T)
	k.Client.Close()
	err := within(k.T, "the operation ends", ended)
	if err != nil && !slices.Contains(cutShort, problem.Of(err).Key) {
		k.Fatalf("the operation failed, but not by the kill: %v", err)
	}
	k.learn(err == nil, took)
	k.start()
	return err == nil
}

// cutShort is how an operation ends whose node is killed, here or there.
var cutShort = []string{"node-stopped", "fetch.cut", "peer.cut", "peer.nobody", "peer.slow", "unexpected"}

// perform is an operation that keeps nothing of its result.
func perform[Q, R any](c node.Caller, o node.Operation[Q, R], q Q) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := o.Do(ctx, c, q, nil)
		return err
	}
}

// growing is a folder of files to add, which changes from version to version.
type growing struct {
	k    *killing
	dir  string
	next uint64
}

func (k *killing) newTree() *growing {
	k.Helper()
	g := &growing{k: k, dir: filepath.Join(k.TempDir(), "source")}
	g.change()
	return g
}

// change makes a few files new, of all sizes.
func (g *growing) change() {
	g.k.Helper()
	g.next++
	sizes := map[string]int{"large": 1<<20 + g.k.random.IntN(3<<20), "empty": 0, fmt.Sprintf("one/%d", g.next%5): 1 + g.k.random.IntN(300<<10)}
	for range 20 {
		sizes[fmt.Sprintf("small/%d", g.k.random.IntN(100))] = g.k.random.IntN(9000)
	}
	write(g.k.T, g.dir, seeded(g.k.random.Uint64()), sizes)
}

func (g *growing) now() map[string]entry {
	g.k.Helper()
	list, err := listing(g.dir)
	if err != nil {
		g.k.Fatal(err)
	}
	return list
}

// contents is what a data set holds at a node; nil if it is not there.
func contents(t *testing.T, c node.Caller, name string) map[string]entry {
	t.Helper()
	to := filepath.Join(t.TempDir(), "opened")
	_, err := node.Open.Do(t.Context(), c, node.OpenRequest{Name: name, To: to}, nil)
	if err != nil && problem.Of(err).Kind == problem.NotFound {
		return nil
	}
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	list, err := listing(to)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// wantOneOf fails unless found is want, or, when nothing was acknowledged, may.
func (k *killing) wantOneOf(what string, found, want, may map[string]entry, acknowledged bool) {
	k.Helper()
	if cmp.Equal(found, want) || !acknowledged && cmp.Equal(found, may) {
		return
	}
	k.Fatalf("%s (acknowledged: %v) is not what it was (-want +found):\n%.2000s", what, acknowledged, cmp.Diff(want, found))
}

// sound fails if anything in the vault is damaged, but for what may be.
func (k *killing) sound(but ...string) {
	k.Helper()
	for _, d := range do(k.T, k.Client, node.Check, node.None{}).Damages {
		if !slices.Contains(but, d.Key) {
			k.Fatalf("damaged after a kill: %v", d)
		}
	}
}

// killAdding: a version is there whole, or the one before is.
func killAdding(k *killing) {
	k.prepare()
	source := k.newTree()
	var before map[string]entry
	for range k.kills {
		source.change()
		now := source.now()
		// The client is another after each start.
		acknowledged := k.killDuring(perform(k.Client, node.Add, node.AddRequest{Path: source.dir, Name: "set"}))
		found := contents(k.T, k.Client, "set")
		k.wantOneOf("the data set", found, now, before, acknowledged)
		before = found
		k.sound()
	}
}

// killReceiver: what was fetched stays, and a version is there whole or not.
func killReceiver(k *killing) {
	k.prepare()
	giver := openHome(k.T, makeHome(k.T), nil)
	introduce(k.T, giver, k.Client, "Alice", "Camille")
	source := k.newTree()
	do(k.T, giver, node.Add, node.AddRequest{Path: source.dir, Name: "set"})
	link := do(k.T, giver, node.Grant, node.GrantRequest{Name: "set", To: "Camille"}).Link
	var before map[string]entry
	for range k.kills {
		source.change()
		now := source.now()
		do(k.T, giver, node.Add, node.AddRequest{Path: source.dir, Name: "set"})
		acknowledged := k.killDuring(perform(k.Client, node.Fetch, node.FetchRequest{Grant: link}))
		found := contents(k.T, k.Client, "set")
		k.wantOneOf("what was fetched", found, now, before, acknowledged)
		before = found
	}
	do(k.T, k.Client, node.Fetch, node.FetchRequest{Grant: link})
	k.wantOneOf("what was fetched at last", contents(k.T, k.Client, "set"), source.now(), nil, true)
	k.sound()
}

// pair is a neighbour, and the tree that the node which is going to die has
// added as "set".
func (k *killing) pair() (taker *home, source *growing) {
	k.Helper()
	k.prepare()
	taker, source = k.neighbour(), k.newTree()
	do(k.T, k.Client, node.Add, node.AddRequest{Path: source.dir, Name: "set"})
	return taker, source
}

// killSender: whoever fetched loses nothing by it, and the giver's log has
// every head that was handed out.
func killSender(k *killing) {
	taker, source := k.pair()
	given := do(k.T, k.Client, node.Grant, node.GrantRequest{Name: "set", To: "Camille"})
	heads := 0
	for range k.kills {
		source.change()
		do(k.T, k.Client, node.Add, node.AddRequest{Path: source.dir, Name: "set"})
		k.killDuring(perform(taker, node.Fetch, node.FetchRequest{Grant: given.Link}))
		do(k.T, taker, node.Fetch, node.FetchRequest{Grant: given.Link})
		k.wantOneOf("what was fetched", contents(k.T, taker, "set"), source.now(), nil, true)
		heads++
		if line := grantOf(k, given.Grant.ID); line.Deliveries < heads {
			k.Fatalf("%d versions were handed out, and the giver knows of %d", heads, line.Deliveries)
		}
	}
	k.sound()
}

// grantOf is a grant of the dying node's.
func grantOf(k *killing, id string) node.GrantLine {
	k.Helper()
	for _, line := range do(k.T, k.Client, node.Grants, node.None{}).Given {
		if line.ID == id {
			return line
		}
	}
	k.Fatalf("the grant %s is gone", id)
	return node.GrantLine{}
}

// killGranting: a grant that was answered is there, and opens.
func killGranting(k *killing) {
	taker, _ := k.pair()
	links := map[string]string{} // by grant
	for range k.kills {
		var given node.GrantResult
		c := k.Client
		acknowledged := k.killDuring(func(ctx context.Context) (err error) {
			given, err = node.Grant.Do(ctx, c, node.GrantRequest{Name: "set", To: "Camille"}, nil)
			return err
		})
		if !acknowledged {
			continue
		}
		links[given.Grant.ID] = given.Link
		for id := range links {
			if line := grantOf(k, id); line.State == "revoked" {
				k.Fatalf("the grant %s is %s", id, line.State)
			}
		}
		do(k.T, taker, node.Fetch, node.FetchRequest{Grant: given.Link})
	}
	k.sound()
}

// killRevoking: what was revoked is refused to the grantee who asks, now and
// after every later kill.
func killRevoking(k *killing) {
	taker, _ := k.pair()
	var over []node.GrantResult
	for range k.kills {
		given := do(k.T, k.Client, node.Grant, node.GrantRequest{Name: "set", To: "Camille"})
		acknowledged := k.killDuring(perform(k.Client, node.Revoke, node.NameRequest{Name: given.Grant.ID}))
		revoked := k.refused(taker, given)
		if acknowledged && !revoked {
			k.Fatalf("the grant %s was revoked, and opens", given.Grant.ID)
		}
		if state := grantOf(k, given.Grant.ID).State; (state == "revoked") != revoked {
			k.Fatalf("the grant %s is %s, and refused: %v", given.Grant.ID, state, revoked)
		}
		if revoked {
			over = append(over, given)
		}
		if len(over) == 0 {
			continue
		}
		if old := over[k.random.IntN(len(over))]; !k.refused(taker, old) {
			k.Fatalf("the grant %s was revoked before, and opens", old.Grant.ID)
		}
	}
	for _, g := range over {
		if state := grantOf(k, g.Grant.ID).State; state != "revoked" {
			k.Fatalf("the grant %s was revoked and is %s", g.Grant.ID, state)
		}
	}
	k.sound()
}

// refused asks over the network, as the grantee.
func (k *killing) refused(taker *home, given node.GrantResult) bool {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), patience)
	defer cancel()
	_, err := node.Fetch.Do(ctx, taker, node.FetchRequest{Grant: given.Link}, nil)
	if err == nil {
		return false
	}
	if key := problem.Of(err).Key; key != "refused.revoked" && key != "refused.denied" && key != "refused.suspended" {
		k.Fatalf("the fetch under %s failed otherwise: %v", given.Grant.ID, err)
	}
	return true
}

// killRemoving: what was removed stays removed, and all else stays.
func killRemoving(k *killing) {
	k.prepare()
	taker := k.neighbour()
	source := k.newTree()
	do(k.T, k.Client, node.Add, node.AddRequest{Path: source.dir, Name: "stays"})
	stays := source.now()
	gone := []string{}
	for i := range k.kills {
		name := fmt.Sprintf("set %d", i)
		source.change()
		now := source.now()
		do(k.T, k.Client, node.Add, node.AddRequest{Path: source.dir, Name: name})
		given := do(k.T, k.Client, node.Grant, node.GrantRequest{Name: name, To: "Camille"})
		acknowledged := k.killDuring(perform(k.Client, node.Remove, node.NameRequest{Name: name}))
		found := contents(k.T, k.Client, name)
		k.wantOneOf(name, found, nil, now, acknowledged)
		if found == nil {
			gone = append(gone, name)
			if !k.refused(taker, given) {
				k.Fatalf("%s is removed, and opens to its grantee", name)
			}
		}
		for _, name := range gone {
			if contents(k.T, k.Client, name) != nil {
				k.Fatalf("%s was removed, and is back", name)
			}
		}
	}
	k.wantOneOf("what stays", contents(k.T, k.Client, "stays"), stays, nil, true)
	k.sound()
}

// killCompacting: to make room loses nothing, and brings nothing back.
func killCompacting(k *killing) {
	k.prepare()
	source := k.newTree()
	live, round := map[string]map[string]entry{}, 0
	litter := func() { // one data set comes, and one goes
		round++
		source.change()
		name := fmt.Sprintf("set %d", round)
		do(k.T, k.Client, node.Add, node.AddRequest{Path: source.dir, Name: name})
		live[name] = source.now()
		if old := fmt.Sprintf("set %d", round-2); live[old] != nil {
			do(k.T, k.Client, node.Remove, node.NameRequest{Name: old})
			delete(live, old)
		}
	}
	for range 3 {
		litter()
	}
	for range k.kills {
		k.killDuring(perform(k.Client, node.Compact, node.CompactRequest{Waste: true}))
		for name, want := range live {
			k.wantOneOf(name, contents(k.T, k.Client, name), want, nil, true)
		}
		if list := do(k.T, k.Client, node.List, node.None{}).Datasets; len(list) != len(live) {
			k.Fatalf("%d data sets are there, want %d", len(list), len(live))
		}
		k.sound()
		litter()
	}
	do(k.T, k.Client, node.Compact, node.CompactRequest{Waste: true})
	if r := do(k.T, k.Client, node.Compact, node.CompactRequest{Waste: true}); r.Dead > 4096 || r.Freed > 4096 {
		k.Errorf("after all was compacted %d bytes are dead, and %d were freed again", r.Dead, r.Freed)
	}
	k.sound()
}

// killRepairing: a repair that is cut short has made nothing worse, and the
// next one ends it.
func killRepairing(k *killing) {
	taker, source := k.pair()
	want := source.now()
	given := do(k.T, k.Client, node.Grant, node.GrantRequest{Name: "set", To: "Camille"})
	do(k.T, k.Client, node.Revoke, node.NameRequest{Name: given.Grant.ID})
	harm := []func(){
		func() { must(k.T, os.RemoveAll(filepath.Join(k.dir, "index"))) },
		func() { flip(k.T, filepath.Join(k.dir, "keyring.a"), -100) },
		func() { flip(k.T, filepath.Join(k.dir, "keyring.b"), -100) },
		func() { must(k.T, os.Remove(filepath.Join(k.dir, "keyring.a"))) },
		func() { flip(k.T, filepath.Join(k.dir, "mark.a"), -20) },
	}
	check := func() {
		k.start()
		k.wantOneOf("the data set", contents(k.T, k.Client, "set"), want, nil, true)
		if !k.refused(taker, given) {
			k.Fatal("the grant was revoked, and opens after a repair")
		}
	}
	k.usual = 40 * time.Millisecond
	for i := range k.kills {
		k.running.kill(k.T)
		if i%3 == 2 {
			k.repairCut(check)
			continue
		}
		harm[k.random.IntN(len(harm))]()
		k.repair(true)
		check()
		k.sound("damage.mark-damaged") // which the next clean stop writes anew
	}
}

// repairCut does the same with a copy of the vault whose journal is damaged at
// its end: what no repair has cut off does not open, and afterwards nothing is
// granted to anybody until the owner has looked.
func (k *killing) repairCut(check func()) {
	k.Helper()
	whole := k.dir
	k.dir = filepath.Join(k.TempDir(), "copy")
	defer func() { k.dir = whole }()
	must(k.T, copyVault(whole, k.dir))
	segments, err := filepath.Glob(filepath.Join(k.dir, "journal", "*.log"))
	must(k.T, err)
	flip(k.T, slices.Max(segments), -40)
	k.repair(true)
	k.repair(false)
	check()
	if s := do(k.T, k.Client, node.Status, node.None{}); !s.Suspended {
		k.Fatal("a journal was cut, and the grants are not suspended")
	}
	k.sound()
	k.running.kill(k.T)
	k.dir = whole
	k.start()
}

// repair runs traboule repair, and kills it at a random moment or lets it end.
func (k *killing) repair(kill bool) {
	k.Helper()
	secret := filepath.Join(k.TempDir(), "secret")
	must(k.T, os.WriteFile(secret, []byte(passphrase+"\n"), 0o600))
	cmd := exec.Command(filepath.Join(k.bin, "traboule"), "repair", "--home", k.dir, "--passphrase-file", secret)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(k.T, cmd.Start())
	began, ended := time.Now(), make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var at <-chan time.Time
	if kill {
		timer := time.NewTimer(k.moment())
		defer timer.Stop()
		at = timer.C
	}
	select {
	case <-at:
		_ = cmd.Process.Kill() // an error says that it has ended
		<-ended
		k.learn(false, 0)
	case err := <-ended:
		if exit := (*exec.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 9) {
			k.Fatalf("repair: %v\n%s", err, out.String())
		}
		if kill {
			k.learn(true, time.Since(began))
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// flip changes one bit; an offset below 0 is from the end.
func flip(t *testing.T, name string, at int) {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	if at < 0 {
		at += len(data)
	}
	data[at] ^= 0x10
	must(t, os.WriteFile(name, data, 0o600))
}
