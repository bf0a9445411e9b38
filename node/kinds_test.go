// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/vault"
)

// hives describes a kind of somebody's own, with rules, under a name.
func hives(name string) []byte {
	return fmt.Appendf(nil, `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:%s", "title": "Hives", "type": "object",
	"traboule": {"time": "day", "keys": [["day"]], "fr": {"title": "Ruches"}},
	"properties": {"day": {"type": "string", "format": "date", "title": "Day"},
		"weight": {"type": "number", "minimum": 0, "title": "Weight", "traboule": {"unit": "KGM", "folds": ["sum"], "fr": {"title": "Poids"}}}}, "required": ["day"]}`, name)
}

func (p *person) describes(description []byte) KindAddResult {
	p.t.Helper()
	return do(p, KindAdd, KindAddRequest{Path: "hives.json", Description: description})
}

// kindNames are the kinds of a person's own.
func (p *person) kindNames() (names []string) {
	p.t.Helper()
	for _, description := range do(p, OwnKinds, None{}).Descriptions {
		s, err := catalogue.Load(description)
		if err != nil {
			p.t.Fatal(err)
		}
		names = append(names, s.Kind)
	}
	return names
}

// weighs imports a table of hives.
func (p *person) weighs(rows ...string) ImportResult {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "garden.csv")
	if err := os.WriteFile(path, []byte("day,weight\n"+strings.Join(rows, "\n")+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return do(p, Import, ImportRequest{Paths: []string{path}, As: "hives"})
}

// TestOwnKindsAreKept: what a person describes is there after a start, a
// checkpoint, a change and a removal, and the journal does not carry along what
// no longer counts.
func TestOwnKindsAreKept(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "alice", newClock())
	if r := p.describes(hives("hives")); r.Kind != "hives" || r.Fields != 2 || r.Replaced || r.Unchanged {
		t.Errorf("%+v", r)
	}
	if r := p.describes(hives("hives")); !r.Unchanged {
		t.Errorf("the same again: %+v", r)
	}
	other := bytes.Replace(hives("hives"), []byte(`"minimum": 0`), []byte(`"minimum": 1`), 1)
	if r := p.describes(other); !r.Replaced {
		t.Errorf("another: %+v", r)
	}
	p.describes(hives("wasps"))
	p.describes(hives("ants"))
	do(p, KindRemove, NameRequest{Name: "wasps"})
	want := []string{"ants", "hives"}
	for _, when := range []string{"at once", "after a start", "after a checkpoint", "after a start from it"} {
		if diff := cmp.Diff(want, p.kindNames()); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
		if s, _ := p.book.ownKind("hives"); s == nil || !bytes.Equal(s.Document(), other) {
			t.Errorf("%s: hives are not what was said last", when)
		}
		switch when {
		case "after a start":
			p.shortens()
		default:
			p.restart()
		}
	}
	facts := 0
	if err := p.vault.LiveFacts(func(vault.Recorded) error { facts++; return nil }, factOwnKind); err != nil || facts != 2 {
		t.Errorf("%d facts count, %v", facts, err)
	}
	if !missedByKit(factOwnKind) {
		t.Error("a kit from before is not the poorer for it")
	}
}

// TestOwnKindsAreBounded: neither many nor long descriptions fill the memory and
// the kits.
func TestOwnKindsAreBounded(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "alice", newClock())
	for i := range 8 {
		p.describes(append(hives(fmt.Sprintf("long%d", i)), bytes.Repeat([]byte(" "), 250<<10)...))
	}
	p.describes(append(hives("long1"), bytes.Repeat([]byte(" "), 251<<10)...)) // in the place of one
	fails(p, KindAdd, KindAddRequest{Description: append(hives("more"), bytes.Repeat([]byte(" "), 250<<10)...)}, "kinds.too-many")
	for i := range mostKinds - 8 {
		p.describes(hives(fmt.Sprintf("kind%d", i)))
	}
	fails(p, KindAdd, KindAddRequest{Description: hives("more")}, "kinds.too-many")
	fails(p, KindAdd, KindAddRequest{Description: append(hives("more"), bytes.Repeat([]byte(" "), MaxDescription)...)}, "description.too-long")
	p.restart()
	if n := len(p.kindNames()); n != mostKinds {
		t.Errorf("%d kinds", n)
	}
}

// TestOwnKindIsShared: a grantee reads a view of such a data set with its words
// and units, and needs no description of their own.
func TestOwnKindIsShared(t *testing.T) {
	t.Parallel()
	alice, bob := neighbours(t)
	alice.describes(hives("hives"))
	r := alice.weighs("2026-01-01,41.5", "2026-01-02,-1", "2026-01-03,40")
	if f := r.Files[0]; len(f.Kinds) != 1 || f.Kinds[0].New != 2 || f.RejectedRows != 1 || f.Rejected[0].Reason.Key != "import.rule" || f.Rejected[0].Reason.Args["field"] != "weight" {
		t.Fatalf("%+v", r)
	}
	fails(alice, KindRemove, NameRequest{Name: "hives"}, "kinds.used")
	fails(alice, KindAdd, KindAddRequest{Description: append(hives("hives"), ' ')}, "kinds.used")
	fails(alice, Correct, CorrectRequest{Name: "hives", Row: "r0", Values: map[string]string{"weight": "-2"}, Reason: "slip"}, "import.rule")

	given := do(alice, Grant, GrantRequest{Name: "hives", To: "bob", View: QueryRequest{Columns: []string{"day", "weight/sum"}, By: "month"}})
	do(bob, Fetch, FetchRequest{Grant: given.Grant.ID})
	shown := do(bob, Show, ShowRequest{Name: "hives"}).Dataset.Records
	if shown == nil {
		t.Fatal("bob has no records")
	}
	var told []string
	for _, c := range shown.Fields {
		told = append(told, strings.TrimSpace(c.Name+": "+c.Title["en"]+", "+c.Title["fr"]+" "+c.Unit))
	}
	if diff := cmp.Diff([]string{"day: Day, Day", "weightSum: Weight, sum, Poids, somme KGM"}, told); diff != "" {
		t.Errorf("what bob reads: %s", diff)
	}
	if names := bob.kindNames(); len(names) != 0 {
		t.Errorf("bob describes %v", names)
	}
	bob.describes(hives("hives"))
	do(bob, KindRemove, NameRequest{Name: "hives"}) // what was received holds nothing fast
	do(alice, Remove, NameRequest{Name: "hives"})
	do(alice, KindRemove, NameRequest{Name: "hives"})
	fails(alice, Import, ImportRequest{Paths: []string{"/nowhere"}, As: "hives"}, "usage.as")
}

// TestOtherFields: rows of a description that came later do not go into a data
// set that has other fields under the same name of a kind.
func TestOtherFields(t *testing.T) {
	t.Parallel()
	p := newPerson(t, "alice", newClock())
	p.describes(hives("hives"))
	p.weighs("2026-01-01,41.5")
	later, err := catalogue.Load(bytes.Replace(hives("hives"), []byte(`"weight":`), []byte(`"mass":`), 1))
	if err != nil {
		t.Fatal(err)
	}
	p.book.ownKinds["hives"] = later // as a program that came later may have it
	path := filepath.Join(t.TempDir(), "garden.csv")
	if err := os.WriteFile(path, []byte("day,mass\n2026-01-02,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails(p, Import, ImportRequest{Paths: []string{path}, As: "hives"}, "records.other-fields")
	do(p, Import, ImportRequest{Paths: []string{path}, As: "hives", Into: "later"})
	p.sound()
}
