// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// What no log can hold is refused before it is written: a log that is not read
// back takes all rows with it.
func TestWhatNoLogCanHold(t *testing.T) {
	for what, o := range map[string]Operation{
		"a long reason":       {Kind: Edited, Reason: strings.Repeat("y", MaxReason+1)},
		"a reason of no text": {Kind: Edited, Reason: "\xff\xfe"},
		"a long name":         {Kind: Imported, Files: []string{strings.Repeat("d/", MaxReason)}},
		"a name of no text":   {Kind: Imported, Files: []string{"caf\xe9.csv"}},
		"too many names":      {Kind: Imported, Files: make([]string, maxNames+1)},
		"a kind of its own":   {Kind: "other"},
	} {
		objects := store{}
		set, err := Create(positionsSchema(t), objects)
		if err != nil {
			t.Fatal(err)
		}
		set = set.Over(objects)
		if _, err = set.change(o, 0, nil, nil, objects); !errors.Is(err, ErrNoLog) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := Open(context.Background(), objects); err != nil {
			t.Errorf("%s: the log that is left: %v", what, err)
		}
	}
	objects := store{}
	set, err := Create(positionsSchema(t), objects)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.change(Operation{Kind: Edited, Reason: strings.Repeat("é", MaxReason/2)}, 0, nil, nil, objects); err != nil {
		t.Error(err)
	}
	if _, err := Open(context.Background(), objects); err != nil {
		t.Error(err)
	}
}
