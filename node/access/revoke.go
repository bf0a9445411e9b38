// SPDX-License-Identifier: Apache-2.0

package access

import (
	"fmt"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/protocol/ucan"
)

// Recorded says what became of a revocation record.
type Recorded struct {
	Target cid.Cid
	// Counts: it ends the target, from this moment on.
	Counts bool
	// Keep: it belongs into the journal, because it counts or because its
	// issuer is known and the target may still come. Only what is kept there
	// may be acknowledged.
	Keep bool
	// New: the gate had not kept it before.
	New bool
}

// WeighRevocation reads a revocation record, which may be brought by anybody at any
// time, and says what [Gate.Revoke] would make of it. witnessed is the chain
// under which its target is known here, root first, or nil.
func (g *Gate) WeighRevocation(record *ucan.Invocation, witnessed grant.Chain) (Recorded, error) {
	_, recorded, err := g.weigh(record, witnessed)
	return recorded, err
}

// Revoke takes a revocation record. One that counts is in the journal before.
// Repeating it has no effect. One that does not count, whoever signed it, is
// remembered among the last few thousand such, in case its target comes after
// it; those of them that are in the journal are kept by [Gate.LoadRevocation].
func (g *Gate) Revoke(record *ucan.Invocation, witnessed grant.Chain) (Recorded, error) {
	rev, recorded, err := g.weigh(record, witnessed)
	if err != nil {
		return recorded, err
	}
	if recorded.Counts {
		recorded.New = g.revoked.Add(rev, linkOf(witnessed, rev.Target))
	} else {
		recorded.New = g.revoked.AddEarly(rev)
	}
	return recorded, nil
}

func (g *Gate) weigh(record *ucan.Invocation, witnessed grant.Chain) (ucan.Revocation, Recorded, error) {
	rev, err := ucan.ParseRevocation(record)
	if err != nil {
		return rev, Recorded{}, fmt.Errorf("weigh a revocation: %w", err)
	}
	counts := rev.Counts(witnessed)
	return rev, Recorded{Target: rev.Target, Counts: counts, Keep: counts || g.opt.Known(rev.Issuer)}, nil
}

// LoadRevocation tells the gate of a record in the journal, which is never
// forgotten.
func (g *Gate) LoadRevocation(record *ucan.Invocation, witnessed grant.Chain) error {
	rev, err := ucan.ParseRevocation(record)
	if err != nil {
		return fmt.Errorf("load a revocation: %w", err)
	}
	g.revoked.Add(rev, linkOf(witnessed, rev.Target))
	return nil
}

// Revoked says whether any link of a chain is over. After a revocation, the
// streams whose decision's chain it names are cancelled.
func (g *Gate) Revoked(chain grant.Chain) bool {
	_, _, revoked := g.revoked.Revoked(chain)
	return revoked
}

func linkOf(chain grant.Chain, target cid.Cid) *ucan.Delegation {
	for _, d := range chain {
		if d.CID().Equals(target) {
			return d
		}
	}
	return nil
}
