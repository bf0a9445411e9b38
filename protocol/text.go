// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What one node may tell another of addresses and names.
const (
	MaxAddresses = 16  // in one message
	MaxAddress   = 256 // bytes of one
	MaxName      = 128 // bytes
)

// Errors of the text that travels.
var (
	ErrBadAddress = errors.New("not a list of addresses")
	ErrBadName    = errors.New("not a name")
	ErrBadText    = errors.New("not a link, or a character was changed")
)

// checkBytes is the length of the checksum at the end of a link: enough that
// no slip of a pen or camera passes; it is no signature.
const checkBytes = 8

// CheckAddresses accepts at most [MaxAddresses] addresses of at most
// [MaxAddress] bytes, printable ASCII without spaces, beginning with a slash.
// What they mean is for the network to say.
func CheckAddresses(list []string) error {
	if len(list) > MaxAddresses {
		return fmt.Errorf("%w: %d of them, at most %d", ErrBadAddress, len(list), MaxAddresses)
	}
	for i, a := range list {
		if len(a) > MaxAddress || !strings.HasPrefix(a, "/") || strings.ContainsFunc(a, notGraphicASCII) {
			return fmt.Errorf("%w: number %d", ErrBadAddress, i)
		}
	}
	return nil
}

func notGraphicASCII(r rune) bool { return r <= ' ' || r > '~' }

// CheckName accepts a name to show to people: at most [MaxName] bytes of
// UTF-8, without control characters, line breaks or marks that turn the
// reading direction, no blank at either end. It may be empty.
func CheckName(name string) error {
	if len(name) > MaxName || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
		return ErrBadName
	}
	for _, r := range name {
		if r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r) && r != ' ' || r == utf8.RuneError {
			return fmt.Errorf("%w: it holds %U", ErrBadName, r)
		}
	}
	return nil
}

// EncodeText spells data as a link: prefix, then base64url without padding of
// data and a checksum over prefix and data.
func EncodeText(prefix string, data []byte) string {
	return prefix + base64.RawURLEncoding.EncodeToString(append(bytes.Clone(data), textCheck(prefix, data)...))
}

// DecodeText reads what [EncodeText] wrote, if data has at most limit bytes.
// Every link has one spelling: a changed, added or lost character is refused.
func DecodeText(prefix, text string, limit int) ([]byte, error) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrBadText, prefix)
	}
	if len(rest) > base64.RawURLEncoding.EncodedLen(limit+checkBytes) {
		return nil, fmt.Errorf("%w: it is too long", ErrBadText)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(raw) < checkBytes || base64.RawURLEncoding.EncodedLen(len(raw)) != len(rest) {
		return nil, ErrBadText
	}
	data, check := raw[:len(raw)-checkBytes], raw[len(raw)-checkBytes:]
	if !bytes.Equal(check, textCheck(prefix, data)) {
		return nil, ErrBadText
	}
	return data, nil
}

func textCheck(prefix string, data []byte) []byte {
	sum := sha256.Sum256(append([]byte(prefix), data...))
	return sum[:checkBytes]
}
