// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk"
)

const tableFile = "locations"

// Report says what [Open] found.
type Report struct {
	Blocks  int
	Packs   int
	Scanned int64    // bytes of packs that the saved locations did not cover
	Torn    int64    // unfinished bytes that were cut from the end of the last pack
	Damage  []Damage // places that cannot be served
}

// Open opens the store in dir, the folder of the packs, and makes the folder
// when it is new. One process at a time may have it open: the caller sees to
// that (disk.FS's Lock).
//
// What the saved locations cover is taken from there; the rest is scanned. An
// unfinished end of the last pack was never acknowledged: it is cut off and
// counted in the report. Damage does not keep the store from opening: it is
// reported and not served; what an earlier process found damaged is read again.
func Open(fsys disk.FS, dir string, opt Options) (*Store, *Report, error) {
	opt = opt.withDefaults()
	s := &Store{
		fs: fsys, dir: dir, opt: opt,
		handles: &handles{fs: fsys, dir: dir, max: opt.MaxHandles, files: map[uint32]*handle{}},
		at:      map[crypto.BlockName]place{},
		bad:     map[crypto.BlockName]Damage{},
		graves:  map[crypto.BlockName]grave{},
		packs:   map[uint32]int64{},
		hashed:  hashed{},
	}
	s.turn.L = &s.mu
	o := &opening{Store: s, report: &Report{}}
	if err := o.run(); err != nil {
		s.handles.close()
		if s.file != nil {
			s.file.Close()
		}
		return nil, nil, fmt.Errorf("open blocks in %s: %w", dir, err)
	}
	s.recall()
	s.revive()
	if s.hurt = len(o.report.Damage) > 0; s.hurt {
		s.saveDoubts() // a scan that does not hash must not believe them later
	}
	o.report.Blocks, o.report.Packs = len(s.at), len(s.packs)
	return s, o.report, nil
}

// opening is a store on its way; nobody else knows it yet.
type opening struct {
	*Store
	report  *Report
	covered map[uint32]int64 // how much of each pack the saved locations cover
	whole   bool             // there was no sign yet that the last pack has lost something
}

func (o *opening) run() error {
	if err := disk.UseDir(o.fs, o.dir, 0o700); err != nil {
		return err
	}
	if err := o.list(); err != nil {
		return err
	}
	o.whole = true
	o.loadTable()
	for _, number := range slices.Sorted(maps.Keys(o.packs)) {
		if o.retired.has(number) {
			continue
		}
		if err := o.scan(number, number == o.last); err != nil {
			return err
		}
	}
	o.settle()
	return nil
}

// list finds the packs and their sizes, and clears away what an interrupted
// disk.WriteFileAtomic left.
func (o *opening) list() error {
	files, err := o.fs.ReadDir(o.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".new") {
			if err := o.fs.Remove(filepath.Join(o.dir, f.Name())); err != nil {
				return err
			}
		}
		number, ok := packNumber(f.Name())
		if !ok {
			continue
		}
		st, err := o.fs.Stat(packName(o.dir, number))
		if err != nil {
			return err
		}
		o.packs[number] = st.Size()
		o.last = max(o.last, number)
	}
	return nil
}

// loadTable takes over the saved locations, as far as the packs bear them out.
// A missing or damaged table only costs a scan.
func (o *opening) loadTable() {
	b, err := disk.ReadFile(o.fs, filepath.Join(o.dir, tableFile), tableLimit)
	if err != nil {
		return
	}
	t, err := decodeTable(b)
	if err != nil {
		return
	}
	o.covered, o.retired, o.graves = t.packs, t.retired, t.graves
	for number := range o.covered {
		o.last = max(o.last, number)
	}
	for number, size := range t.packs {
		if have, ok := o.packs[number]; ok && have < size {
			o.damage(Damage{Pack: number, Offset: have, Why: fmt.Sprintf("the pack has lost its last %d bytes", size-have)})
			o.whole = o.whole && number != o.last
		}
	}
	for name, p := range t.at {
		if have, ok := o.packs[p.pack]; !ok || p.end() > have {
			o.bad[name] = Damage{Pack: p.pack, Offset: int64(p.off), Name: name, Why: "this part of the pack is missing"}
		} else {
			o.at[name] = p
		}
	}
}

// settle draws the conclusions when all entries are known.
func (o *opening) settle() {
	for name, p := range o.at {
		if o.retired.has(p.pack) {
			delete(o.at, name)
		}
	}
	for name, d := range o.bad {
		if o.retired.has(d.Pack) { // what older locations knew was copied or deleted
			delete(o.bad, name)
		}
	}
	o.removeRetired()
	o.missing()
	for name, g := range o.graves {
		if o.absent != 0 && o.absent < g.by { // it may hold what the deletion speaks of, and come back
			o.bury(name, o.absent)
		}
	}
	o.tidyGraves()
}

// removeRetired does what a crash kept a compaction from doing. The entries
// that retire are durable: scan has seen to that.
func (o *opening) removeRetired() {
	for number := range o.packs {
		if o.retired.has(number) {
			delete(o.packs, number)
			o.fs.Remove(packName(o.dir, number)) // what stays is tried again next time
		}
	}
}

// missing reports the packs that must have been there.
func (o *opening) missing() {
	known := slices.Clone(o.retired)
	for number := range o.packs {
		known = append(known, span{from: number, to: number})
	}
	slices.SortFunc(known, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	next := uint32(1)
	for _, n := range append(known, span{from: o.last + 1}) {
		if next < n.from {
			o.damage(Damage{Pack: next, Why: missingWhy(n.from - next)})
			o.absent = cmp.Or(o.absent, next)
		}
		next = n.to + 1
	}
}

func missingWhy(packs uint32) string {
	if packs == 1 {
		return "the pack file is missing"
	}
	return fmt.Sprintf("%d pack files from here on are missing", packs)
}

func (o *opening) damage(d Damage) {
	o.report.Damage = append(o.report.Damage, d)
	if d.Name == (crypto.BlockName{}) {
		return
	}
	if p, served := o.at[d.Name]; served {
		if p.pack != d.Pack {
			o.bury(d.Name, d.Pack)
		}
		return
	}
	if old, twice := o.bad[d.Name]; twice && old.Pack != d.Pack {
		o.bury(d.Name, old.Pack)
	}
	o.bad[d.Name] = d
	if g, dead := o.graves[d.Name]; dead {
		g.by = 0 // the last that was heard of it is a block
		o.graves[d.Name] = g
	}
}

// scan reads what the table does not cover of one pack. Of the last pack the
// blocks are hashed too, since it may not have been synced.
func (o *opening) scan(number uint32, last bool) error {
	size, from := o.packs[number], min(o.covered[number], o.packs[number])
	if from == size && from > 0 && !last {
		return nil
	}
	f, err := o.fs.OpenFile(packName(o.dir, number), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	sc := &scanner{r: f, number: number, size: size, verify: last, damage: o.damage}
	sc.good = func(e entry) { o.learn(number, e) }
	end, err := sc.scan(from)
	o.report.Scanned += size - from
	switch {
	case err != nil:
	case last && o.whole && sc.headed && sc.torn(end):
		err = o.adopt(f, sc.sync, end, size)
	case end < size:
		o.damage(Damage{Pack: number, Offset: end, Why: fmt.Sprintf("no entry in %d bytes", size-end)})
	}
	if err == nil && last && o.report.Scanned > 0 {
		err = f.Sync() // before anybody relies on what was found here, or on the end
	}
	if o.file != f {
		f.Close()
	}
	return err
}

// adopt makes the last pack the one to append to: its torn end is cut off.
func (o *opening) adopt(f disk.File, sync syncWord, end, size int64) error {
	o.file, o.sync = f, sync
	if end < size {
		o.report.Torn = size - end
		if err := f.Truncate(end); err != nil {
			return fmt.Errorf("cut the torn end of %s: %w", f.Name(), err)
		}
	}
	o.packs[o.last], o.durable = end, end
	o.tabled = int(min(o.report.Scanned, 1))
	return nil
}
