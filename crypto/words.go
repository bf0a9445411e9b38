// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tyler-smith/go-bip39"
)

// recovery is what 24 words derive: each part under a label of its own.
type recovery struct {
	private
	entropy hidden[[]byte]   // 32 bytes; the words slot derives its key from it
	key     *ReceiveKey      // opens kits and birth keys
	mac     hidden[[32]byte] // says that a kit was made by whoever once had the words
}

func recoveryFrom(entropy []byte) (*recovery, error) {
	seed := derive(entropy, labelRecovery)
	key, err := receiveKeyFrom(seed[:])
	if err != nil {
		return nil, err
	}
	return &recovery{entropy: hide(entropy), key: key, mac: hide(derive(entropy, labelKitMAC))}, nil
}

// recover24 reads 24 English BIP-39 words: any case, any white space between.
// The error tells nothing of them.
func recover24(words string) (*recovery, error) {
	if len(words) > 1024 {
		return nil, ErrBadWords
	}
	fields := splitWords(words)
	if len(fields) != 24 {
		return nil, fmt.Errorf("%w: %d words", ErrBadWords, len(fields))
	}
	entropy, err := bip39.EntropyFromMnemonic(strings.Join(fields, " "))
	if err != nil || len(entropy) != 32 {
		return nil, fmt.Errorf("%w: a word is misspelt or out of place", ErrBadWords)
	}
	return recoveryFrom(entropy)
}

func splitWords(words string) []string { return strings.Fields(strings.ToLower(words)) }

// CheckWords returns nil for 24 words of the BIP-39 English list whose
// checksum is right, else [ErrBadWords]. It does not say whose they are.
func CheckWords(words string) error {
	_, err := recover24(words)
	return err
}

// ConfirmWords compares what a person typed back with the words at these
// positions, counted from 1. The error names the first position that is
// wrong.
func ConfirmWords(words string, positions []int, typed []string) error {
	fields := splitWords(words)
	if len(positions) != len(typed) {
		return fmt.Errorf("%w: %d words asked, %d typed", ErrBadWords, len(positions), len(typed))
	}
	for i, p := range positions {
		if p < 1 || p > len(fields) || !slices.Equal(splitWords(typed[i]), fields[p-1:p]) {
			return fmt.Errorf("%w: number %d is not as shown", ErrBadWords, p)
		}
	}
	return nil
}

// NewWords makes new recovery words, a words slot and a recovery key; words
// made before stop opening this keyring. They are returned once and kept
// nowhere: show them, have them confirmed. Birth keys that were sealed for
// earlier words stay so; to carry them over takes [Keyring.ReplaceWords].
func (k *Keyring) NewWords(rand io.Reader) (words string, err error) {
	words, fresh, err := drawWords(rand)
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return words, k.adopt(fresh, rand)
}

// ReplaceWords is [Keyring.NewWords] for whoever still has the old words: the
// birth keys are sealed anew.
func (k *Keyring) ReplaceWords(old string, rand io.Reader) (words string, err error) {
	before, err := recover24(old)
	if err != nil {
		return "", err
	}
	words, fresh, err := drawWords(rand)
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	births, err := k.reseal(before.key, fresh.key.Public())
	if err != nil {
		return "", err
	}
	if err := k.adopt(fresh, rand); err != nil {
		return "", err
	}
	for s, sealed := range births {
		s.Birth = sealed
	}
	return words, nil
}

func drawWords(rand io.Reader) (string, *recovery, error) {
	entropy, err := draw(rand)
	if err != nil {
		return "", nil, err
	}
	words, err := bip39.NewMnemonic(entropy[:])
	if err != nil {
		return "", nil, fmt.Errorf("make recovery words: %w", err)
	}
	fresh, err := recoveryFrom(entropy[:])
	return words, fresh, err
}

// adopt makes r the keyring's recovery; k.mu is held.
func (k *keys) adopt(r *recovery, rand io.Reader) error {
	if err := k.setSlot(slotWords, Secret{data: hide(secretData{slotWords, r.entropy()})}, Argon{}, rand); err != nil {
		return err
	}
	k.ring.Recovery = r.key.Public()
	mac := r.mac()
	k.ring.KitMAC = mac[:]
	return nil
}

// reseal opens every birth key with old and seals it to pub; k.mu is held.
func (k *keys) reseal(old *ReceiveKey, pub PublicReceiveKey) (map[*scopeKeys][]byte, error) {
	births := make(map[*scopeKeys][]byte)
	for _, s := range k.scopes {
		if !s.Name.ofDataset() {
			continue
		}
		info := birthInfo(s.Name.dataset())
		seed, err := old.Open(info, s.Birth)
		if err != nil {
			return nil, fmt.Errorf("open the birth key of %s: %w", s.Name.dataset().Short(), ErrWrongSecret)
		}
		if births[s], err = SealTo(pub, info, seed); err != nil {
			return nil, fmt.Errorf("seal a birth key: %w", err)
		}
	}
	return births, nil
}
