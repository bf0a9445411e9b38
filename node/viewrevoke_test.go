// SPDX-License-Identifier: Apache-2.0

package node

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/problem"
)

// endings are ways in which a grant ends, with what its grantee then hears.
var endings = map[string]struct {
	end   func(alice *person, grant string) error
	heard []string
}{
	"revoke":            {func(p *person, id string) error { return try(p, Revoke, NameRequest{Name: id}) }, []string{"refused.revoked"}},
	"remove":            {func(p *person, _ string) error { return try(p, Remove, NameRequest{Name: "positions"}) }, []string{"refused.revoked", "refused.denied"}},
	"forget who has it": {func(p *person, _ string) error { return try(p, ContactRemove, NameRequest{Name: "bob"}) }, []string{"refused.revoked", "refused.denied"}},
}

// places are a view of all positions as they are.
var places = GrantRequest{Name: "positions", To: "bob", View: QueryRequest{Columns: []string{"time", "place"}}}

// wantNothing fails if anything of a view that was never whole is at the grantee,
// or would come now.
func (p *person) wantNothing(name string, ended error, id string, heard []string) {
	p.t.Helper()
	for what, err := range map[string]error{"the fetch that was under way": ended, "the next one": try(p, Fetch, FetchRequest{Grant: id})} {
		if found := problem.Of(err); err == nil || !slices.Contains(heard, found.Key) {
			p.t.Errorf("%s: %s: %v, want one of %v", name, what, err, heard)
		}
	}
	if list := do(p, List, None{}).Datasets; len(list) != 0 {
		p.t.Errorf("the grantee lists %+v", list)
	}
}

// TestGrantEndsWhileItsViewIsCut: the end does not wait for the cut; nothing is
// handed out, nor said to have been.
func TestGrantEndsWhileItsViewIsCut(t *testing.T) {
	t.Parallel()
	for name, tt := range endings {
		alice, bob := neighbours(t)
		alice.positions(0, 1000)
		id := do(alice, Grant, places).Grant.ID
		g := must(alice.givenNamed(id))
		w, err := alice.vault.BeginView(t.Context(), g.Dataset, viewName(grantedView(g.grant), g.Audience))
		if err != nil {
			t.Fatal(err)
		}
		fetched, ended := make(chan error, 1), make(chan error, 1)
		go func() { fetched <- try(bob, Fetch, FetchRequest{Grant: id}) }()
		for deadline := time.Now().Add(patience); len(alice.passages.under(g.cid)) == 0; {
			if time.Now().After(deadline) {
				t.Fatalf("%s: nobody asks for the view", name)
			}
		}
		go func() { ended <- tt.end(alice, id) }()
		select {
		case err = <-ended:
		case <-time.After(patience):
			t.Fatalf("%s waits for a view that is being cut", name)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.Abort()
		bob.wantNothing(name, <-fetched, id, tt.heard)
		if list := alice.events("delivered.rows"); len(list) != 0 {
			t.Errorf("%s: the log tells of %+v", name, list)
		}
		if err := alice.dropViews(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		alice.sound()
		bob.sound()
	}
}

// TestGrantEndsWhileItsViewLeaves: the blocks stop; what came of a view that is
// not whole is nothing. Under another grant it comes whole.
func TestGrantEndsWhileItsViewLeaves(t *testing.T) {
	t.Parallel()
	const rows = 200_000
	for name, tt := range endings {
		alice, bob := neighbours(t)
		alice.positions(0, rows)
		id := do(alice, Grant, places).Grant.ID
		g := must(alice.givenNamed(id))
		ended := bob.fetches(id)
		if err := tt.end(alice, id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(alice.passages.under(g.cid)); n != 0 {
			t.Errorf("%s: %d passages are open", name, n)
		}
		bob.wantNothing(name, <-ended, id, tt.heard)
		alice.sound()
		bob.sound()
		if name != "revoke" {
			continue
		}
		r := do(bob, Fetch, FetchRequest{Grant: do(alice, Grant, places).Grant.ID})
		want := alice.answer(QueryRequest{Name: "positions", Columns: places.View.Columns, Format: "csv"})
		if diff := cmp.Diff(want, bob.answer(QueryRequest{Name: "positions", Format: "csv"})); diff != "" || r.Rows != rows {
			t.Errorf("%s, and given again: %+v %.500s", name, r, diff)
		}
	}
}
