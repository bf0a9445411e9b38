// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/blocks"
)

// Errors about data sets.
var (
	ErrNoDataset   = errors.New("no such data set")
	ErrAmbiguous   = errors.New("more than one data set fits")
	ErrNoVersion   = errors.New("no such version")
	ErrNameTaken   = errors.New("another data set has this name")
	ErrOtherSource = errors.New("the data set mirrors another folder; replace it explicitly")
	ErrOtherKind   = errors.New("the data set is of another kind")
	ErrChanging    = errors.New("the file kept changing while it was read")
	ErrNotOurs     = errors.New("the data set was received, not made here")
	ErrMissing     = errors.New("blocks are missing from this vault")
	ErrBadSource   = errors.New("neither a file nor a folder")
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
	Kind       string     // [storage.KindFiles] or [storage.KindRecords]; of later versions also others
	Source     string     // the file or folder that it mirrors; "" when received, or of records
	From       crypto.DID // the owner who gave it; "" when it is ours
	Created    time.Time
	Generation uint64
	Keep       int            // how many versions are kept; 0 when received
	Missing    bool           // the latest version's list of files is not in this vault
	Versions   []storage.Head // oldest first; may be empty. Received: one for each view, of one age the fullest last
}

// Latest is the newest version's head, if there is any.
func (d Dataset) Latest() (storage.Head, bool) {
	if len(d.Versions) == 0 {
		return storage.Head{}, false
	}
	return d.Versions[len(d.Versions)-1], true
}

// Datasets lists all data sets by name.
func (v *Vault) Datasets() []Dataset {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var list []Dataset
	for _, d := range v.state.sets {
		list = append(list, v.describe(d))
	}
	slices.SortFunc(list, func(a, b Dataset) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.DID, b.DID))
	})
	return list
}

func (v *Vault) describe(d *dataset) Dataset {
	p := Dataset{DID: d.did, Name: d.name, Kind: d.kind, Source: d.source, From: d.from,
		Created: time.Unix(d.created, 0), Generation: d.generation}
	if d.from == "" {
		p.Keep = cmp.Or(d.keep, v.opt.Keep)
	} else {
		p.Kind = v.receivedKind(d)
	}
	for _, h := range d.versions {
		p.Versions = append(p.Versions, h.Head)
	}
	latest, ok := d.latest()
	p.Missing = ok && !v.store.Has(latest.Root.Name)
	return p
}

// Lookup finds a data set by its DID, its name, or four or more characters
// that begin or end its DID.
func (v *Vault) Lookup(name string) (Dataset, error) {
	if d, err := v.find(crypto.DID(name)); err == nil { // whatever else is called so
		return v.describe(d), nil
	}
	name = norm.NFC.String(name)
	var found []Dataset
	for _, d := range v.Datasets() {
		if d.Name == name {
			return d, nil
		}
		if fits(string(d.DID), name) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 0:
		return Dataset{}, fmt.Errorf("look up %q: %w", name, ErrNoDataset)
	case 1:
		return found[0], nil
	}
	return Dataset{}, fmt.Errorf("look up %q: %w", name, ErrAmbiguous)
}

func fits(did, part string) bool {
	const every = "did:key:z6Mk"
	part = strings.TrimPrefix(part, "…")
	bare := strings.TrimPrefix(part, every)
	if len(bare) < 4 {
		return false
	}
	return strings.HasPrefix(did, every+bare) || strings.HasPrefix(did, part) || strings.HasSuffix(did, part)
}

// find returns a copy of what is known of a data set.
func (v *Vault) find(did crypto.DID) (*dataset, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	d := v.state.sets[did]
	if d == nil {
		return nil, ErrNoDataset
	}
	dup := *d
	return &dup, nil
}

func (v *Vault) named(name string) *dataset {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, d := range v.state.sets {
		if d.name == name {
			dup := *d
			return &dup
		}
	}
	return nil
}

// Versions lists the signed heads that are kept, oldest first.
func (v *Vault) Versions(did crypto.DID) ([]SignedHead, error) {
	d, err := v.find(did)
	if err != nil {
		return nil, fmt.Errorf("versions of %s: %w", did.Short(), err)
	}
	return slices.Clone(d.versions), nil
}

// version finds a head by sequence number, 0 for the latest; of several views
// of a received version it is the fullest.
func (v *Vault) version(did crypto.DID, sequence uint64) (SignedHead, error) {
	d, err := v.find(did)
	if err != nil {
		return SignedHead{}, err
	}
	if sequence == 0 {
		h, ok := d.latest()
		if !ok {
			return SignedHead{}, ErrNoVersion
		}
		return h, nil
	}
	for _, h := range slices.Backward(d.versions) {
		if h.Sequence == sequence {
			return h, nil
		}
	}
	return SignedHead{}, ErrNoVersion
}

// Rename gives a data set another name. Versions that were made before keep
// the old one in what they tell grantees.
func (v *Vault) Rename(ctx context.Context, did crypto.DID, name string) error {
	name, err := storage.ParseName(name)
	if err != nil {
		return fmt.Errorf("rename %s: %w", did.Short(), err)
	}
	v.shape.Lock()
	defer v.shape.Unlock()
	d, err := v.find(did)
	if err != nil {
		return fmt.Errorf("rename %s: %w", did.Short(), err)
	}
	if other := v.named(name); other != nil && other.did != did {
		return fmt.Errorf("rename %q to %q: %w", d.name, name, ErrNameTaken)
	}
	d.name = name
	c := d.change()
	if d.from != "" {
		h, _ := d.latest()
		c = receivedChange(d, h.Bytes)
	}
	if _, err := v.commit(ctx, c); err != nil {
		return fmt.Errorf("rename to %q: %w", name, err)
	}
	return nil
}

// change is the journal's entry of a data set of ours as it stands.
func (d *dataset) change() change {
	return change{kind: kindDataset, scope: crypto.DatasetScope(d.did), body: encode(datasetBody{
		DID: string(d.did), Name: d.name, Kind: d.kind, Source: []byte(d.source), Created: d.created, Keep: d.keep})}
}

// Walk gives fn the entries of a version (0 for the latest; a sequence number)
// in path order, a long file in parts.
func (v *Vault) Walk(ctx context.Context, did crypto.DID, version uint64, fn func(storage.Entry) error) error {
	h, err := v.version(did, version)
	if err == nil {
		err = storage.Walk(ctx, h.Head, v.store.Get, fn)
	}
	if errors.Is(err, blocks.ErrNotFound) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", did.Short(), err)
	}
	return nil
}

// BumpGeneration raises the generation, durably: what is added afterwards is
// sealed with keys that were never given to anybody before. It never waits for
// an Add.
func (v *Vault) BumpGeneration(ctx context.Context, did crypto.DID) (generation uint64, err error) {
	v.order.Lock()
	defer v.order.Unlock()
	d, err := v.find(did)
	if err == nil && d.from != "" {
		err = ErrNotOurs
	}
	if err != nil {
		return 0, fmt.Errorf("raise the generation of %s: %w", did.Short(), err)
	}
	generation = d.generation + 1
	_, err = v.commit(ctx, change{kind: kindGeneration, scope: d.scope(), public: encode(generationBody{generation})})
	if err != nil {
		return 0, fmt.Errorf("raise the generation of %q: %w", d.name, err)
	}
	return generation, v.mark()
}
