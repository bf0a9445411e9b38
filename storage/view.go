// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

const (
	viewPrefix = "paths:"
	rowsPrefix = "rows:"
)

// ErrBadPrefix is returned for a granted path that no view can have.
var ErrBadPrefix = errors.New("not a path prefix")

// Paths is a canonical set of granted paths: prefixes that end in "/" (the
// folder and all below it) and whole names; in NFC, sorted, and none covered
// by another.
type Paths []string

// ParsePaths makes the canonical set. An empty set is refused: no paths means
// nothing, never everything.
func ParsePaths(list []string) (Paths, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: none given", ErrBadPrefix)
	}
	all := make(Paths, 0, len(list))
	for _, p := range list {
		p = norm.NFC.String(p)
		if err := checkPath([]byte(strings.TrimSuffix(p, "/"))); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadPrefix, err)
		}
		all = append(all, p)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	// A shorter prefix sorts before what it covers.
	var kept Paths
	for _, p := range all {
		if !kept.covers(p) {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

func (p Paths) covers(name string) bool {
	return slices.ContainsFunc(p, func(have string) bool {
		return strings.HasSuffix(have, "/") && strings.HasPrefix(name, have)
	})
}

// Match tells whether the set grants an entry. Names are compared in NFC; a
// name that is not text is compared as it is. "docs/" grants the folder "docs"
// and all below it; "docs" grants a file (or the bare folder) of that name.
func (p Paths) Match(e Entry) bool {
	name := norm.NFC.String(string(e.Path))
	if e.Kind == Folder && p.covers(name+"/") {
		return true
	}
	return slices.Contains(p, name) || p.covers(name)
}

// View is how a head and the keys of its pages name the view: a hash of the
// set.
func (p Paths) View() string {
	sum := sha256.Sum256([]byte(strings.Join(p, "\x00")))
	return viewPrefix + hex.EncodeToString(sum[:])
}

// RowsView names a view that has objects of its own, cut from a data set's
// records, by the canonical bytes of what it is to show. The sequences of its
// heads count these heads, not the versions they were cut from: they tell
// nothing of changes that the view does not show.
func RowsView(spec []byte) string {
	sum := sha256.Sum256(spec)
	return rowsPrefix + hex.EncodeToString(sum[:])
}

// IsRowsView tells whether [RowsView] can have made a view's name.
func IsRowsView(view string) bool { return strings.HasPrefix(view, rowsPrefix) && validView(view) }
