// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"sync"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/ucan"
)

// maxEarly is how many records are remembered whose target nobody has shown
// yet. Beyond it the oldest is forgotten: anybody can make them.
const maxEarly = 4096

// Revocations knows which delegations are over. It holds (target, issuer)
// pairs; whether one counts is judged against the chain at hand: its issuer
// issued the target or a link above it. So a record may come before the
// delegation it ends, and a stranger's record ends nothing.
//
// What [Revocations.Add] took is never taken out. The zero value is ready; many
// goroutines may use it.
type Revocations struct {
	mu     sync.RWMutex
	ended  map[record]bool
	early  map[record]bool
	queue  []record // of early, oldest first
	digest map[payload]bool
}

// record says that issuer revoked target.
type record struct {
	target cid.Cid
	issuer crypto.DID
}

// payload is a record by its target's signed payload, which is the same under
// whatever CID.
type payload struct {
	digest [32]byte
	issuer crypto.DID
}

// Add takes a record for good. target is the delegation it ends, if it is at
// hand, so that the same payload under another CID is ended too; or nil. It
// says whether the record was new.
func (r *Revocations) Add(rev ucan.Revocation, target *ucan.Delegation) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended == nil {
		r.ended, r.digest = make(map[record]bool), make(map[payload]bool)
	}
	if target != nil && target.CID().Equals(rev.Target) {
		r.digest[payload{target.PayloadDigest(), rev.Issuer}] = true
	}
	key := record{rev.Target, rev.Issuer}
	known := r.ended[key]
	r.ended[key] = true
	return !known
}

// AddEarly remembers a record of which nothing is known, among the last few
// thousand such. It says whether the record was new.
func (r *Revocations) AddEarly(rev ucan.Revocation) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := record{rev.Target, rev.Issuer}
	if r.ended[key] || r.early[key] {
		return false
	}
	if r.early == nil {
		r.early = make(map[record]bool)
	}
	if len(r.queue) == maxEarly {
		delete(r.early, r.queue[0])
		r.queue = r.queue[1:]
	}
	r.early[key] = true
	r.queue = append(r.queue, key)
	return true
}

// Revoked finds the first link of chain that is over, and by whose record.
func (r *Revocations) Revoked(chain Chain) (link int, by crypto.DID, revoked bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.ended)+len(r.early) == 0 {
		return 0, "", false
	}
	for i, d := range chain {
		for _, above := range chain[:i+1] {
			if r.isOver(d, above.Issuer) {
				return i, above.Issuer, true
			}
		}
	}
	return 0, "", false
}

func (r *Revocations) isOver(d *ucan.Delegation, by crypto.DID) bool {
	key := record{d.CID(), by}
	if r.ended[key] || r.early[key] {
		return true
	}
	return len(r.digest) > 0 && r.digest[payload{d.PayloadDigest(), by}]
}
