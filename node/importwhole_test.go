// SPDX-License-Identifier: Apache-2.0

package node

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// filesAt writes files below a new folder, in the order in which they are read.
func filesAt(t *testing.T, content ...string) string {
	t.Helper()
	folder := t.TempDir()
	for i, c := range content {
		if err := os.WriteFile(filepath.Join(folder, strconv.Itoa(i)), []byte(c), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// anotherOFX is the statement of another movement of the same account.
var anotherOFX = strings.NewReplacer("COFFEE", "TEA", "-2,25", "-3,10").Replace(statementOFX)

// rowsOf counts the rows of each data set; one without a version is told.
func rowsOf(n *Node, t *testing.T) map[string]int {
	t.Helper()
	rows := map[string]int{}
	for _, d := range n.vault.Datasets() {
		set, err := n.records(t.Context(), d)
		if err != nil {
			t.Fatalf("%s, of %d versions: %v", d.Name, len(d.Versions), err)
		}
		rows[d.Name] = set.Len()
	}
	return rows
}

// A file that is refused after rows of it were read leaves nothing behind, and
// its kind's name is free for anything.
func TestRefusedImportLeavesNothing(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	cut := `{"locations": [{"latitudeE7": 457578137, "longitudeE7": 48320114, "accuracy": 5, "timestamp": "2026-01-01T10:00:00Z"}, {"latitu`
	r := do(p, Import, ImportRequest{Paths: []string{filesAt(t, cut)}})
	if len(r.Files) != 1 || r.Files[0].Refused == nil {
		t.Fatalf("%+v", r)
	}
	fails(p, Import, ImportRequest{Paths: []string{filesAt(t, statementOFX)}, Into: "mine"}, "records.two-kinds")
	if all := do(p, List, None{}).Datasets; len(all) != 0 {
		t.Errorf("%+v", all)
	}
	p.restart()
	p.add("positions", tree{"f": "hi"})
	p.add("mine", tree{"f": "hi"})
}

// Whatever change of the disk fails, each file is taken in whole or not at all,
// those that were are told, and the same import again finishes it.
func TestEachFailureOfAnImport(t *testing.T) {
	folder := filesAt(t, statementOFX, anotherOFX)
	whole := map[string]int{"bank-accounts": 1, "bank-operations": 2}
	seed := disktest.Seed(t)
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		told := 0
		one := func(n int) (changes int) {
			files := disktest.Fail(disktest.NewDisk(), 0, cause)
			p := newPersonOn(t, "ada", newClock(), files)
			defer p.close()
			p.leave()
			files.Arm(n)
			r, err := Import.Do(t.Context(), p.Node, ImportRequest{Paths: []string{folder}}, nil)
			changes = files.Changes()
			hit := files.Hit()
			files.Mend()
			if (err != nil || r.Stopped != nil) != (hit != "") {
				t.Fatalf("%v at change %d, %s: %+v, %v", cause, n, hit, r.Stopped, err)
			}
			if r.Stopped != nil {
				told++
				if want := problem.DiskFull; cause == syscall.ENOSPC && r.Stopped.Kind != want || len(r.Files) != 1 {
					t.Errorf("%v at change %d, %s: %+v", cause, n, hit, r)
				}
			}
			_ = p.Node.Close() // it may say that an earlier write failed
			p.open()
			rows := rowsOf(p.Node, t)
			if rows["bank-accounts"] > 1 || min(rows["bank-operations"], 1) != rows["bank-accounts"] || rows["bank-operations"] < len(r.Files) {
				t.Fatalf("%v at change %d, %s: %v are there, %d files were told", cause, n, hit, rows, len(r.Files))
			}
			do(p, Import, ImportRequest{Paths: []string{folder}})
			if rows := rowsOf(p.Node, t); rows["bank-accounts"] != 1 || rows["bank-operations"] != whole["bank-operations"] {
				t.Fatalf("%v at change %d, %s: and then %v", cause, n, hit, rows)
			}
			return changes
		}
		all := one(math.MaxInt)
		stride := max(1, all/disktest.Runs(t, 12, all))
		for n := 1 + int(seed%uint64(stride)); n <= all; n += stride {
			one(n)
		}
		if told == 0 {
			t.Errorf("%v: nothing was ever told of what had been taken in", cause)
		}
	}
}

// Whenever the power is cut or the process killed, a file's rows of all kinds
// are there or none, and no data set that is empty.
func TestImportAndPowerCuts(t *testing.T) {
	d, c := disktest.NewDisk(), newClock()
	p := newPersonOn(t, "ada", c, d)
	rec := d.Record()
	rec.Mark(0)
	for i, file := range []string{statementOFX, anotherOFX} {
		do(p, Import, ImportRequest{Paths: []string{filesAt(t, file)}})
		rec.Mark(i + 1)
	}
	p.close()
	disktest.Images(t, rec, disktest.Runs(t, 30, 500), disktest.Seed(t), func(_ int, after *disktest.Disk, promises []any) {
		n, err := OpenHome(t.Context(), Options{Home: p.home, Secret: p.secret(), Now: c.now, Files: after})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		rows := rowsOf(n, t)
		if rows["bank-operations"] < promises[len(promises)-1].(int) || min(rows["bank-operations"], 1) != rows["bank-accounts"] {
			t.Errorf("%v of %v", rows, promises)
		}
	})
}

// What was done is taken back one after the other, the last first, until
// nothing is left; a row that was corrected by hand is the person's, and stays
// when its import is taken back.
func TestUndoUntilNothingIsLeft(t *testing.T) {
	p := newPerson(t, "ada", newClock())
	const name = "bank-operations"
	do(p, Import, ImportRequest{Paths: []string{filesAt(t, statementOFX)}})
	do(p, Import, ImportRequest{Paths: []string{filesAt(t, anotherOFX)}})
	do(p, Correct, CorrectRequest{Name: name, Row: "r0", Values: map[string]string{"label": "CAFE"}, Reason: "misread"})
	undo := func(number, rows int) {
		t.Helper()
		if r := do(p, Undo, UndoRequest{Name: name, Number: number}); r.Rows != rows {
			t.Errorf("undo %d: %d rows, want %d", number, r.Rows, rows)
		}
	}
	undo(1, 2)
	fails(p, Undo, UndoRequest{Name: name, Number: 1}, "records.undone")
	undo(0, 1) // the correction, and with it all of the first import
	undo(0, 0)
	for range 2 {
		fails(p, Undo, UndoRequest{Name: name}, "records.nothing-to-undo")
	}
	fails(p, Undo, UndoRequest{Name: name, Number: 4}, "records.not-undone")
	fails(p, Undo, UndoRequest{Name: name, Number: 99}, "records.no-operation")
	r := do(p, Import, ImportRequest{Paths: []string{filesAt(t, statementOFX, anotherOFX)}})
	if k := r.Files[0].Kinds[1]; k.New != 1 || k.Into != name {
		t.Errorf("again after all was taken back: %+v", r.Files[0])
	}
	if rows := rowsOf(p.Node, t); rows[name] != 2 {
		t.Errorf("%v", rows)
	}
}
