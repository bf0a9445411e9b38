// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// written makes a journal of n entries, each appended alone.
func written(t testing.TB, n int) (*disktest.Disk, []Entry, Mark) {
	t.Helper()
	d := disktest.NewDisk()
	j, _ := open(t, d, small)
	var all []Entry
	for i := range n {
		all = append(all, fact(i))
		add(t, j, fact(i))
	}
	seq, chain := j.Head()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return d, all, Mark{seq, chain}
}

// TestFlips flips one bit anywhere: the journal says that it is damaged. It
// never gives a wrong entry, and never drops one, not even the last.
func TestFlips(t *testing.T) {
	pristine, all, _ := written(t, 40)
	files, _ := pristine.ReadDir(dir)
	if len(files) < 3 {
		t.Fatalf("only %d segments", len(files))
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for run := range 600 {
		d := pristine.Crash(rng) // all is synced: an exact copy
		name := dir + "/" + files[run%len(files)].Name()
		bit := rng.Int64N(8 * disktest.Size(t, d, name))
		disktest.Flip(t, d, name, bit)
		what := fmt.Sprintf("run %d: bit %d of %s", run, bit, name)
		_, r, got, err := reopen(d, small)
		var damaged *DamagedError
		if !errors.As(err, &damaged) || !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s: not noticed: %v %+v", what, err, r)
		}
		if diff := same(all[:len(got)], got); diff != "" {
			t.Fatalf("%s: a wrong entry: %s", what, diff)
		}
		disktest.Flip(t, d, name, bit)
		if _, got := open(t, d, small); len(got) != len(all) {
			t.Fatalf("%s: refusing to open has changed something", what)
		}
	}
}

// TestFlipsWhileOpen: reading verifies again.
func TestFlipsWhileOpen(t *testing.T) {
	d, _, _ := written(t, 40)
	j, _ := open(t, d, small)
	rng := rand.New(rand.NewPCG(5, 4))
	for range 200 {
		seg := j.Segments()[rng.IntN(3)]
		bit := segmentHeader*8 + rng.Int64N(8*(seg.Size-segmentHeader))
		disktest.Flip(t, d, segmentName(dir, seg.Number), bit)
		if err := j.Read(1, func(Entry) error { return nil }); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d of segment %d: %v", bit, seg.Number, err)
		}
		disktest.Flip(t, d, segmentName(dir, seg.Number), bit)
	}
}

// TestTornTail cuts the last frame at every byte, short and as never-written
// space: it is dropped, and nothing else. With the mark of the whole journal
// the same is an old truth.
func TestTornTail(t *testing.T) {
	d := disktest.NewDisk()
	j, _ := open(t, d, small)
	add(t, j, fact(0))
	before := j.Segments()[0].Size
	beforeSeq, beforeChain := j.Head()
	add(t, j, fact(1), fact(2))
	seq, chain := j.Head()
	j.Close()
	const name = dir + "/00000001.log"
	whole := disktest.Read(t, d, name)
	for at := int(before); at < len(whole); at++ {
		for _, zeros := range []int{0, len(whole) - at} {
			disktest.Write(t, d, name, append(bytes.Clone(whole[:at]), make([]byte, zeros)...))
			opt := small
			opt.Expect = Mark{seq, chain}
			if _, _, _, err := reopen(d, opt); !errors.Is(err, ErrOldTruth) {
				t.Fatalf("cut at %d, %d zeros: with the mark: %v", at, zeros, err)
			}
			opt.Expect = Mark{beforeSeq, beforeChain}
			j, r, got, err := reopen(d, opt)
			if err != nil || len(got) != 1 || r.Dropped != int64(at+zeros)-before {
				t.Fatalf("cut at %d, %d zeros: %d entries, %+v, %v", at, zeros, len(got), r, err)
			}
			add(t, j, fact(7))
			j.Close()
			if _, got := open(t, d, small); same([]Entry{fact(0), fact(7)}, got) != "" {
				t.Fatalf("cut at %d, %d zeros: appended, and then %d entries", at, zeros, len(got))
			}
		}
	}
}

// TestNotATornTail: what is no unfinished last frame is not dropped.
func TestNotATornTail(t *testing.T) {
	pristine, _, _ := written(t, 30)
	last := dir + "/00000003.log"
	for name, harm := range map[string]func(b []byte) []byte{
		"a sector in the middle was lost": func(b []byte) []byte { clear(b[300:812]); return b },
		"something follows":               func(b []byte) []byte { return append(b, bytes.Repeat([]byte{7}, 200)...) },
		"a frame in the middle is gone":   func(b []byte) []byte { return slices.Delete(b, 200, 700) },
		"no header":                       func([]byte) []byte { return nil },
	} {
		d := pristine.Crash(rand.New(rand.NewPCG(1, 1)))
		disktest.Write(t, d, last, harm(disktest.Read(t, d, last)))
		if _, r, _, err := reopen(d, small); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v %+v", name, err, r)
		}
	}
	d := pristine.Crash(rand.New(rand.NewPCG(1, 1)))
	disktest.Cut(t, d, dir+"/00000002.log", disktest.Size(t, d, dir+"/00000002.log")-1)
	if _, _, _, err := reopen(d, small); !errors.Is(err, ErrDamaged) {
		t.Errorf("a short segment that is not the last: %v", err)
	}
}

func TestMissingSegments(t *testing.T) {
	pristine, _, mark := written(t, 40)
	for number := uint32(1); ; number++ {
		d := pristine.Crash(rand.New(rand.NewPCG(1, 1)))
		if d.Remove(segmentName(dir, number)) != nil {
			break
		}
		opt := small
		opt.Expect = mark
		if _, _, _, err := reopen(d, opt); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrOldTruth) {
			t.Errorf("without segment %d: %v", number, err)
		}
	}
	opt := small
	opt.Expect = mark
	if _, _, _, err := reopen(disktest.NewDisk(), opt); !errors.Is(err, ErrOldTruth) {
		t.Errorf("without any: %v", err)
	}
}

func TestOldTruth(t *testing.T) {
	d, _, mark := written(t, 5)
	backup := d.Crash(rand.New(rand.NewPCG(1, 1)))
	j, _ := open(t, d, small)
	add(t, j, fact(5))
	seq, chain := j.Head()
	j.Close()
	opt := small
	for name, expect := range map[string]Mark{
		"reaches less far": {seq, chain}, "another chain": {mark.Seq, chain}, "another chain before the end": {3, chain},
	} {
		opt.Expect, opt.AcceptOld = expect, false
		if _, _, _, err := reopen(backup, opt); !errors.Is(err, ErrOldTruth) {
			t.Errorf("%s: %v", name, err)
		}
		opt.AcceptOld = true
		_, r, got, err := reopen(backup, opt)
		if err != nil || !r.Old || len(got) != 5 {
			t.Errorf("%s, accepted: %v %+v", name, err, r)
		}
	}
	opt.Expect = mark
	if _, r, _, err := reopen(d, opt); err != nil || r.Old {
		t.Errorf("a journal that has gone on: %v %+v", err, r)
	}
	opt.VaultID = [16]byte{9}
	if _, _, _, err := reopen(d, opt); !errors.Is(err, ErrDamaged) {
		t.Errorf("another vault's journal: %v", err)
	}
}

// TestCheckpointCutShort: half of the live state is not the live state.
func TestCheckpointCutShort(t *testing.T) {
	d := disktest.NewDisk()
	j, _ := open(t, d, small)
	add(t, j, fact(0))
	big := Entry{Body: make([]byte, MaxEntry)}
	state := slices.Repeat([]Entry{big}, 9) // two frames
	if err := j.Checkpoint(t.Context(), 1, state); err != nil {
		t.Fatal(err)
	}
	if err := j.DropBefore(0); err != nil {
		t.Fatal(err)
	}
	j.Close()
	j, got := open(t, d, small)
	if len(got) != 9 || !got[0].Checkpoint || !got[8].Checkpoint || got[0].Seq != 2 {
		t.Fatalf("%d entries", len(got))
	}
	size := j.Segments()[0].Size
	j.Close()
	for _, cut := range []int64{1, MaxEntry, 2 * MaxEntry} {
		after := d.Crash(rand.New(rand.NewPCG(1, 1)))
		disktest.Cut(t, after, dir+"/00000002.log", size-cut)
		if _, r, _, err := reopen(after, small); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut by %d: %v %+v", cut, err, r)
		}
	}
}

// TestKill kills a process that appends, five times.
func TestKill(t *testing.T) {
	opt := Options{SegmentSize: 20_000}
	if child := disktest.ChildDir(); child != "" {
		j, r, err := Open(disk.OS, child, opt, nil)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var out sync.Mutex
		for g := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					e := fact(g)
					e.Time = int64(r.Last)<<32 | int64(g)<<24 | int64(i)
					last, err := j.Append(t.Context(), e)
					if err != nil {
						t.Error(err)
						return
					}
					out.Lock()
					fmt.Printf("%d\n%d\n", last, e.Time)
					out.Unlock()
				}
			})
		}
		wg.Wait()
	}
	where := t.TempDir()
	acked := map[uint64]int64{}
	for run := range 5 {
		lines := disktest.StartChild(t, "TestKill", where).Kill(t, 100+21*run)
		for i := 0; i+1 < len(lines); i += 2 {
			seq, err1 := strconv.ParseUint(lines[i], 10, 64)
			value, err2 := strconv.ParseInt(lines[i+1], 10, 64)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			acked[seq] = value
		}
		found := map[uint64]int64{}
		j, r, err := Open(disk.OS, where, opt, func(e Entry) error {
			found[e.Seq] = e.Time
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for seq, value := range acked {
			if found[seq] != value {
				t.Fatalf("run %d: acknowledged entry %d is lost", run, seq)
			}
		}
		t.Logf("run %d: %d acknowledged, %d found, %d segments, %d bytes dropped", run, len(acked), len(found), r.Segments, r.Dropped)
		j.Close()
	}
}

func FuzzSegment(f *testing.F) {
	d, _, _ := written(f, 4)
	f.Add(disktest.Read(f, d, dir+"/00000001.log"))
	f.Add([]byte(segmentMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := openSegment(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		n := uint64(0)
		for err == nil {
			err = s.frame(func(e Entry, _ [32]byte) error {
				n++
				if e.Seq != s.first+n-1 || len(e.Public)+len(e.Body) > MaxEntry {
					t.Fatalf("entry %d in place %d", e.Seq, s.first+n-1)
				}
				return nil
			})
		}
		if s.off > int64(len(b)) || s.seq != s.first+n-1 {
			t.Fatalf("ends at %d of %d, entry %d", s.off, len(b), s.seq)
		}
	})
}

// BenchmarkAppend appends from 64 goroutines, 300 bytes each, fsynced.
func BenchmarkAppend(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			j, _, err := Open(disk.OS, b.TempDir(), Options{}, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			e := Entry{Body: make([]byte, 300)}
			const each = 20
			start, n := time.Now(), 0
			for b.Loop() {
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for range each {
							add(b, j, e)
						}
					})
				}
				wg.Wait()
				n += goroutines * each
			}
			b.ReportMetric(float64(n)/time.Since(start).Seconds(), "appends/s")
		})
	}
}
