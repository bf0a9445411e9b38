// SPDX-License-Identifier: Apache-2.0

// Package node is one person's node: it wires the vault, the gate, the
// conversations and the host, owns every goroutine, and offers what an owner
// can ask as [Operation]s.
//
// It is where what we say (protocol) and what we keep (storage) meet: a
// message becomes a stored fact here, after it was checked and nowhere else.
// It does not know how operations are shown. The ways in are [Create],
// [Restore] and [OpenHome]; [Node.Run] puts the node on the network.
package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/traboule/traboule/node/problem"
)

// Secret is what opens a vault; exactly one field is set.
type Secret struct {
	Passphrase []byte
	Keyfile    []byte
	Words      string
}

// CreateOptions say how a new node is made.
type CreateOptions struct {
	Home       string // the folder of the node; made if it is not there
	Passphrase []byte
	Keyfile    []byte // if set, opens the vault too: the node may open itself
	Weak       bool   // cheap key derivation, for tests alone
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
	Home   string
	Secret Secret
	Listen []string         // multiaddrs; default UDP and TCP 4721 on every interface
	Log    *slog.Logger     // default: silent
	Now    func() time.Time // default: time.Now
}

// RunInfo is what there is to say once the node is on the network.
type RunInfo struct {
	Home      string   `json:"home"`
	Owner     string   `json:"owner"`
	Node      string   `json:"node"`
	Addresses []string `json:"addresses"`
}

// Explain turns any error of this package and those below it into a problem
// that a person can be told.
func explain(err error) *problem.Problem { return problem.Of(err) }

// Node is an open vault with all that works on it.
type Node struct{}

// Create makes a new node in an empty or missing folder.
func Create(ctx context.Context, opt CreateOptions) (Created, error) { panic("skeleton") }

// Restore makes a node from its recovery kit and words, in an empty or
// missing folder. Its grants are suspended until the owner confirms them.
func Restore(ctx context.Context, opt RestoreOptions) (Created, error) { panic("skeleton") }

// OpenHome opens the node in a folder, off the network.
func OpenHome(ctx context.Context, opt Options) (*Node, error) { panic("skeleton") }

// Close locks the vault again.
func (n *Node) Close() error { panic("skeleton") }

// Run puts the node on the network and answers commands until ctx is done and
// all has stopped. It calls ready once, when peers and commands are answered.
func (n *Node) Run(ctx context.Context, ready func(RunInfo)) error { panic("skeleton") }
