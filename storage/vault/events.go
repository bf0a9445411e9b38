// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/journal"
)

// EventKind says what an [Event] is. Kinds are only added to.
type EventKind string

// The kinds of events.
const (
	VersionMade     EventKind = "version"   // of a data set of ours
	DatasetRemoved  EventKind = "removed"   // which one, nobody can tell any more
	GrantsSuspended EventKind = "suspended" // until the owner confirms them
)

// Event is something that the vault did by itself or was told to do; what the
// node records are [Vault.Facts]. Both have their place in one journal: Seq.
type Event struct {
	Kind EventKind
	Seq  uint64
	Time int64        // Unix seconds
	Name string       // of VersionMade: what the data set was called then
	Head storage.Head // of VersionMade
	Why  Suspension   // of GrantsSuspended
}

// Events gives fn what became of the data sets, oldest first: also the
// versions that are no longer kept, but not those of a data set that was
// removed. It reads the journal.
func (v *Vault) Events(fn func(Event) error) error {
	names := map[crypto.DID]string{}
	return v.history(func(_ uint64, e journal.Entry) error {
		if e.Kind >= FirstFact || e.Checkpoint && e.Kind == kindSuspended {
			return nil
		}
		event, told, err := v.event(e, names)
		if err != nil {
			return fmt.Errorf("read journal entry %d: %w", e.Seq, err)
		}
		if !told {
			return nil
		}
		return fn(event)
	})
}

// event makes an event of an entry, unless it is one that tells nothing. It
// keeps the names that data sets have at that point.
func (v *Vault) event(e journal.Entry, names map[crypto.DID]string) (event Event, told bool, err error) {
	event = Event{Seq: e.Seq, Time: e.Time}
	if e.Kind == kindRemoved {
		event.Kind = DatasetRemoved
		return event, true, nil
	}
	if e.Kind != kindDataset && e.Kind != kindVersion && e.Kind != kindSuspended {
		return event, false, nil
	}
	var r Recorded
	if err := v.openFact(e, &r); err != nil || r.Erased {
		return event, false, err
	}
	switch e.Kind {
	case kindDataset:
		var b datasetBody
		err = canonical.Unmarshal(r.Body, &b)
		names[crypto.DID(b.DID)] = b.Name
		return event, false, err
	case kindSuspended:
		var b suspendedBody
		err = canonical.Unmarshal(r.Body, &b)
		event.Kind, event.Why = GrantsSuspended, b.Why
		return event, true, err
	}
	var b headBody
	if err = canonical.Unmarshal(r.Body, &b); err == nil {
		event.Head, _, err = storage.ParseHead(b.Head)
	}
	event.Kind, event.Name = VersionMade, names[event.Head.Dataset]
	return event, true, err
}
