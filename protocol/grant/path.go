// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxPath is the longest path a grant or a request may name, in bytes, so that
// a prefix with its star is still a text of [MaxText] bytes.
const MaxPath = MaxText - 1

// CanonicalPath spells a path in the one way that grants, requests and policies
// use, or says why it has none. A path is a whole name ("taxes/2026.pdf"), a
// prefix that ends in a slash ("photos/"), or "", the prefix of everything.
//
// It brings the text into Unicode's normal form C and refuses the rest: a slash
// at the beginning, an empty segment, "." and "..", a percent sign, a
// backslash, a control character, anything that is not UTF-8, anything longer
// than [MaxPath]. A prefix holds no star, which a policy could not spell. What
// it returns it returns again unchanged.
func CanonicalPath(path string) (string, error) {
	if len(path) > MaxPath {
		return "", fmt.Errorf("path of %d bytes, at most %d", len(path), MaxPath)
	}
	if !utf8.ValidString(path) {
		return "", errors.New("path is not UTF-8")
	}
	path = norm.NFC.String(path)
	if len(path) > MaxPath {
		return "", fmt.Errorf("path of %d bytes, at most %d", len(path), MaxPath)
	}
	if path == "" {
		return "", nil
	}
	if err := checkRunes(path); err != nil {
		return "", err
	}
	return path, checkSegments(path)
}

func checkRunes(path string) error {
	for _, r := range path {
		if r == '%' || r == '\\' || unicode.IsControl(r) {
			return fmt.Errorf("path holds %q", r)
		}
	}
	if strings.HasSuffix(path, "/") && strings.Contains(path, "*") {
		return errors.New("a prefix may not hold a star")
	}
	return nil
}

func checkSegments(path string) error {
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		switch segment {
		case "":
			return errors.New("path has an empty segment")
		case ".", "..":
			return fmt.Errorf("path has a segment %q", segment)
		}
	}
	return nil
}

// Inside says whether a canonical path lies within one of the canonical paths
// allowed, as the policies of a grant on them would judge it. No paths allowed
// means that all are.
func Inside(path string, allowed []string) bool {
	if len(allowed) == 0 {
		return true
	}
	for _, a := range allowed {
		if a == path || isPrefix(a) && strings.HasPrefix(path, a) {
			return true
		}
	}
	return false
}

func isPrefix(path string) bool { return path == "" || strings.HasSuffix(path, "/") }
