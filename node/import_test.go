// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/vault"
)

// statementOFX has rows of two kinds: an account, and a movement.
const statementOFX = `OFXHEADER:100
DATA:OFXSGML
VERSION:102
CHARSET:1252

<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>EUR
<BANKACCTFROM><BANKID>30002<ACCTID>0000012345<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20260101<DTEND>20260228
<STMTTRN><TRNTYPE>DEBIT<DTPOSTED>20260105<TRNAMT>-2,25<NAME>COFFEE</STMTTRN>
</BANKTRANLIST></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
`

// statementAt writes a statement below a new folder, and returns the folder.
func statementAt(t *testing.T, name string) string {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(statementOFX), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// However a file is called, its rows can be read after it was imported, and the
// long numbers of its name, which are people's, are not kept.
func TestNamesOfImportedFiles(t *testing.T) {
	for _, name := range []string{
		"caf\xe9.ofx",
		"\x1b[31m.ofx",
		strings.Repeat(strings.Repeat("d", 99)+"/", 20) + "a.ofx",
		"Jane/releve 30002 0000012345.ofx",
	} {
		p := newPerson(t, "ada", newClock())
		do(p, Import, ImportRequest{Paths: []string{statementAt(t, name)}})
		p.restart()
		r := do(p, Show, ShowRequest{Name: "bank-operations"}).Dataset.Records
		if r == nil || r.Rows != 1 {
			t.Fatalf("%q: %+v", name, r)
		}
		if kept := r.Operations[0].Files[0]; strings.ContainsAny(kept, "/") || strings.Contains(kept, "12345") {
			t.Errorf("%q is kept as %q", name, kept)
		}
		fails(p, Correct, CorrectRequest{Name: "bank-operations", Row: "r0", Values: map[string]string{"label": "x"}, Reason: strings.Repeat("y", 5000)}, "records.bad-reason")
		fails(p, Correct, CorrectRequest{Name: "bank-operations", Row: "r0", Delete: true, Reason: "\xff"}, "records.bad-reason")
		p.close()
	}
}

// A file of two kinds of which one has no place is refused whole.
func TestImportOfTwoKindsIsWhole(t *testing.T) {
	for _, taken := range []string{"bank-accounts", "bank-operations"} {
		p := newPerson(t, "ada", newClock())
		p.add(taken, tree{"f": "hi"})
		fails(p, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}}, "records.name-taken")
		for _, d := range do(p, List, None{}).Datasets {
			if d.Records != nil {
				t.Errorf("with %s taken: %+v", taken, d)
			}
		}
	}
}

// An import that is cut off is simply done again, also where it was the first
// of its kind and had made the data set.
func TestImportAfterOneThatWasCutOff(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	w, err := p.vault.Begin(context.Background(), vault.Target{Name: "bank-operations", Kind: storage.KindRecords})
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	p.restart()
	do(p, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}})
	if r := do(p, Show, ShowRequest{Name: "bank-operations"}).Dataset.Records; r == nil || r.Rows != 1 {
		t.Fatalf("%+v", r)
	}
}

// A data set of records that cannot be read keeps no other from being imported
// into, and the check tells of it.
func TestImportBesideUnreadable(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	request := vault.PutRequest{
		Target: vault.Target{Name: "spoilt", Kind: storage.KindRecords},
		Put:    []vault.Object{{Path: "schema.json", Content: []byte("{}")}, {Path: "log", Content: []byte("nothing")}},
	}
	if _, err := p.vault.Put(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	do(p, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}})
	if r := do(p, Show, ShowRequest{Name: "bank-operations"}).Dataset.Records; r == nil || r.Rows != 1 {
		t.Fatalf("%+v", r)
	}
	damages := do(p, Check, None{}).Damages
	if len(damages) != 1 || damages[0].Key != "records.unreadable" || damages[0].Args["name"] != "spoilt" {
		t.Errorf("the check tells %v", damages)
	}
}

// Imports at the same time into data sets that are not there yet: each row
// comes once.
func TestImportsAtOnce(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	folder := statementAt(t, "a.ofx")
	var all sync.WaitGroup
	failed := make([]error, 4)
	for i := range failed {
		all.Go(func() {
			_, failed[i] = p.importFiles(context.Background(), ImportRequest{Paths: []string{folder}}, func(Progress) {})
		})
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	if r := do(p, Show, ShowRequest{Name: "bank-operations"}).Dataset.Records; r == nil || r.Rows != 1 {
		t.Fatalf("%+v", r)
	}
}

// Of a file of several kinds the rows of its own kind go into the data set that
// is named, and the others where they belong.
func TestImportIntoOneOfTwo(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	csv := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(csv, []byte("Date;Libelle;Montant\n13/03/2026;Achat;-3,00\n14/03/2026;Autre;-4,00\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"joint", "mine"} {
		do(p, Import, ImportRequest{Paths: []string{csv}, Into: name, Account: name, Currency: "EUR"})
	}
	fails(p, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}}, "records.which")
	do(p, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}, Into: "joint"})
	for name, rows := range map[string]int{"joint": 3, "mine": 2, "bank-accounts": 1} {
		if r := do(p, Show, ShowRequest{Name: name}).Dataset.Records; r == nil || r.Rows != rows {
			t.Errorf("%s: %+v", name, r)
		}
	}
	fails(p, Import, ImportRequest{Paths: []string{csv}, Into: "bank-accounts", Account: "x", Currency: "EUR"}, "records.other-kind")
}

// What a bank may have numbered anew counts, and the answer tells it.
func TestImportTellsOfRenumbered(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	numbered := func(id string) []string {
		path := filepath.Join(t.TempDir(), "a.ofx")
		text := strings.Replace(statementOFX, "<NAME>COFFEE", "<FITID>"+id+"<NAME>COFFEE", 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{path}
	}
	for i, want := range []int{0, 1, 0} {
		r := do(p, Import, ImportRequest{Paths: numbered([]string{"A1", "B1", "B1"}[i])})
		for _, k := range r.Files[0].Kinds {
			if k.Kind == "bank-operations" && k.Alike != want || k.Kind != "bank-operations" && k.Alike != 0 {
				t.Errorf("import %d, %s: %d alike, want %d", i, k.Kind, k.Alike, want)
			}
		}
	}
	if r := do(p, Show, ShowRequest{Name: "bank-operations"}).Dataset.Records; r.Rows != 2 {
		t.Errorf("%d payments of 2", r.Rows)
	}
}
