// SPDX-License-Identifier: Apache-2.0

package access

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/traboule/traboule/crypto"
)

// How old the home node's last status may be when somebody else serves its
// data set: to readers, and ciphertext to other replicas.
const (
	ReaderLease  = time.Hour
	ReplicaLease = 24 * time.Hour
)

// ErrNoLease is why a replica that has not heard from the home node in time
// refuses. UCAN alone fails open; this fails closed.
var ErrNoLease = errors.New("no status of the home node that is young enough")

// Status is what a home node says about one of its data sets. Whoever hands it
// over has verified the home node's signature.
type Status struct {
	Dataset crypto.DID
	Seq     uint64 // never goes back
	Issued  time.Time
}

// Leases hold the latest status of each data set that this node serves without
// being its home. The zero value is ready; many goroutines may use it.
type Leases struct {
	mu     sync.Mutex
	latest map[crypto.DID]Status
}

// Accept takes a status, as of now. One that goes back, or comes from the
// future, is refused; the same again has no effect.
func (l *Leases) Accept(s Status, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, known := l.latest[s.Dataset]
	switch {
	case known && s.Seq < old.Seq:
		return fmt.Errorf("accept status %d of %s: it goes back from %d", s.Seq, s.Dataset.Short(), old.Seq)
	case known && s.Seq == old.Seq && s.Issued.After(old.Issued):
		return fmt.Errorf("accept status %d of %s: the number was used before", s.Seq, s.Dataset.Short())
	case s.Issued.After(now.Add(skew * time.Second)):
		return fmt.Errorf("accept status %d of %s: issued in the future", s.Seq, s.Dataset.Short())
	}
	if l.latest == nil {
		l.latest = make(map[crypto.DID]Status)
	}
	if !known || s.Seq > old.Seq {
		l.latest[s.Dataset] = s
	}
	return nil
}

// Check returns nil if the data set's latest status is at most lease old
// ([ReaderLease] or [ReplicaLease]), and [ErrNoLease] if not.
func (l *Leases) Check(dataset crypto.DID, lease time.Duration, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, ok := l.latest[dataset]; !ok || now.Sub(s.Issued) > lease {
		return fmt.Errorf("serve %s for its home node: %w", dataset.Short(), ErrNoLease)
	}
	return nil
}
