// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
)

func (p *place) find(h Head, path string) (Entry, error) {
	return Find(context.Background(), h, p.get, path, 1<<40)
}

// TestFind: every entry is found, a long one whole, over a few pages; what is
// between them is not.
func TestFind(t *testing.T) {
	p := newPlace(t)
	list := manyFiles(5000)
	long := fileEntry("folder-020/file-002000.txt", (3*PartRefs+5)*crypto.BlockData, 2000)
	list[2000] = long
	h := p.build(t, list)
	for _, i := range []int{0, 1, 1999, 2000, 2001, 2500, 4998, 4999} {
		p.reads = 0
		e, err := p.find(h, string(list[i].Path))
		if diff := cmp.Diff(list[i], e, cmp.AllowUnexported(Ref{})); err != nil || diff != "" {
			t.Errorf("%d: %v %s", i, err, diff)
		}
		if p.reads > 8 {
			t.Errorf("%d: %d pages read", i, p.reads)
		}
	}
	for _, none := range []string{"", "a", "folder-020", "folder-020/file-002000.txt0", "folder-020/file-00200", "z"} {
		if e, err := p.find(h, none); !errors.Is(err, ErrNoEntry) {
			t.Errorf("%q: %+v, %v", none, e, err)
		}
	}
	if _, err := Find(context.Background(), h, p.get, string(long.Path), long.Size-1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Find(ctx, h, p.get, "a", 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := p.find(p.build(t, nil), "a"); !errors.Is(err, ErrNoEntry) {
		t.Errorf("in an empty one: %v", err)
	}
}

// TestFindRefuses: parts that do not join are no file.
func TestFindRefuses(t *testing.T) {
	p := newPlace(t)
	whole := parts([]Entry{fileEntry("a", 3*PartRefs*crypto.BlockData, 1)})
	for name, list := range map[string][]Entry{
		"the first is missing": whole[1:], "one is missing": {whole[0], whole[2]}, "the last is missing": whole[:2],
	} {
		var items []byte
		for _, e := range list {
			items = append(items, encodeEntry(e)...)
		}
		ref := p.sealPage(t, append(appendPageHeader(nil, 0, len(list)), items...))
		if e, err := p.find(Head{Dataset: p.did, Root: ref}, "a"); !errors.Is(err, ErrBadPage) {
			t.Errorf("%s: %d blocks, %v", name, len(e.Blocks), err)
		}
	}
}
