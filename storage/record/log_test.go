// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/traboule/traboule/crypto/canonical"
)

// history of every kind of operation.
func exampleLog() *history {
	h := &history{next: 10, segments: []extent{{ranges{{0, 3}, {5, 2}}, -5, 7, 3}, {ranges{{8, 2}}, 0, 0, 0}}}
	h.append(Operation{Kind: Imported, When: 7, Files: []string{"a.csv"}, Format: "ofx", New: 3, Here: 1, Rejected: 2, covers: ranges{{0, 3}, {5, 2}}})
	h.append(Operation{Kind: Edited, When: 6, Reason: "misread", Corrected: 1, covers: ranges{{8, 1}}, replaces: []pairs{{1, 8, 1}, {5, 6, 2}}})
	h.append(Operation{Kind: Deleted, When: 9, Reason: "twice", removes: ranges{{2, 1}}})
	h.append(Operation{Kind: Undid, When: 9, Undoes: 2})
	return h
}

func FuzzLog(f *testing.F) {
	_, _, head, err := exampleLog().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, tail, err := decodeLog(b)
		if err != nil || len(h.older) > 0 {
			return
		}
		if err := h.take(tail); err != nil {
			return
		}
		part, _, again, err := h.encode()
		if err != nil || part == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x is read, and written as %x: %v", b, again, err)
		}
		h.state(len(h.all), h.undone(len(h.all)))
	})
}

func FuzzLogPart(f *testing.F) {
	h := exampleLog()
	var all []entry
	for _, o := range h.all {
		all = append(all, o.entry())
	}
	f.Add(canonical.MustMarshal(logPart{logVersion, 1, all}))
	f.Fuzz(func(t *testing.T, b []byte) {
		part, err := decodePart(b, 1)
		if err != nil {
			return
		}
		h := &history{next: 1000}
		if h.take(part) == nil {
			h.state(len(h.all), h.undone(len(h.all)))
		}
	})
}

func TestLogReadsBack(t *testing.T) {
	h := exampleLog()
	_, _, head, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	again, tail, err := decodeLog(head)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.take(tail); err != nil {
		t.Fatal(err)
	}
	if _, _, b, _ := again.encode(); !bytes.Equal(b, head) || len(again.all) != 4 || again.all[1].When != 7 {
		t.Fatalf("%+v", again)
	}
	head[3] = 2 // the version
	if _, err := Open(context.Background(), store{SchemaPath: schemaOf(t, nil, Text).Document(), LogPath: head}); !errors.Is(err, ErrVersion) {
		t.Fatalf("a log of the next version: %v", err)
	}
}
