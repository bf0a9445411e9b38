// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/control"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/offer"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

const (
	passphrase = "a passphrase for tests"
	day        = 24 * time.Hour
	// patience is how long a test waits for something that must happen.
	patience = 20 * time.Second
)

// TestMain lets more tests run at once than there are processors: they wait
// for disks, and for the delay of those who are refused.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	m.Run()
}

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

// newClock stands at the present moment until it is set.
func newClock() *clock { return &clock{at: time.Now().Truncate(time.Second)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

// person has a node in this process: a real vault, on real loopback
// connections while it runs.
type person struct {
	*Node
	t      *testing.T
	name   string
	home   string
	words  string
	clock  *clock
	below  disk.FS // what the files are on
	files  *brittle
	listen []string // the same address at each start
	stop   func()
}

// newPerson makes a node and puts it on the network.
func newPerson(t *testing.T, name string, c *clock) *person {
	t.Helper()
	return newPersonOn(t, name, c, disk.OS)
}

// newPersonOn makes the node on a disk of one's own.
func newPersonOn(t *testing.T, name string, c *clock, below disk.FS) *person {
	t.Helper()
	p := &person{t: t, name: name, home: filepath.Join(t.TempDir(), name), clock: c, listen: []string{"/ip4/127.0.0.1/tcp/0"}, below: below}
	made, err := Create(t.Context(), CreateOptions{Home: p.home, Passphrase: []byte(passphrase), Weak: true, Files: below})
	if err != nil {
		t.Fatal(err)
	}
	p.words = made.Words
	p.open()
	p.start()
	t.Cleanup(p.close)
	return p
}

func (p *person) secret() Secret { return Secret{Passphrase: []byte(passphrase)} }

func (p *person) open() {
	p.t.Helper()
	p.files = &brittle{FS: p.below}
	n, err := OpenHome(context.Background(), Options{
		Home: p.home, Secret: p.secret(), Listen: p.listen, Now: p.clock.now, Files: p.files, Commands: p.commands,
	})
	if err != nil {
		p.t.Fatalf("open the home of %s: %v", p.name, err)
	}
	p.Node = n
}

// commands are listened for in a folder of the computer's, wherever the home is.
func (p *person) commands() (net.Listener, error) {
	if p.below.Native() {
		return control.Listen(p.home)
	}
	return control.Listen(p.t.TempDir())
}

// start puts the open node on the network.
func (p *person) start() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.Node.opt.Listen = p.listen
	ready, ended := make(chan RunInfo, 1), make(chan error, 1)
	go func() { ended <- p.Node.Run(ctx, func(info RunInfo) { ready <- info }) }()
	select {
	case info := <-ready:
		p.listen = info.Addresses
	case err := <-ended:
		cancel()
		p.t.Fatalf("run %s: %v", p.name, err)
	}
	p.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Errorf("the node of %s ended with %v", p.name, err)
		}
		p.stop = nil
	}
}

// leave takes the node off the network; the vault stays open.
func (p *person) leave() { p.stop() }

func (p *person) close() {
	if p.stop != nil {
		p.stop()
	}
	if p.Node != nil {
		if err := p.Node.Close(); err != nil {
			p.t.Errorf("close the node of %s: %v", p.name, err)
		}
	}
	p.Node = nil
}

// restart is what the owner sees as an ordinary stop and start.
func (p *person) restart() {
	p.t.Helper()
	p.close()
	p.open()
	p.start()
}

func (p *person) net() *link {
	p.t.Helper()
	l, err := p.online()
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

func (p *person) owner() crypto.DID { return p.keys.Owner().DID() }
func (p *person) self() crypto.DID  { return p.keys.Node().DID() }

// do carries out an operation that must succeed.
func do[Q, R any](p *person, op Operation[Q, R], q Q) R {
	p.t.Helper()
	r, err := op.Do(p.t.Context(), p.Node, q, nil)
	if err != nil {
		p.t.Fatalf("%s at %s's: %v", op.Name, p.name, err)
	}
	return r
}

// fails carries out an operation that must fail, with this sentence.
func fails[Q, R any](p *person, op Operation[Q, R], q Q, key string) *problem.Problem {
	p.t.Helper()
	_, err := op.Do(p.t.Context(), p.Node, q, nil)
	found := (*problem.Problem)(nil)
	if !errors.As(err, &found) || found.Key != key {
		p.t.Fatalf("%s at %s's: %v, want %s", op.Name, p.name, err, key)
	}
	return found
}

// meet makes a and b contacts who have confirmed each other.
func meet(a, b *person) {
	a.t.Helper()
	do(b, Card, CardRequest{Name: b.name})
	card := do(a, Card, CardRequest{Name: a.name})
	do(b, ContactAdd, ContactAddRequest{Link: card.Link, Name: a.name})
	do(a, ContactConfirm, NameRequest{Name: b.name})
}

// neighbours are two people who know each other, on one clock.
func neighbours(t *testing.T) (alice, bob *person) {
	t.Helper()
	c := newClock()
	alice, bob = newPerson(t, "alice", c), newPerson(t, "bob", c)
	meet(alice, bob)
	return alice, bob
}

// tree is what a folder holds: names and contents.
type tree map[string]string

// add makes the next version of a data set from a tree.
func (p *person) add(name string, files tree) AddResult {
	p.t.Helper()
	return p.addKeeping(name, files, 0)
}

func (p *person) addKeeping(name string, files tree, keep int) AddResult {
	p.t.Helper()
	dir := filepath.Join(filepath.Dir(p.home), "source of "+name)
	if err := os.RemoveAll(dir); err != nil {
		p.t.Fatal(err)
	}
	for path, content := range files {
		whole := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(whole), 0o755); err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(whole, []byte(content), 0o644); err != nil {
			p.t.Fatal(err)
		}
	}
	return do(p, Add, AddRequest{Path: dir, Name: name, Keep: keep})
}

// opened is the plaintext of a data set.
func (p *person) opened(name string) tree {
	p.t.Helper()
	to := filepath.Join(p.t.TempDir(), "opened")
	do(p, Open, OpenRequest{Name: name, To: to})
	found := tree{}
	err := filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(to, path)
		found[rel] = string(data)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return found
}

func (p *person) wantTree(name string, want tree) {
	p.t.Helper()
	if got := p.opened(name); !maps.Equal(got, want) {
		p.t.Fatalf("%s at %s's holds %v, want %v", name, p.name, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// give grants a data set, and sees to it that it arrives.
func (p *person) give(name string, to *person) GrantResult {
	p.t.Helper()
	r := do(p, Grant, GrantRequest{Name: name, To: to.name})
	if !r.Delivered {
		p.t.Fatalf("the grant on %s did not reach %s", name, to.name)
	}
	return r
}

// given is one of p's grants, as it stands.
func (p *person) given(id string) GrantLine {
	p.t.Helper()
	return lineOf(p, do(p, Grants, None{}).Given, id)
}

func (p *person) gotten(id string) GrantLine {
	p.t.Helper()
	return lineOf(p, do(p, Grants, None{}).Received, id)
}

func lineOf(p *person, lines []GrantLine, id string) GrantLine {
	p.t.Helper()
	for _, line := range lines {
		if line.ID == id {
			return line
		}
	}
	p.t.Fatalf("%s knows no grant %s", p.name, id)
	return GrantLine{}
}

// facts counts the facts of a kind in the journal.
func (p *person) facts(kind uint16) int {
	p.t.Helper()
	count := 0
	err := p.vault.Facts(func(vault.Recorded) error { count++; return nil }, kind)
	if err != nil {
		p.t.Fatal(err)
	}
	return count
}

// events are the log's lines of one kind.
func (p *person) events(event string) []LogLine {
	p.t.Helper()
	return slices.DeleteFunc(do(p, Log, LogRequest{}).Lines, func(l LogLine) bool { return l.Event != event })
}

// sound fails the test if anything in the vault is damaged.
func (p *person) sound() {
	p.t.Helper()
	if r := do(p, Check, None{}); len(r.Damages) > 0 {
		p.t.Errorf("the vault of %s is damaged: %v", p.name, r.Damages)
	}
}

// handsOver tries again what could not be handed over, until it is: the first
// try may join one of the node's own that is about to fail.
func (p *person) handsOver(done func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			p.t.Fatal("it is not handed over")
		}
		for _, k := range p.book.contactList() {
			p.net().met(k.card.Node) // without waiting until they are due
		}
		p.net().handOver(p.t.Context())
	}
}

// bringRevocation carries a record to somebody's node.
func (p *person) bringRevocation(to *person, record []byte) error {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	stream, err := p.net().dial(ctx, to.self(), to.net().reachable(), offer.ProtocolID)
	if err != nil {
		p.t.Fatal(err)
	}
	return offer.BringRevocation(ctx, stream, record, offer.Options{})
}

// isRefused says whether an error is the other side's refusal with a code.
func isRefused(err error, code protocol.Code) bool {
	return errors.Is(err, &protocol.Refusal{Code: code})
}

// noise is n bytes that nothing compresses and no other call repeats.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return string(b)
}

// brittle is a file system whose journal a test can make fail.
type brittle struct {
	disk.FS
	mu   sync.Mutex
	full bool
}

func (b *brittle) setFull(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

func (b *brittle) check() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return syscall.ENOSPC
	}
	return nil
}

// OpenFile opens a file, whose writes may fail if it is the journal's.
func (b *brittle) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := b.FS.OpenFile(name, flag, perm)
	if err != nil || !strings.Contains(name, "/journal/") {
		return f, err
	}
	return &brittleFile{File: f, of: b}, nil
}

type brittleFile struct {
	disk.File
	of *brittle
}

func (f *brittleFile) Write(p []byte) (int, error) {
	if err := f.of.check(); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *brittleFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.of.check(); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}
