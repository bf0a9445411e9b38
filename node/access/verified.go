// SPDX-License-Identifier: Apache-2.0

package access

import (
	"container/list"
	"sync"

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

// verified remembers proofs by the digest of their bytes: those of chains to
// data sets of this node only, so that strangers cannot push them out.
type verified struct {
	mu     sync.Mutex
	limit  int
	recent *list.List // of *proof, most recent first
	at     map[[32]byte]*list.Element
}

func newVerified(limit int) *verified {
	return &verified{limit: limit, recent: list.New(), at: make(map[[32]byte]*list.Element)}
}

// open finds the proof, or decodes its token and verifies the signature.
func (v *verified) open(digest [32]byte, token []byte) (*proof, error) {
	if p := v.find(digest); p != nil {
		return p, nil
	}
	d, err := ucan.DecodeDelegation(token)
	if err != nil {
		return nil, err
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
	return e.Value.(*proof)
}

func (v *verified) keep(proofs []*proof) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range proofs {
		if _, ok := v.at[p.digest]; ok {
			continue
		}
		v.at[p.digest] = v.recent.PushFront(p)
		if v.recent.Len() > v.limit {
			oldest := v.recent.Remove(v.recent.Back()).(*proof)
			delete(v.at, oldest.digest)
		}
	}
}
