// SPDX-License-Identifier: Apache-2.0

package access

import (
	"container/list"
	"sync"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// proof is a delegation whose signature was verified, with what the profile
// says about it alone. Neither changes, so both are found out once.
type proof struct {
	digest     [32]byte // SHA-256 of its bytes
	delegation *ucan.Delegation

	once    sync.Once
	outside error // what CheckDelegation says

	parsed  sync.Once
	grant   grant.Grant
	noGrant error // what Parse says
}

// profile says whether the delegation keeps to the profile, and whether it is
// a grant if it stands where one must.
func (p *proof) profile(asGrant bool) error {
	p.once.Do(func() { p.outside = grant.CheckDelegation(p.delegation) })
	if p.outside != nil || !asGrant {
		return p.outside
	}
	p.parsed.Do(func() { p.grant, p.noGrant = grant.Parse(p.delegation) })
	return p.noGrant
}

// verified remembers proofs by the digest of their bytes: those of invocations
// that were good, so that nobody who is refused can push them out. What a
// grantee wrote (the links below the grant) takes of the grantee's share.
type verified struct {
	self   crypto.DID
	mu     sync.Mutex
	limit  int
	share  int
	recent *list.List // of *kept, most recent first
	at     map[[32]byte]*list.Element
	held   map[crypto.DID]int // by grantee, how many of them are theirs
}

// kept is a proof that is remembered, and whose share it takes: "" for nobody's.
type kept struct {
	*proof
	grantee crypto.DID
}

func newVerified(self crypto.DID, limit int) *verified {
	return &verified{
		self: self, limit: limit, share: max(grant.MaxLinks, limit/16), recent: list.New(),
		at: make(map[[32]byte]*list.Element), held: make(map[crypto.DID]int),
	}
}

// open finds the proof, or decodes its token and verifies the signature. What
// others say in its meta is not looked at: it may be large, and decides nothing.
func (v *verified) open(digest [32]byte, token []byte) (*proof, error) {
	if p := v.find(digest); p != nil {
		return p, nil
	}
	d, err := ucan.DecodeDelegation(token)
	if err != nil {
		return nil, err
	}
	if d.Issuer != v.self {
		d.Meta = nil
	}
	return &proof{digest: digest, delegation: d}, nil
}

func (v *verified) find(digest [32]byte) *proof {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.at[digest]
	if !ok {
		return nil
	}
	v.recent.MoveToFront(e)
	return e.Value.(kept).proof
}

// keep remembers the proofs of a chain to a grantee, root first.
func (v *verified) keep(proofs []*proof, grantee crypto.DID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, p := range proofs {
		if _, ok := v.at[p.digest]; ok {
			continue
		}
		k := kept{proof: p}
		if i > grant.LinkGrant {
			k.grantee = grantee
			v.makeRoom(grantee)
		}
		v.at[p.digest] = v.recent.PushFront(k)
		if k.grantee != "" {
			v.held[k.grantee]++
		}
		if v.recent.Len() > v.limit {
			v.drop(v.recent.Back())
		}
	}
}

// makeRoom drops the oldest proof of a grantee whose share is full.
func (v *verified) makeRoom(grantee crypto.DID) {
	if v.held[grantee] < v.share {
		return
	}
	e := v.recent.Back()
	for e.Value.(kept).grantee != grantee {
		e = e.Prev()
	}
	v.drop(e)
}

func (v *verified) drop(e *list.Element) {
	k := v.recent.Remove(e).(kept)
	delete(v.at, k.digest)
	if k.grantee == "" {
		return
	}
	if v.held[k.grantee]--; v.held[k.grantee] == 0 {
		delete(v.held, k.grantee)
	}
}
