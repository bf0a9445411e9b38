// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Scope says whose key seals a journal body: that of the node itself, of a
// data set of ours, of a contact, or of a data set that we received. To erase
// one of these is to destroy its scope's keys.
type Scope string

// NodeScope is the scope of what concerns nobody in particular. It always
// exists and cannot be erased.
const NodeScope Scope = "node"

const (
	datasetPrefix  = "dataset/"
	contactPrefix  = "contact/"
	receivedPrefix = "received/"
)

// DatasetScope is the scope of one of our own data sets.
func DatasetScope(did DID) Scope { return Scope(datasetPrefix + did) }

// ContactScope is the scope of what concerns one contact, by owner DID.
func ContactScope(did DID) Scope { return Scope(contactPrefix + did) }

// ReceivedScope is the scope of a data set of somebody else that we received.
func ReceivedScope(did DID) Scope { return Scope(receivedPrefix + did) }

// check refuses what none of the functions above can have made.
func (s Scope) check() error {
	if s == NodeScope {
		return nil
	}
	for _, prefix := range []string{datasetPrefix, contactPrefix, receivedPrefix} {
		if did, ok := strings.CutPrefix(string(s), prefix); ok {
			if _, err := ParseDID(did); err != nil {
				return fmt.Errorf("scope of %s: %w", strings.TrimSuffix(prefix, "/"), err)
			}
			return nil
		}
	}
	return ErrUnknownScope
}

func (s Scope) ofDataset() bool { return strings.HasPrefix(string(s), datasetPrefix) }

// AddScope gives a contact or a received data set a key of its own. A scope
// that exists keeps its key; one that was erased gets a new one, which does
// not bring back what was sealed before. The scopes of data sets are made by
// [Keyring.NewDataset] alone.
func (k *Keyring) AddScope(s Scope, rand io.Reader) error {
	if err := s.check(); err != nil {
		return fmt.Errorf("add a scope: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.scopes[s] != nil {
		return nil
	}
	if s.ofDataset() {
		return fmt.Errorf("add a scope: a data set's keys are made with it: %w", ErrUnknownScope)
	}
	key, err := draw(rand)
	if err != nil {
		return err
	}
	k.scopes[s] = &scopeKeys{Name: s, Key: key}
	return nil
}

// HasScope reports whether s has a key.
func (k *Keyring) HasScope(s Scope) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.scopes[s] != nil
}

// Scopes lists the scopes that have a key, in order.
func (k *Keyring) Scopes() []Scope {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Sorted(maps.Keys(k.scopes))
}

// Erase destroys the keys of s and forgets its name; only its tag stays, to
// tell erased from unknown. It is final once the keyring was encoded and no
// older file or kit is left.
func (k *Keyring) Erase(s Scope) error {
	if s == NodeScope {
		return errors.New("the node's own scope cannot be erased")
	}
	tag := k.ScopeTag(s)
	k.mu.Lock()
	defer k.mu.Unlock()
	found, err := k.find(s)
	if err != nil {
		return err
	}
	delete(k.scopes, s)
	found.wipe()
	k.erased[tag] = true
	return nil
}

// ScopeTag is what a journal shows in the clear instead of the scope's name:
// 16 bytes of an HMAC-SHA-256 under a key of this keyring. Any scope has a
// tag, whether it has a key or not.
func (k *Keyring) ScopeTag(s Scope) [16]byte {
	mac := hmac.New(sha256.New, k.tagKey[:])
	mac.Write([]byte(s))
	return [16]byte(mac.Sum(nil))
}

// WasErased reports whether the scope with this tag had keys that were
// destroyed, be there new ones or not.
func (k *Keyring) WasErased(tag [16]byte) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.erased[tag]
}

// find returns the keys of s, [ErrErased] or [ErrUnknownScope]; k.mu is held.
func (k *Keyring) find(s Scope) (*scopeKeys, error) {
	if found := k.scopes[s]; found != nil {
		return found, nil
	}
	if k.erased[k.ScopeTag(s)] {
		return nil, ErrErased
	}
	return nil, ErrUnknownScope
}

func (s Scope) dataset() DID { return DID(strings.TrimPrefix(string(s), datasetPrefix)) }
