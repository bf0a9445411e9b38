// SPDX-License-Identifier: Apache-2.0

package blocks

import (
	"fmt"
	"os"
	"path/filepath"
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
	s.hurt = len(o.report.Damage) > 0
	s.recall()
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
	if err := disk.MakeDir(o.fs, o.dir, 0o700); err != nil {
		return err
	}
	if err := o.list(); err != nil {
		return err
	}
	o.whole = true
	o.loadTable()
	numbers := o.missing()
	for _, number := range numbers {
		if err := o.scan(number, number == o.last); err != nil {
			return err
		}
	}
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
	o.covered = t.packs
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

// missing reports packs that must have been there, and returns those that are
// there, in order.
func (o *opening) missing() []uint32 {
	for number := range o.covered {
		o.last = max(o.last, number)
	}
	var numbers []uint32
	for number := uint32(1); number <= o.last; number++ {
		if _, ok := o.packs[number]; ok {
			numbers = append(numbers, number)
		} else {
			o.damage(Damage{Pack: number, Why: "the pack file is missing"})
		}
	}
	return numbers
}

func (o *opening) damage(d Damage) {
	o.report.Damage = append(o.report.Damage, d)
	if _, served := o.at[d.Name]; !served && d.Name != (crypto.BlockName{}) {
		o.bad[d.Name] = d
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
		return o.adopt(f, sc.sync, end, size)
	case end < size:
		o.damage(Damage{Pack: number, Offset: end, Why: fmt.Sprintf("no entry in %d bytes", size-end)})
	}
	f.Close()
	return err
}

// adopt makes the last pack the one to append to: its torn end is cut off, and
// what was found is made durable before a Put relies on it.
func (o *opening) adopt(f disk.File, sync syncWord, end, size int64) error {
	o.file, o.sync = f, sync
	if end < size {
		o.report.Torn = size - end
		if err := f.Truncate(end); err != nil {
			return fmt.Errorf("cut the torn end of %s: %w", f.Name(), err)
		}
	}
	if o.report.Scanned > 0 {
		if err := f.Sync(); err != nil {
			return err
		}
	}
	o.packs[o.last], o.durable = end, end
	o.tabled = int(min(o.report.Scanned, 1))
	return nil
}
