// SPDX-License-Identifier: Apache-2.0

package crypto

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
)

// A label names the one purpose of a derived key. Each is used at one place
// of this package; all of them stand here so that no two can be the same.
type label string

const (
	labelIdentity   label = "traboule/v1/identity-derived"
	labelBlockKey   label = "traboule/v1/block-key"
	labelPageCut    label = "traboule/v1/page-cut"
	labelBody       label = "traboule/v1/scope-body"
	labelBodyID     label = "traboule/v1/scope-key-id"
	labelScopeTag   label = "traboule/v1/scope-tag"
	labelIndexName  label = "traboule/v1/index-name"
	labelIndexValue label = "traboule/v1/index-value"
	labelKeyring    label = "traboule/v1/keyring-body"
	labelPassphrase label = "traboule/v1/slot-passphrase"
	labelKeyfile    label = "traboule/v1/slot-keyfile"
	labelWords      label = "traboule/v1/slot-words"
	labelRecovery   label = "traboule/v1/recovery-key"
	labelKitMAC     label = "traboule/v1/kit-mac"
	labelKit        label = "traboule/v1/kit"
	labelBirth      label = "traboule/v1/birth-seed"
)

// derive is HKDF-SHA256 (RFC 5869) without salt; its info is the label and
// the parts, each after its length, so that no two lists of parts collide.
func derive(secret []byte, l label, parts ...[]byte) [32]byte {
	info := frame([]byte(l), parts...)
	out, err := hkdf.Key(sha256.New, secret, nil, string(info), 32)
	if err != nil {
		panic("crypto: hkdf: " + err.Error()) // only for too long an output
	}
	return [32]byte(out)
}

// frame joins first and parts, each after its length as 4 bytes, big-endian.
func frame(first []byte, parts ...[]byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(first)))
	out = append(out, first...)
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}
