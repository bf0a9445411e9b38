// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"

	"github.com/traboule/traboule/crypto"
)

// The kinds of fact that the node keeps in the journal. Numbers below 100 are
// the vault's own. They are only ever added to.
const (
	factProfile       uint16 = 100 // node: profile
	factInvitation    uint16 = 101 // node: invitation
	factContact       uint16 = 102 // contact: contactFact
	factContactGone   uint16 = 103 // contact: empty
	factUpperLinks    uint16 = 104 // data set: upperLinks
	factGiven         uint16 = 105 // data set: givenFact
	factAcknowledged  uint16 = 106 // data set: acknowledgement
	factReceivedGrant uint16 = 107 // received data set: receivedGrant
	factRevocation    uint16 = 108 // public: the record's bytes
	factDelivered     uint16 = 109 // data set: delivery; public: deliveryMark
	factFetched       uint16 = 110 // received data set: fetched
	factDenials       uint16 = 111 // node: denials
	factClock         uint16 = 112 // public: the mark, Unix seconds
	factConfirmed     uint16 = 113 // node: empty
	factRaised        uint16 = 114 // data set: the revoked grant's CID
	factClockLowered  uint16 = 115 // public: the mark, Unix seconds
	factKitSaved      uint16 = 116 // node: kitSaved
	factOwed          uint16 = 117 // contact: owedRecord
	factPaid          uint16 = 118 // contact: the record's CID
	factKitWritten    uint16 = 119 // node: kitWritten
	factKitForgotten  uint16 = 120 // node: kitForgotten
	factEquivocation  uint16 = 121 // received data set: equivocation
	factSummary       uint16 = 122 // data set, received or not: summary
	factDamaged       uint16 = 123 // node: damaged
	factOwnKind       uint16 = 124 // node: ownKind
)

// profile is what the owner's card says besides keys.
type profile struct {
	Name string `cbor:"name"`
	Kind string `cbor:"kind"`
}

// invitation is a link that was handed out, for one use. Only the digest of
// its secret is kept.
type invitation struct {
	Digest  [32]byte   `cbor:"digest"`
	Expires int64      `cbor:"expires"`
	UsedBy  crypto.DID `cbor:"used"` // the owner who used it, or empty
}

// contactFact is all that is known of a contact, as it stood at the time.
type contactFact struct {
	Owner     crypto.DID `cbor:"owner"`
	Name      string     `cbor:"name"` // what we call them
	Card      []byte     `cbor:"card"`
	Confirmed bool       `cbor:"confirmed"`
}

// upperLinks are the two delegations above every grant on a data set of ours.
type upperLinks struct {
	Birth []byte `cbor:"birth"` // data set → owner
	Node  []byte `cbor:"node"`  // owner → node, renewed in time
}

// givenFact is a grant that was given.
type givenFact struct {
	Dataset  crypto.DID `cbor:"dataset"`
	Leaf     []byte     `cbor:"leaf"`
	Audience crypto.DID `cbor:"audience"` // the contact's owner

	// Operations is how many there were in the log of a data set of records when
	// the grant was given: what it shows is never older.
	Operations int `cbor:"operations,omitempty"`
}

// acknowledgement says that the grantee's node has stored a grant, or its
// revocation.
type acknowledgement struct {
	Grant      []byte `cbor:"grant"` // CID
	Revocation bool   `cbor:"revocation"`
}

// receivedGrant is a grant that was given to us, with where to use it.
type receivedGrant struct {
	Dataset   crypto.DID `cbor:"dataset"`
	Chain     [][]byte   `cbor:"chain"` // root first, down to us
	Name      string     `cbor:"name"`  // as the giver calls it
	Node      crypto.DID `cbor:"node"`
	Addresses []string   `cbor:"addresses"`
	Over      bool       `cbor:"over,omitempty"` // its end came before it, in words that are not in the journal
}

// delivery is a head that was handed out, with all that it opens.
type delivery struct {
	Dataset  crypto.DID `cbor:"dataset"`
	Grant    []byte     `cbor:"grant"` // CID of the leaf
	Peer     crypto.DID `cbor:"peer"`
	View     string     `cbor:"view,omitempty"` // as the head names it
	Version  uint64     `cbor:"version"`        // of a view of records, the head's own number
	Files    uint64     `cbor:"files"`
	Bytes    uint64     `cbor:"bytes"`
	Rows     uint64     `cbor:"rows,omitempty"` // of records
	Purpose  string     `cbor:"purpose"`
	Repeated bool       `cbor:"repeated"` // the same head as before, to go on with an interrupted fetch
}

// isNoMore says whether a delivery holds no more than another.
func (d delivery) isNoMore(than delivery) bool {
	return cmp.Or(cmp.Compare(d.Rows, than.Rows), cmp.Compare(d.Files, than.Files), cmp.Compare(d.Bytes, than.Bytes)) <= 0
}

// deliveryMark is what a delivery leaves in the clear, so that after a start
// nothing is answered twice and counted uses stay counted.
type deliveryMark struct {
	Invocation [32]byte   `cbor:"invocation"` // digest of its signed payload
	Expires    int64      `cbor:"expires"`    // Unix seconds
	Uses       []usedMark `cbor:"uses"`
}

type usedMark struct {
	Delegation []byte   `cbor:"delegation"` // CID of the delegation that bounds uses
	Head       [32]byte `cbor:"head"`       // digest of the head that was delivered
}

// fetched is a version that was received whole.
type fetched struct {
	Dataset crypto.DID `cbor:"dataset"`
	Grant   []byte     `cbor:"grant"`
	Version uint64     `cbor:"version"`
	Files   uint64     `cbor:"files"`
	Bytes   uint64     `cbor:"bytes"`
	Rows    uint64     `cbor:"rows,omitempty"` // of records
	New     uint64     `cbor:"new"`            // ciphertext bytes received
}

// summary is how many deliveries or fetches under a grant the journal no longer
// tells one by one to whoever starts.
type summary struct {
	Grant      []byte `cbor:"grant"`
	Deliveries uint64 `cbor:"deliveries"`
	Fetches    uint64 `cbor:"fetches"`
}

// owedRecord is a revocation that a contact has still to be told of, kept
// apart from the data set, which is gone.
type owedRecord struct {
	Owner  crypto.DID `cbor:"owner"`
	Record []byte     `cbor:"record"`
}

// kitSaved says what the last recovery kit holds.
type kitSaved struct {
	Scopes [32]byte `cbor:"scopes"` // digest of the scopes that had keys
}

// kitWritten says that a recovery kit was written where the owner keeps one.
type kitWritten struct {
	Path string `cbor:"path"`
	Seq  uint64 `cbor:"seq"` // the last entry of the journal that is in it
}

// kitForgotten says that no kit is kept at a place any more.
type kitForgotten struct {
	Path string `cbor:"path"`
}

// damaged is what the node found when it read through what it keeps.
type damaged struct {
	Kind  string `cbor:"kind"`
	Count uint64 `cbor:"count"`
}

// missedByKit says whether a recovery kit that was made before such a fact is
// the poorer for it.
func missedByKit(kind uint16) bool {
	switch kind {
	case factDelivered, factFetched, factAcknowledged, factDenials, factClock, factClockLowered, factRaised, factPaid,
		factKitSaved, factKitWritten, factKitForgotten, factSummary, factDamaged:
		return false
	}
	return true
}

// denials are refusals of one grantee for one reason, counted since the last.
type denials struct {
	Peer   crypto.DID `cbor:"peer"` // the grantee's owner; empty: several
	Reason string     `cbor:"reason"`
	Count  uint64     `cbor:"count"`
}
