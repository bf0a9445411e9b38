// SPDX-License-Identifier: Apache-2.0

package p2p

import (
	"bytes"
	"crypto/rand"
	"testing"

	libcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/traboule/traboule/crypto"
)

func TestPeerIDsAreDIDs(t *testing.T) {
	for range 50 {
		did := newKey(t).DID()
		id, err := peerID(did)
		if err != nil {
			t.Fatal(err)
		}
		back, err := didOf(id)
		if err != nil || back != did {
			t.Errorf("%s became %s (%v)", did, back, err)
		}
	}
}

func TestOnlyEd25519PeersHaveDIDs(t *testing.T) {
	for _, kind := range []int{libcrypto.RSA, libcrypto.Secp256k1, libcrypto.ECDSA} {
		_, public, err := libcrypto.GenerateKeyPairWithReader(kind, 2048, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		if did, err := didOf(id); err == nil {
			t.Errorf("a %s peer is %s", public.Type(), did)
		}
	}
	if did, err := didOf(""); err == nil {
		t.Errorf("nobody is %s", did)
	}
	for _, bad := range []crypto.DID{"", "did:key:z6Mk", "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"} {
		if id, err := peerID(bad); err == nil {
			t.Errorf("%q is peer %s", bad, id)
		}
	}
}

// recordingKey remembers what libp2p asked of an identity.
type recordingKey struct {
	*crypto.Identity
	labels []string
	signed int
}

func (k *recordingKey) Derive(label string) [32]byte {
	k.labels = append(k.labels, label)
	return k.Identity.Derive(label)
}

func (k *recordingKey) Sign(message []byte) ([]byte, error) {
	k.signed++
	return k.Identity.Sign(message)
}

// The key itself stays where it is: libp2p gets signatures and derived bytes.
func TestAdaptedKey(t *testing.T) {
	key := &recordingKey{Identity: newKey(t)}
	adapted, err := adaptKey(key)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a message")
	sig, err := adapted.Sign(message)
	if err != nil || key.signed != 1 {
		t.Fatalf("signed %d times (%v)", key.signed, err)
	}
	if ok, err := adapted.GetPublic().Verify(message, sig); !ok || err != nil {
		t.Errorf("the public key does not verify the signature (%v)", err)
	}
	raw, err := adapted.Raw()
	if err != nil {
		t.Fatal(err)
	}
	if want := key.Identity.Derive(quicLabel); !bytes.Equal(raw, want[:]) {
		t.Error("Raw returns other bytes than the derived ones")
	}
	if seeded, err := libcrypto.UnmarshalEd25519PrivateKey(append(raw, key.DID().PublicKey()...)); err == nil {
		sig, err := seeded.Sign(message)
		if err == nil && crypto.Verify(key.DID(), message, sig) == nil {
			t.Error("Raw returns bytes that sign as the identity")
		}
	}
	other, err := adaptKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if !adapted.Equals(adapted) || adapted.Equals(other) || adapted.Equals(adapted.GetPublic()) {
		t.Error("Equals confuses keys")
	}
}

// What QUIC and TLS do with the adapted key is enough for both.
func TestAdaptedKeyOnTheWire(t *testing.T) {
	for name, listen := range transportsUnderTest {
		t.Run(name, func(t *testing.T) {
			key := &recordingKey{Identity: newKey(t)}
			server := newEchoHost(t, listen)
			client := newHost(t, Options{Key: key})
			mustEcho(t, mustDial(t, client, server, echo), "signed, not shown")
			if key.signed == 0 {
				t.Error("nothing was signed")
			}
			for _, label := range key.labels {
				if label != quicLabel {
					t.Errorf("derived under %q", label)
				}
			}
		})
	}
}

func FuzzTarget(f *testing.F) {
	f.Add("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "/ip4/127.0.0.1/tcp/4001")
	f.Add("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp")
	f.Add("", "/ip6/::1/udp/1/quic-v1/p2p-circuit")
	f.Fuzz(func(t *testing.T, did, addr string) {
		to, err := target(crypto.DID(did), []string{addr})
		if err != nil {
			return
		}
		if back, err := didOf(to.ID); err != nil || string(back) != did {
			t.Errorf("%q became %q (%v)", did, back, err)
		}
	})
}
