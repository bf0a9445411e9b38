// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/traboule/traboule/crypto/canonical"
)

// MaxDescription is the longest description in bytes.
const MaxDescription = 16 << 10

// ErrBadName is returned for a name that no data set may have.
var ErrBadName = errors.New("not a valid data set name (1 to 64 characters, no \"/\", no control characters)")

// The kinds of data sets.
const (
	KindFiles   = "files"   // it mirrors files and folders
	KindRecords = "records" // its entries are objects that a program made: see storage/record
)

// Description says what a data set is called and made of. It travels as a
// sealed block that the head names, so that only who opens the head learns it.
// Readers ignore fields that they do not know.
type Description struct {
	Name string // what its owner calls it
	Kind string // [KindFiles] or [KindRecords]
}

// Encode returns the description's canonical CBOR.
func (d Description) Encode() []byte {
	return canonical.MustMarshal(map[string]any{"kind": d.Kind, "name": d.Name})
}

// ParseDescription reads what Encode wrote, or a later version of it.
func ParseDescription(b []byte) (Description, error) {
	if len(b) > MaxDescription {
		return Description{}, fmt.Errorf("read a description: %d bytes", len(b))
	}
	var m map[string]any
	if err := canonical.Unmarshal(b, &m); err != nil {
		return Description{}, fmt.Errorf("read a description: %w", err)
	}
	name, _ := m["name"].(string)
	kind, _ := m["kind"].(string)
	name, err := ParseName(name)
	if err != nil {
		return Description{}, fmt.Errorf("read a description: %w", err)
	}
	return Description{Name: name, Kind: kind}, nil
}

// ParseName returns the NFC form of a data set's name.
func ParseName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", ErrBadName
	}
	name = norm.NFC.String(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > 64 {
		return "", ErrBadName
	}
	for _, r := range name {
		if r == '/' || unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
			return "", ErrBadName
		}
	}
	if unicode.IsSpace([]rune(name)[0]) || unicode.IsSpace([]rune(name)[len([]rune(name))-1]) {
		return "", ErrBadName
	}
	return name, nil
}
