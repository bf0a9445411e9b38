// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"testing"
	"time"
)

const ada, ben, cleo = 0, 1, 2

// found are histories that once told a fault of the program's, as short as they
// could be made. What a seed draws changes with the author; these stay.
var found = []struct {
	fault   string
	history []move
}{
	{"who was passed a grant on and asked counted as its grantee", []move{
		{number: 1, verb: meet, who: ada, with: cleo},
		{number: 2, verb: add, who: ada},
		{number: 3, verb: cutWire, who: cleo, with: ada},
		{number: 4, verb: give, who: ada, with: cleo, of: 2, span: 720 * time.Hour},
		{number: 5, verb: present, who: ben, of: 4, hand: "onward"},
	}},
	{"after a checkpoint it was not known any more who has a grant because they fetched", []move{
		{number: 1, verb: meet, who: ada, with: cleo},
		{number: 2, verb: add, who: ada},
		{number: 3, verb: cutWire, who: cleo, with: ada},
		{number: 4, verb: give, who: ada, with: cleo, of: 2, span: 720 * time.Hour},
		{number: 5, verb: joinWire, who: cleo, with: ada},
		{number: 6, verb: fetch, who: cleo, of: 4},
		{number: 7, verb: meet, who: ada, with: cleo},
		{number: 8, verb: kit, who: ada},
		{number: 9, verb: cutWire, who: cleo, with: ada},
		{number: 10, verb: restore, who: ada, of: 8},
		{number: 11, verb: confirm, who: ada},
	}},
	{"what was over, in the words of somebody who was no contact, was not any more after a start", []move{
		{number: 1, verb: meet, who: ada, with: cleo},
		{number: 2, verb: add, who: ada},
		{number: 3, verb: dismiss, who: cleo, with: ada},
		{number: 4, verb: give, who: ada, with: cleo, of: 2, span: 720 * time.Hour},
		{number: 5, verb: remove, who: ada, of: 2},
		{number: 6, verb: fetch, who: cleo, of: 4},
		{number: 7, verb: crash, who: cleo},
	}},
	{"two versions were signed with one number by two homes from one backup", []move{
		{number: 1, verb: meet, who: ada, with: cleo},
		{number: 2, verb: add, who: ada},
		{number: 3, verb: give, who: ada, with: cleo, of: 2, span: 720 * time.Hour},
		{number: 4, verb: backup, who: ada},
		{number: 5, verb: change, who: ada, of: 2, seed: 5},
		{number: 6, verb: putBack, who: ada, of: 4},
		{number: 7, verb: confirm, who: ada},
		{number: 8, verb: change, who: ada, of: 2, seed: 8},
		{number: 9, verb: fetch, who: cleo, of: 3},
		{number: 10, verb: putBack, who: ada, of: 4},
		{number: 11, verb: change, who: ada, of: 2, seed: 11},
	}},
}

func TestHistoriesThatFoundFaults(t *testing.T) {
	for _, f := range found {
		t.Run(strings.ReplaceAll(f.fault, " ", "-"), func(t *testing.T) {
			if err := run(t, f.history); err != nil {
				t.Errorf("%v\nin\n%s", err, script(f.history))
			}
		})
	}
}
