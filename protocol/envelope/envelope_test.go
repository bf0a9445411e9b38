// SPDX-License-Identifier: Apache-2.0

package envelope_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/protocol/envelope"
)

type party struct {
	node *crypto.Identity
	keys *crypto.Keyring
}

func newParty(t testing.TB) party {
	t.Helper()
	keys, err := crypto.NewKeyring(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return party{node: keys.Node(), keys: keys}
}

func sealFor(t testing.TB, from, to party, head []byte) ([]byte, envelope.Binding) {
	t.Helper()
	grant, err := cid.Decode("bafyreigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi")
	if err != nil {
		t.Fatal(err)
	}
	binding := envelope.Binding{
		Dataset: newParty(t).node.DID(), Grant: grant, Generation: 3, Sequence: 1<<32 | 7, Audience: to.node.DID(),
	}
	sealed, err := envelope.Seal(from.node, binding, to.keys.Receive().Public(), head)
	if err != nil {
		t.Fatal(err)
	}
	return sealed, binding
}

func TestSealedHeadOpensForItsAudienceAlone(t *testing.T) {
	from, to, other := newParty(t), newParty(t), newParty(t)
	head := []byte("a signed head")
	sealed, binding := sealFor(t, from, to, head)
	e, err := envelope.Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if e.Signer != from.node.DID() || e.Binding != binding {
		t.Errorf("read back %+v by %s, want %+v by %s", e.Binding, e.Signer, binding, from.node.DID())
	}
	got, err := e.Open(to.keys.Receive())
	if err != nil || !bytes.Equal(got, head) {
		t.Errorf("opened %q, %v", got, err)
	}
	if _, err := e.Open(other.keys.Receive()); !errors.Is(err, envelope.ErrSealed) {
		t.Errorf("another key: %v, want %v", err, envelope.ErrSealed)
	}
	if err := e.For(binding.Dataset, binding.Grant, other.node.DID()); !errors.Is(err, envelope.ErrOther) {
		t.Errorf("another audience: %v", err)
	}
	if err := e.For(binding.Dataset, binding.Grant, to.node.DID()); err != nil {
		t.Errorf("its audience: %v", err)
	}
}

// A sealed key that is put under another binding, even one signed by a node of
// the attacker's, does not open.
func TestBindingIsPartOfTheSeal(t *testing.T) {
	from, to, thief := newParty(t), newParty(t), newParty(t)
	sealed, binding := sealFor(t, from, to, []byte("a signed head"))
	e, err := envelope.Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*envelope.Envelope){
		"audience":   func(e *envelope.Envelope) { e.Audience = thief.node.DID() },
		"sequence":   func(e *envelope.Envelope) { e.Sequence++ },
		"generation": func(e *envelope.Envelope) { e.Generation++ },
		"data set":   func(e *envelope.Envelope) { e.Dataset = thief.node.DID() },
	} {
		changed := e
		change(&changed)
		if changed.Binding == binding {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := changed.Open(to.keys.Receive()); !errors.Is(err, envelope.ErrSealed) {
			t.Errorf("another %s: %v, want %v", name, err, envelope.ErrSealed)
		}
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	from, to := newParty(t), newParty(t)
	sealed, _ := sealFor(t, from, to, []byte("a signed head"))
	for bit := range len(sealed) * 8 {
		flipped := bytes.Clone(sealed)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := envelope.Parse(flipped); err == nil {
			t.Fatalf("bit %d of %d flipped: accepted", bit, len(sealed)*8)
		}
	}
}

func FuzzParse(f *testing.F) {
	sealed, _ := sealFor(f, newParty(f), newParty(f), []byte("a signed head"))
	f.Add(sealed)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = envelope.Parse(b)
	})
}
