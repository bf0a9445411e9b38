// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/vault"
)

// equivocation is what a giver signed twice: two heads of one data set, view,
// generation and sequence that are not the same. It is evidence: both carry
// the signature of the giver's node.
type equivocation struct {
	Dataset crypto.DID `cbor:"dataset"`
	Grant   []byte     `cbor:"grant"` // CID
	Version uint64     `cbor:"version"`
	First   []byte     `cbor:"first"`  // the head that is here
	Second  []byte     `cbor:"second"` // the one that came
}

var errEquivocated = errors.New("two heads are signed with one sequence number")

// consistent refuses a head that contradicts one that is here. Both are kept,
// each pair once; nothing else of the second is. A giver who took back an old
// copy of their vault does this without meaning to.
func (f *fetching) consistent(ctx context.Context) error {
	n := f.node
	versions, err := n.vault.Versions(f.head.Dataset)
	if err != nil {
		return nil // nothing of this data set is here
	}
	for _, have := range versions {
		if !contradicts(have, f.head, f.opened) {
			continue
		}
		if err := n.keepEvidence(ctx, equivocation{
			Dataset: f.head.Dataset, Grant: f.grant.cid.Bytes(), Version: f.head.Sequence, First: have.Bytes, Second: f.opened,
		}); err != nil {
			return err
		}
		return problem.New(problem.Misbehaviour, "fetch.equivocated",
			"contact", n.book.nameOf(f.grant.giver()), "name", f.grant.Name).Because(errEquivocated)
	}
	return nil
}

// contradicts says whether two heads, both signed by the same node, claim to
// be one and are not.
func contradicts(have vault.SignedHead, head storage.Head, signed []byte) bool {
	if have.View != head.View || have.Sequence != head.Sequence || have.Generation != head.Generation || bytes.Equal(have.Bytes, signed) {
		return false
	}
	_, one, err1 := storage.ParseHead(have.Bytes)
	_, other, err2 := storage.ParseHead(signed)
	return err1 == nil && err2 == nil && one == other
}

func (n *Node) keepEvidence(ctx context.Context, e equivocation) error {
	if n.book.knowsEvidence(e) {
		return nil
	}
	return n.record(ctx, fact(factEquivocation, crypto.ReceivedScope(e.Dataset), e))
}

func (e equivocation) digest() [32]byte {
	return sha256.Sum256(bytes.Join([][]byte{e.First, e.Second}, nil))
}

func (b *book) knowsEvidence(e equivocation) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.evidence[e.digest()]
}

func (b *book) applyEquivocation(e equivocation, _ vault.Recorded) error {
	b.evidence[e.digest()] = true
	return nil
}
