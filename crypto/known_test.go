// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"math/rand/v2"
	"testing"
)

// What is remembered never changes an answer: neither for names that push each
// other out, nor for bad ones that resemble good ones.
func TestParseDIDRemembersOnlyWhatIsGood(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	var names []DID
	for range 3 * len(knownDIDs.names) {
		id, err := NewIdentity(random)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, id.DID())
	}
	for round := range 2 {
		for _, name := range names {
			if got, err := ParseDID(string(name)); err != nil || got != name {
				t.Fatalf("round %d: parse %s: %s, %v", round, name, got, err)
			}
			altered := []byte(name)
			altered[didLength-1] ^= 1 // another number, or no digit
			got, err := ParseDID(string(altered))
			raw := DID(altered).PublicKey()
			if good := raw != nil && checkPublicKey(raw) == nil; good != (err == nil) || good && got != DID(altered) {
				t.Fatalf("round %d: parse %s: %q, %v; its key is good: %v", round, altered, got, err, good)
			}
		}
	}
	if _, ok := knownDIDs.find(string(names[len(names)-1])); !ok {
		t.Error("the last name that was found good is not remembered")
	}
}

// What was derived from a scope's key goes with it.
func TestEraseWipesBodyKeys(t *testing.T) {
	k, err := NewKeyring(rand.NewChaCha8([32]byte{2}))
	if err != nil {
		t.Fatal(err)
	}
	scope := ContactScope(mustIdentity(t).DID())
	if err := k.AddScope(scope, rand.NewChaCha8([32]byte{3})); err != nil {
		t.Fatal(err)
	}
	if _, err := k.SealBody(scope, nil, []byte("a body")); err != nil {
		t.Fatal(err)
	}
	derived := k.scopes[scope].body
	if *derived == (bodyKeys{}) {
		t.Fatal("nothing was derived")
	}
	if err := k.Erase(scope); err != nil || *derived != (bodyKeys{}) {
		t.Errorf("after erasing (%v) the derived keys are still in memory", err)
	}
}
