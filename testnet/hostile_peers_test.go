// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/time/rate"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/protocol"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/storage/vault"
)

// Those who misbehave are a process of their own, with one processor at the
// lowest priority and a bounded number of acts in a second: what is tried is
// the node, and not how two processors are shared. It is this test program
// again, which hostileVariable tells what it is.
//
//	test ─ plan ─► child: makes keys and hosts
//	     ◄─ {} ─
//	     ─ name ─►        misbehaves
//	     ─ end ─►         stops, closes all
//	     ◄─ deeds ─       …
const hostileVariable = "TRABOULE_TEST_HOSTILE"

// plan is what the misbehaving process is told.
type plan struct {
	Node      crypto.DID
	Addresses []string
	Contact   string   // the home of a contact with a grant
	Chain     [][]byte // of that grant, down to the contact's owner
	Seen      [][]byte // requests, as bytes, that an honest peer sent
}

// deeds is what it did.
type deeds struct {
	Acts    int64 `json:"acts"`
	Refused int64 `json:"refused"` // of them, acts for which the node had no place
	Bytes   int64 `json:"bytes"`   // that it sent
}

// attacker is the misbehaving process.
type attacker struct {
	plan
	ctx     context.Context
	limit   *rate.Limiter
	acts    atomic.Int64
	refused atomic.Int64
	bytes   atomic.Int64

	strangers []*p2p.Host
	keys      []*crypto.Identity
	contact   *p2p.Host
	ring      *crypto.Keyring
	chain     grant.Chain
	holds     hold
}

// The strangers: several identities in each of several networks.
const (
	hostileHosts    = 24
	hostileNetworks = 8
)

// act says whether there is another act to do, and waits for its time.
func (a *attacker) act() bool {
	if a.limit.Wait(a.ctx) != nil {
		return false
	}
	a.acts.Add(1)
	return true
}

// failed counts what the node had no place for.
func (a *attacker) failed(err error) bool {
	if err != nil {
		a.refused.Add(1)
	}
	return err != nil
}

// elsewhere is one of the addresses that the hostile come from.
func elsewhere(n int) *net.TCPAddr {
	return &net.TCPAddr{IP: net.IPv4(127, 1, 0, byte(1+n%hostileNetworks))}
}

func hostFrom(key p2p.Key, n int) (*p2p.Host, error) {
	from := elsewhere(n)
	return p2p.New(p2p.Options{Key: key, Transports: []libp2p.Option{
		libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(func(ma.Multiaddr) (tcp.ContextDialer, error) {
			return &net.Dialer{LocalAddr: from}, nil
		})),
	}})
}

func (a *attacker) prepare() error {
	for i := range hostileHosts {
		key, err := crypto.NewIdentity(randomness{})
		if err != nil {
			return err
		}
		host, err := hostFrom(key, i)
		if err != nil {
			return err
		}
		a.keys, a.strangers = append(a.keys, key), append(a.strangers, host)
	}
	v, _, err := vault.Open(a.Contact, crypto.Passphrase([]byte(passphrase)), vault.Options{})
	if err != nil {
		return err
	}
	a.ring = v.Keyring()
	if err := v.Close(); err != nil {
		return err
	}
	if a.contact, err = hostFrom(a.ring.Node(), 0); err != nil {
		return err
	}
	if a.chain, err = grant.DecodeChain(a.Chain); err != nil {
		return err
	}
	until := time.Unix(*a.chain[grant.LinkGrant].Expires, 0)
	last, err := grant.PassOn(a.ring.Owner(), a.chain, a.ring.Node().DID(), until, nil, nonce())
	a.chain = append(a.chain, last)
	return err
}

// dial opens a stream as one of the strangers; which is the worker's number.
func (a *attacker) dial(worker int, id string) (protocol.Stream, error) {
	return a.dialAs(a.strangers[worker%len(a.strangers)], id)
}

func (a *attacker) dialAs(host *p2p.Host, id string) (protocol.Stream, error) {
	ctx, cancel := context.WithTimeout(a.ctx, 5*time.Second)
	defer cancel()
	s, err := host.Dial(ctx, a.Node, a.Addresses, id)
	if !errors.Is(err, p2p.ErrNotSpoken) { // which is an answer
		a.failed(err)
	}
	return s, err
}

// send writes, and counts what it wrote.
func (a *attacker) send(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	a.bytes.Add(int64(n))
	return err
}

// tcp opens a connection of bytes alone.
func (a *attacker) tcp(n int) (net.Conn, error) {
	address, err := ma.NewMultiaddr(a.Addresses[0])
	if err != nil {
		return nil, err
	}
	port, err := address.ValueForProtocol(ma.P_TCP)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{LocalAddr: elsewhere(n), Timeout: 5 * time.Second}
	c, err := d.DialContext(a.ctx, "tcp", "127.0.0.1:"+port)
	if a.failed(err) {
		return nil, err
	}
	return c, nil
}

// hold keeps things open until the end, or until so many others are.
type hold struct {
	mu   sync.Mutex
	open []io.Closer
}

func (h *hold) keep(c io.Closer, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = append(h.open, c)
	if len(h.open) > most {
		_ = h.open[0].Close()
		h.open = h.open[1:]
	}
}

func (h *hold) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.open {
		_ = c.Close()
	}
	h.open = nil
}

// workers runs do in so many goroutines and waits for all.
func (a *attacker) workers(n int, do func(worker int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// misbehaveAs is the whole life of the misbehaving process; it returns its
// exit code.
func misbehave() int {
	runtime.GOMAXPROCS(1)
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
	in := make(chan string)
	go func() {
		defer close(in)
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<20) // the plan holds a chain for each that was overheard
		for lines.Scan() {
			in <- lines.Text()
		}
	}()
	if err := take(in, json.NewEncoder(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// take carries out what the test says, line by line: the plan, then the names
// of misbehaviours, each followed by a line that ends it.
func take(in <-chan string, out *json.Encoder) error {
	a := &attacker{}
	if err := json.Unmarshal([]byte(<-in), &a.plan); err != nil {
		return err
	}
	if err := a.prepare(); err != nil {
		return err
	}
	if err := out.Encode(deeds{}); err != nil {
		return err
	}
	for name := range in {
		i := slices.IndexFunc(misbehaviours, func(m misbehaviour) bool { return m.name == name })
		if i < 0 {
			return fmt.Errorf("nobody knows how to %s", name)
		}
		if err := out.Encode(a.play(misbehaviours[i], in)); err != nil {
			return err
		}
	}
	return nil
}

// play misbehaves until the next line, and then lets go of everything.
func (a *attacker) play(m misbehaviour, in <-chan string) deeds {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var ended sync.WaitGroup
	ended.Go(func() {
		<-in
		cancel()
		a.leave() // what waits for an answer waits no more
	})
	a.ctx, a.limit = ctx, rate.NewLimiter(rate.Limit(m.rate), max(4, int(m.rate/20)))
	a.acts.Store(0)
	a.refused.Store(0)
	a.bytes.Store(0)
	m.do(a)
	ended.Wait()
	a.leave()
	return deeds{a.acts.Load(), a.refused.Load(), a.bytes.Load()}
}

// leave closes all connections with the node.
func (a *attacker) leave() {
	for _, host := range append(a.strangers, a.contact) {
		_ = host.ClosePeer(a.Node) // closed already is as good
	}
	a.holds.drop()
}

// mob is the misbehaving process, as the test sees it.
type mob struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *json.Decoder
	stderr *strings.Builder
}

// gather starts the process and waits until it is ready to misbehave.
func gather(t *testing.T, p plan) *mob {
	t.Helper()
	m := &mob{cmd: exec.Command(os.Args[0]), stderr: &strings.Builder{}}
	m.cmd.Env = append(os.Environ(), hostileVariable+"=1")
	m.cmd.Stderr = m.stderr
	in, err1 := m.cmd.StdinPipe()
	out, err2 := m.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, m.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	m.in, m.out = in, json.NewDecoder(out)
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill() // an error says that it has ended already
		_ = m.cmd.Wait()
	})
	said, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	m.say(t, string(said))
	m.hear(t)
	return m
}

// say has the process begin a misbehaviour, or end the one that it is at.
func (m *mob) say(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(m.in, line); err != nil {
		t.Fatal(err)
	}
}

// hear waits for what it did.
func (m *mob) hear(t *testing.T) (did deeds) {
	t.Helper()
	stuck := time.AfterFunc(patience, func() { _ = m.cmd.Process.Kill() })
	defer stuck.Stop()
	if err := m.out.Decode(&did); err != nil {
		_ = m.cmd.Wait()
		t.Fatalf("the misbehaving process ended with %v\n%s", err, m.stderr)
	}
	return did
}
