// SPDX-License-Identifier: Apache-2.0

// Package node is one person's node: it wires the vault, the gate, the
// conversations and the host, owns every goroutine, and offers what an owner
// can ask as an [Operation].
//
// It is where what we say (protocol) and what we keep (storage) meet: a
// message becomes a stored fact here, after it was checked and nowhere else.
// It does not know how operations are shown. The ways in are [Create],
// [Restore] and [OpenHome]; [Node.Run] puts the node on the network.
package node

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/access"
	"github.com/traboule/traboule/node/p2p"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

// Secret is what opens a vault; exactly one field is set.
type Secret struct {
	Passphrase []byte
	Keyfile    []byte
	Words      string
}

func (s Secret) crypto() crypto.Secret {
	switch {
	case s.Keyfile != nil:
		return crypto.Keyfile(s.Keyfile)
	case s.Words != "":
		return crypto.Words(s.Words)
	}
	return crypto.Passphrase(s.Passphrase)
}

// CreateOptions say how a new node is made.
type CreateOptions struct {
	Home       string // the folder of the node; made if it is not there
	Passphrase []byte
	Keyfile    []byte // if set, opens the vault too: the node may open itself
	Weak       bool   // cheap key derivation, for tests alone

	// Files and Now may stand in for the computer's file system and clock, as in
	// [Options].
	Files disk.FS
	Now   func() time.Time
}

// argon is the cost of the passphrase; zero is the default.
func (o CreateOptions) argon() crypto.Argon {
	if o.Weak {
		return crypto.Argon{MemoryKiB: 1024, Time: 1, Threads: 1}
	}
	return crypto.Argon{}
}

// Created is a new node. The words are shown once and kept nowhere.
type Created struct {
	Home  string `json:"home"`
	Owner string `json:"owner"`
	Node  string `json:"node"`
	Words string `json:"words"`
}

// RestoreOptions say how a node is made again from a recovery kit.
type RestoreOptions struct {
	CreateOptions
	Kit   []byte
	Words string
}

// Options say how a node is opened; the zero value of a field is its default.
type Options struct {
	Home string
	// Witness is a folder on the same machine, outside of Home, that tells when
	// the whole of Home was put back from a backup. Default: none.
	Witness string
	Secret  Secret
	Listen  []string         // multiaddrs; default: UDP and TCP 4721 on every interface
	Log     *slog.Logger     // default: silent
	Now     func() time.Time // default: time.Now
	Version string           // the program's, for status

	// Network may change how the node's host is made: for simulated networks,
	// and for tests that watch or cut connections. Default: as it is.
	Network func(*p2p.Options)

	// Files may stand in for the computer's file system, for tests with disks
	// that fail. Default: disk.OS.
	Files disk.FS

	// Commands may listen for commands elsewhere, for tests whose Home is no
	// folder of the computer's. Default: [control.Listen] in Home.
	Commands func() (net.Listener, error)

	// Growth is how many bytes the journal grows between two checkpoints, at
	// least; tests have little and want many. Default: the vault's.
	Growth int64
}

// RunInfo is what there is to say once the node is on the network.
type RunInfo struct {
	Home      string   `json:"home"`
	Owner     string   `json:"owner"`
	Node      string   `json:"node"`
	Addresses []string `json:"addresses"`
}

// Node is an open vault with all that works on it. Operations may be called by
// many goroutines.
type Node struct {
	opt   Options
	vault *vault.Vault
	keys  *crypto.Keyring
	gate  *access.Gate
	book  *book

	passages   passages
	denials    denialCounts
	pace       pace
	recordSets recordSets
	cuts       *cuts
	kits       kits
	upkeep     upkeep
	found      *vault.Report // what opening the vault found

	changes      sync.Mutex // held while something is decided and recorded that must not be twice
	unreadable   int        // entries of the journal that made no sense when it was read
	denialsSaved time.Time  // of tend alone
	digests      sync.Mutex // held from a digest to what is made by it: no checkpoint comes between

	mu   sync.Mutex
	link *link // while the node is on the network
}

// Create makes a new node in an empty or missing folder. It is over in a second
// or two, and not to be interrupted.
func Create(_ context.Context, opt CreateOptions) (Created, error) {
	made, err := create(opt)
	if err != nil {
		return Created{}, explain(err)
	}
	return made, nil
}

func create(opt CreateOptions) (Created, error) {
	keys, err := crypto.NewKeyring(rand.Reader)
	if err != nil {
		return Created{}, err
	}
	if err := keys.UseArgon(opt.argon()); err != nil {
		return Created{}, err
	}
	words, err := keys.NewWords(rand.Reader)
	if err != nil {
		return Created{}, err
	}
	if err := keys.SetPassphrase(opt.Passphrase, rand.Reader); err != nil {
		return Created{}, err
	}
	if opt.Keyfile != nil {
		if err := keys.SetKeyfile(opt.Keyfile, rand.Reader); err != nil {
			return Created{}, err
		}
	}
	v, err := vault.Create(opt.Home, keys, vault.Options{FS: opt.Files, Now: opt.Now})
	if err != nil {
		return Created{}, err
	}
	made := Created{Home: opt.Home, Owner: string(keys.Owner().DID()), Node: string(keys.Node().DID()), Words: words}
	return made, v.Close()
}

// Restore makes a node from its recovery kit and words, in an empty or
// missing folder. Its grants are suspended until the owner confirms them. It
// is over in a second or two, and not to be interrupted.
func Restore(_ context.Context, opt RestoreOptions) (Created, error) {
	v, err := vault.Restore(bytes.NewReader(opt.Kit), opt.Words, opt.Home, opt.Passphrase, vault.Options{FS: opt.Files, Now: opt.Now, Argon: opt.argon()})
	if err != nil {
		return Created{}, aboutKit(err)
	}
	keys := v.Keyring()
	made := Created{Home: opt.Home, Owner: string(keys.Owner().DID()), Node: string(keys.Node().DID())}
	if opt.Keyfile != nil {
		if err = keys.SetKeyfile(opt.Keyfile, rand.Reader); err == nil {
			err = v.SaveKeyring()
		}
	}
	if closing := v.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return Created{}, explain(err)
	}
	return made, nil
}

// OpenHome opens the node in a folder, off the network.
func OpenHome(ctx context.Context, opt Options) (*Node, error) {
	n, err := openHome(opt)
	if err != nil {
		return nil, explain(about(err, "home", opt.Home))
	}
	return n, nil
}

func openHome(opt Options) (*Node, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	n := &Node{opt: opt, book: newBook(), kits: newKits(), cuts: newCuts()}
	v, report, err := vault.Open(opt.Home, opt.Secret.crypto(), vault.Options{
		FS: opt.Files, Now: opt.Now, Birth: n.birth, Witness: opt.Witness, Growth: opt.Growth,
	})
	if err != nil {
		return nil, err
	}
	// Deriving the key from a passphrase took 64 MiB, which are not needed again.
	debug.FreeOSMemory()
	n.vault, n.keys, n.found = v, v.Keyring(), report
	n.gate = access.New(access.Options{
		Self: n.keys.Node().DID(), Datasets: n.standing, Known: n.isIssuer, Clock: opt.Now,
	})
	if err = n.remember(); err != nil {
		v.Close()
		return nil, fmt.Errorf("read back what the node knows: %w", err)
	}
	n.loadBallast()
	// On a full disk this has to wait: see housekeeping, and add.
	if err = n.finishRevocations(context.Background()); err != nil {
		opt.Log.Warn("a revocation is not finished", "error", err)
	}
	return n, nil
}

// Close renews the recovery kit where that is due, and locks the vault again.
// The node must not be running.
func (n *Node) Close() error {
	n.renewKits(context.Background())
	if err := n.vault.Close(); err != nil {
		return explain(err)
	}
	return nil
}

// standing is how a data set stands, for the gate.
func (n *Node) standing(dataset crypto.DID) access.Standing {
	switch {
	case n.book.chainOf(dataset) == nil:
		return access.Absent
	case n.vault.Suspended() != "":
		return access.Suspended
	}
	return access.Live
}

func (n *Node) now() time.Time { return n.opt.Now() }

// files is the file system that the node writes to.
func (n *Node) files() disk.FS {
	if n.opt.Files == nil {
		return disk.OS
	}
	return n.opt.Files
}

// online is the node's place on the network, or a problem that says how to
// get there.
func (n *Node) online() (*link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.link == nil {
		return nil, problem.New(problem.NeedsRun, "needs-run")
	}
	return n.link, nil
}

func (n *Node) setLink(l *link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link = l
}
