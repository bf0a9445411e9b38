// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"fmt"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/crypto/canonical"
)

// A page is the canonical CBOR array [1, level, items]. Level 0 holds entries,
// a higher one holds children one level down, each named by its first key.

// A key is where an entry, or the first entry of a page, stands in the order.
type key struct {
	path  []byte
	first uint64
}

func (k key) compare(o key) int { return compareKeys(k.path, k.first, o.path, o.first) }

func (e Entry) key() key { return key{e.Path, e.First} }

type child struct {
	key key
	ref Ref
}

type page struct {
	level    int
	entries  []Entry
	children []child
}

func (p *page) firstKey() key {
	if p.level > 0 {
		return p.children[0].key
	}
	return p.entries[0].key()
}

type wireEntry struct {
	_       struct{} `cbor:",toarray"`
	Path    []byte
	First   uint64
	Kind    uint8
	Mode    uint32
	ModTime int64
	Size    uint64
	Refs    []byte
}

type wireChild struct {
	_     struct{} `cbor:",toarray"`
	Path  []byte
	First uint64
	Ref   []byte
}

type wireLeaf struct {
	_      struct{} `cbor:",toarray"`
	Format uint64
	Level  uint64
	Items  []wireEntry
}

type wireUpper struct {
	_      struct{} `cbor:",toarray"`
	Format uint64
	Level  uint64
	Items  []wireChild
}

func encodeEntry(e Entry) []byte {
	refs := make([]byte, 0, len(e.Blocks)*refSize)
	for _, r := range e.Blocks {
		refs = appendRef(refs, r)
	}
	return canonical.MustMarshal(wireEntry{Path: e.Path, First: e.First, Kind: uint8(e.Kind), Mode: e.Mode,
		ModTime: e.ModTime, Size: e.Size, Refs: refs})
}

func encodeChild(c child) []byte {
	return canonical.MustMarshal(wireChild{Path: c.key.path, First: c.key.first, Ref: appendRef(nil, c.ref)})
}

// The longest start of a page: three elements, format, level, and an array
// header for up to 65535 items.
const pageHeader = 6

func appendPageHeader(dst []byte, level, items int) []byte {
	dst = append(dst, 0x83, 0x01, byte(level))
	switch {
	case items < 24:
		return append(dst, 0x80|byte(items))
	case items < 256:
		return append(dst, 0x98, byte(items))
	}
	return append(dst, 0x99, byte(items>>8), byte(items))
}

// openPage checks a page's ciphertext against its reference, opens it and
// decodes it.
func openPage(dataset crypto.DID, ref Ref, ciphertext []byte) (*page, error) {
	if len(ciphertext) > crypto.MaxBlock || crypto.NameOf(ciphertext) != ref.Name {
		return nil, fmt.Errorf("%w: not the block that was named", ErrBadPage)
	}
	plain, err := crypto.OpenBlock(nil, dataset, ref.Key, ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPage, err)
	}
	return decodePage(plain)
}

func decodePage(plain []byte) (*page, error) {
	if len(plain) > MaxPage || len(plain) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadPage, len(plain))
	}
	if plain[0] != 0x83 || plain[1] != 0x01 || plain[2] >= MaxDepth {
		return nil, fmt.Errorf("%w: unknown format or level", ErrBadPage)
	}
	if plain[2] == 0 {
		return decodeLeaf(plain)
	}
	return decodeUpper(plain)
}

func decodeLeaf(plain []byte) (*page, error) {
	var w wireLeaf
	if err := canonical.Unmarshal(plain, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPage, err)
	}
	if w.Items == nil { // null is another encoding of nothing
		return nil, fmt.Errorf("%w: no items", ErrBadPage)
	}
	p := &page{entries: make([]Entry, len(w.Items))}
	for i, it := range w.Items {
		refs, err := parseRefs(it.Refs)
		if err != nil || it.Refs == nil {
			return nil, fmt.Errorf("%w: block references", ErrBadPage)
		}
		e := Entry{Path: it.Path, First: it.First, Kind: Kind(it.Kind), Mode: it.Mode, ModTime: it.ModTime, Size: it.Size, Blocks: refs}
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadPage, err)
		}
		if i > 0 && p.entries[i-1].key().compare(e.key()) >= 0 {
			return nil, fmt.Errorf("%w: entries out of order", ErrBadPage)
		}
		p.entries[i] = e
	}
	return p, nil
}

func decodeUpper(plain []byte) (*page, error) {
	var w wireUpper
	if err := canonical.Unmarshal(plain, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPage, err)
	}
	if len(w.Items) == 0 {
		return nil, fmt.Errorf("%w: no children", ErrBadPage)
	}
	p := &page{level: int(w.Level), children: make([]child, len(w.Items))}
	for i, it := range w.Items {
		ref, err := parseRef(it.Ref)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadPage, err)
		}
		c := child{key: key{it.Path, it.First}, ref: ref}
		if err := checkPath(c.key.path); err != nil || c.key.first%PartRefs != 0 {
			return nil, fmt.Errorf("%w: a child's key", ErrBadPage)
		}
		if i > 0 && p.children[i-1].key.compare(c.key) >= 0 {
			return nil, fmt.Errorf("%w: children out of order", ErrBadPage)
		}
		p.children[i] = c
	}
	return p, nil
}
