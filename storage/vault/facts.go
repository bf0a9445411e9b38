// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"

	"github.com/traboule/traboule/crypto"
)

// FirstFact is the first kind that is the node's to give a meaning; smaller
// ones are the vault's.
const FirstFact = 100

// Fact is something that the node has to remember. The vault does not know
// what it means.
type Fact struct {
	Kind   uint16       // from FirstFact on
	Scope  crypto.Scope // whose key seals Body; "" when there is no body
	Public []byte       // readable without keys, for ever
	Body   []byte       // sealed
}

// Recorded is a fact read back.
type Recorded struct {
	Fact
	Seq    uint64
	Time   int64 // Unix seconds
	Erased bool  // the scope's key is gone; Scope and Body are empty
}

// Record remembers facts, all or none, and returns when they are durable. It
// makes the keys of scopes that are new (contacts, received data sets).
func (v *Vault) Record(ctx context.Context, facts ...Fact) (seq uint64, err error) {
	return 0, errors.ErrUnsupported
}

// Facts gives fn the facts of these kinds (of all kinds when none is given),
// oldest first.
func (v *Vault) Facts(fn func(Recorded) error, kinds ...uint16) error { return errors.ErrUnsupported }

// EraseScope destroys the keys of a contact (or of a received data set's
// facts): what was recorded under it reads as erased from now on.
func (v *Vault) EraseScope(ctx context.Context, s crypto.Scope) error { return errors.ErrUnsupported }
