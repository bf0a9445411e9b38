// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"context"
	"errors"
	"time"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
)

// Errors about data sets.
var (
	ErrNoDataset   = errors.New("no such data set")
	ErrAmbiguous   = errors.New("more than one data set fits")
	ErrNoVersion   = errors.New("no such version")
	ErrNameTaken   = errors.New("another data set has this name")
	ErrOtherSource = errors.New("the data set mirrors another folder; replace it explicitly")
	ErrChanging    = errors.New("the file kept changing while it was read")
	ErrNotOurs     = errors.New("the data set was received, not made here")
	ErrMissing     = errors.New("blocks are missing from this vault")
	ErrOldHead     = errors.New("a newer version of it is here already")
)

// SignedHead is a head and its signed bytes.
type SignedHead struct {
	storage.Head
	Bytes []byte
}

// Dataset describes a data set of ours, or one that we received.
type Dataset struct {
	DID        crypto.DID
	Name       string
	Kind       string     // "files"
	Source     string     // the file or folder that it mirrors; "" when received
	From       crypto.DID // the owner who gave it; "" when it is ours
	Created    time.Time
	Generation uint64
	Versions   []storage.Head // oldest first; may be empty
}

// Latest is the newest version's head, if there is any.
func (d Dataset) Latest() (storage.Head, bool) {
	if len(d.Versions) == 0 {
		return storage.Head{}, false
	}
	return d.Versions[len(d.Versions)-1], true
}

// Datasets lists all data sets by name.
func (v *Vault) Datasets() []Dataset { return nil }

// Lookup finds a data set by its name, its DID, or four or more characters
// that begin or end its DID.
func (v *Vault) Lookup(name string) (Dataset, error) { return Dataset{}, ErrNoDataset }

// Versions lists the signed heads that are kept, oldest first.
func (v *Vault) Versions(did crypto.DID) ([]SignedHead, error) { return nil, ErrNoDataset }

// Rename gives a data set another name.
func (v *Vault) Rename(ctx context.Context, did crypto.DID, name string) error {
	return errors.ErrUnsupported
}

// Walk gives fn the entries of a version (0 for the latest; a sequence number)
// in path order, a long file in parts.
func (v *Vault) Walk(ctx context.Context, did crypto.DID, version uint64, fn func(storage.Entry) error) error {
	return errors.ErrUnsupported
}

// View says which part of a data set a head shall open: all of it, or paths.
// The zero value is no view at all.
type View struct {
	Whole bool
	Paths []string // prefixes that end in "/", or whole names
}

// ViewHead signs a head for a view of the latest version, with pages sealed in
// the current generation over the same data blocks. What it names is durable.
func (v *Vault) ViewHead(ctx context.Context, did crypto.DID, view View) (SignedHead, error) {
	return SignedHead{}, errors.ErrUnsupported
}

// BumpGeneration raises the generation, durably: what is added afterwards is
// sealed with keys that were never given to anybody before.
func (v *Vault) BumpGeneration(ctx context.Context, did crypto.DID) (generation uint64, err error) {
	return 0, errors.ErrUnsupported
}

// Remove destroys a data set's keys (ours or received) in both copies of the
// keyring and marks its blocks dead. It cannot be undone.
func (v *Vault) Remove(ctx context.Context, did crypto.DID) error { return errors.ErrUnsupported }

// ReceivedHead is a head that somebody gave us, opened.
type ReceivedHead struct {
	Dataset crypto.DID
	Name    string     // what we call it; must be free
	From    crypto.DID // the owner who gave it
	Signer  crypto.DID // the node that must have signed the head
	Head    []byte     // what [storage.SignHead] made
}

// Receive remembers a received version, once all its blocks are in Blocks. It
// replaces the version before of the same view.
func (v *Vault) Receive(ctx context.Context, r ReceivedHead) error { return errors.ErrUnsupported }
