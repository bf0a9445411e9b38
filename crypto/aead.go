// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealOverhead is what seal adds: a nonce and a tag.
const sealOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// seal is XChaCha20-Poly1305 with a random nonce, which goes first.
func seal(rand io.Reader, key [32]byte, aad, plaintext []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, chacha20poly1305.NonceSizeX, sealOverhead+len(plaintext))
	if _, err := io.ReadFull(rand, out); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return aead.Seal(out, out, plaintext, aad), nil
}

// open undoes seal. It says only whether that worked: the caller knows why
// it might not have.
func open(key [32]byte, aad, sealed []byte) ([]byte, bool) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil || len(sealed) < sealOverhead {
		return nil, false
	}
	nonce, ciphertext := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, ciphertext, aad)
	return plain, err == nil
}

func draw(rand io.Reader) (key [32]byte, err error) {
	if _, err := io.ReadFull(rand, key[:]); err != nil {
		return key, fmt.Errorf("draw a key: %w", err)
	}
	return key, nil
}
