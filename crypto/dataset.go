// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/ed25519"
	"fmt"
	"io"
)

// NewDataset makes a data set's key pair, its secret and its scope. The
// caller lets birth sign the first delegation and drops it: the keyring keeps
// its seed only sealed to the recovery key, which is why there must be words
// already ([ErrNoWords]).
func (k *Keyring) NewDataset(rand io.Reader) (did DID, birth *Identity, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ring.Recovery == nil {
		return "", nil, fmt.Errorf("make a data set's keys: %w", ErrNoWords)
	}
	birth, err = NewIdentity(rand)
	if err != nil {
		return "", nil, err
	}
	did = birth.DID()
	s := &scopeKeys{Name: DatasetScope(did), Dataset: make([]byte, 32)}
	for _, key := range [][]byte{s.Key[:], s.Dataset} {
		if _, err := io.ReadFull(rand, key); err != nil {
			return "", nil, fmt.Errorf("make a data set's keys: %w", err)
		}
	}
	if s.Birth, err = SealTo(k.ring.Recovery, birthInfo(did), birth.key().Seed()); err != nil {
		return "", nil, fmt.Errorf("seal a birth key: %w", err)
	}
	k.scopes[s.Name] = s
	return did, birth, nil
}

// UnmakeDataset takes back what [Keyring.NewDataset] made, as long as nothing
// sealed with it was kept: unlike [Keyring.Erase] it leaves no trace. Nobody can
// read what was sealed.
func (k *Keyring) UnmakeDataset(did DID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s := k.scopes[DatasetScope(did)]; s != nil {
		delete(k.scopes, s.Name)
		s.wipe()
	}
}

func birthInfo(did DID) []byte { return frame([]byte(labelBirth), []byte(did)) }

// Birth returns the key pair that a data set was born with, for the recovery
// ceremony: it takes the words that were valid when the data set was made
// (or, since, went through [Keyring.ReplaceWords]); others give
// [ErrWrongSecret].
func (k *Keyring) Birth(words string, dataset DID) (*Identity, error) {
	r, err := recover24(words)
	if err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	s, err := k.find(DatasetScope(dataset))
	if err != nil {
		return nil, err
	}
	seed, err := r.key.Open(birthInfo(dataset), s.Birth)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("open the birth key of %s: %w", dataset.Short(), ErrWrongSecret)
	}
	return identityFromSeed(seed)
}

// Sealer seals blocks of one of our data sets, for one view of it ("" is the
// data set itself) in one generation.
func (k *Keyring) Sealer(dataset DID, view string, generation uint64) (*Sealer, error) {
	secret, err := k.datasetSecret(dataset)
	if err != nil {
		return nil, err
	}
	return newSealer(secret, dataset, view, generation), nil
}

// PageKey is the key by which the cuts between a manifest's pages are chosen.
// It is derived for that alone; whoever has it can tell where cuts fall.
func (k *Keyring) PageKey(dataset DID) ([32]byte, error) {
	secret, err := k.datasetSecret(dataset)
	if err != nil {
		return [32]byte{}, err
	}
	return derive(secret[:], labelPageCut), nil
}

func (k *Keyring) datasetSecret(dataset DID) ([32]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	s, err := k.find(DatasetScope(dataset))
	if err != nil {
		return [32]byte{}, err
	}
	return [32]byte(s.Dataset), nil
}
