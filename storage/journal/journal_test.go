// SPDX-License-Identifier: Apache-2.0

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/disk/disktest"
)

var small = Options{VaultID: [16]byte{1, 2, 3}, SegmentSize: 2000}

const dir = "/v/journal"

// fact makes the n-th entry.
func fact(n int) Entry {
	rng := rand.New(rand.NewPCG(uint64(n), 9))
	body := make([]byte, rng.IntN(300))
	for i := range body {
		body[i] = byte(rng.Uint32())
	}
	return Entry{Time: int64(n), Kind: uint16(n % 7), Tag: [16]byte{byte(n)}, Public: fmt.Appendf(nil, "%d", n), Body: body}
}

func clone(e Entry) Entry {
	e.Public, e.Body = bytes.Clone(e.Public), bytes.Clone(e.Body)
	return e
}

// reopen opens and returns what was replayed.
func reopen(fsys disk.FS, opt Options) (*Journal, *Report, []Entry, error) {
	var got []Entry
	j, r, err := Open(fsys, dir, opt, func(e Entry) error {
		got = append(got, clone(e))
		return nil
	})
	return j, r, got, err
}

func open(t rapid.TB, fsys disk.FS, opt Options) (*Journal, []Entry) {
	t.Helper()
	j, _, got, err := reopen(fsys, opt)
	if err != nil {
		t.Fatal(err)
	}
	return j, got
}

func add(t rapid.TB, j *Journal, e ...Entry) uint64 {
	t.Helper()
	last, err := j.Append(context.Background(), e...)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// same compares entries but for Seq and Checkpoint.
func same(a, b []Entry) string {
	plain := func(list []Entry) []string {
		var out []string
		for _, e := range list {
			out = append(out, fmt.Sprintf("%d %d %x %s %x", e.Time, e.Kind, e.Tag, e.Public, e.Body))
		}
		return out
	}
	return cmp.Diff(plain(a), plain(b))
}

func TestRandomAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := disktest.NewDisk()
		j, _ := open(t, d, small)
		n := 0
		var all, live []Entry // all since the last drop, and what replay must give
		sealed := false       // a checkpoint began
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var batch []Entry
				for range rapid.IntRange(0, 4).Draw(t, "size") {
					batch = append(batch, fact(n))
					n++
				}
				last := add(t, j, batch...)
				all, live = append(all, batch...), append(live, batch...)
				if seq, _ := j.Head(); last != seq {
					t.Fatalf("last %d, head %d", last, seq)
				}
			},
			"checkpoint": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip("nothing to repeat")
				}
				live = live[len(live)/2:]
				seq, _ := j.Head()
				if err := j.Checkpoint(context.Background(), seq, live); err != nil {
					t.Fatal(err)
				}
				all, sealed = append(all, live...), true
			},
			"drop": func(t *rapid.T) {
				if err := j.DropBefore(0); err != nil {
					t.Fatal(err)
				}
				if first := j.Segments()[0]; sealed && !first.Checkpoint {
					t.Fatal("older segments were kept")
				}
				seq, _ := j.Head()
				all = all[uint64(len(all))-(seq-j.Segments()[0].First+1):]
			},
			"reopen": func(t *rapid.T) {
				seq, chain := j.Head()
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				opt := small
				opt.Expect = Mark{seq, chain}
				var got []Entry
				j, got = open(t, d, opt)
				if diff := same(live, got); diff != "" {
					t.Fatalf("replay: %s", diff)
				}
			},
			"read": func(t *rapid.T) {
				var got []Entry
				head, _ := j.Head()
				from := head - uint64(min(int(head), rapid.IntRange(0, 9).Draw(t, "back"), len(all)))
				err := j.Read(from+1, func(e Entry) error {
					if e.Seq != from+1+uint64(len(got)) {
						t.Fatalf("entry %d in place of %d", e.Seq, from+1+uint64(len(got)))
					}
					got = append(got, clone(e))
					return nil
				})
				if diff := same(all[uint64(len(all))-(head-from):], got); err != nil || diff != "" {
					t.Fatalf("read: %v %s", err, diff)
				}
			},
		})
	})
}

func TestAppendRefuses(t *testing.T) {
	j, _ := open(t, disktest.NewDisk(), small)
	if _, err := j.Append(t.Context(), Entry{Public: make([]byte, 1), Body: make([]byte, MaxEntry)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("entry too large: %v", err)
	}
	big := Entry{Body: make([]byte, MaxEntry)}
	if _, err := j.Append(t.Context(), big, big, big, big, big, big, big, big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("batch too large: %v", err)
	}
	add(t, j, big, big, big, big, big, big, big)
	if err := j.Checkpoint(t.Context(), 3, []Entry{fact(1)}); !errors.Is(err, ErrMoved) {
		t.Errorf("checkpoint of an older state: %v", err)
	}
	if err := j.Checkpoint(t.Context(), 7, []Entry{big, big, big, big, big, big, big, big, big, big}); err != nil {
		t.Errorf("a checkpoint of several frames: %v", err)
	}
	add(t, j, fact(1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), fact(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
}

// TestEachFailure lets each change of the disk fail in turn: nothing
// acknowledged may be missing afterwards, no batch may be there in part, none
// that was refused before one that was acknowledged, and the journal goes on.
func TestEachFailure(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.ENOSPC} {
		runs := 0
		disktest.EachFailure(cause, func() disk.FS { return disktest.NewDisk() }, func(n int, fsys *disktest.Faulty) {
			runs++
			f := failingRun(t, fsys)
			if f.refused != nil && !errors.Is(f.refused, cause) {
				t.Fatalf("%s failed, the journal said %v", fsys.Hit(), f.refused)
			}
			d := fsys.FS.(*disktest.Disk)
			for seed := range uint64(5) {
				verify(t, d.Crash(rand.New(rand.NewPCG(seed, uint64(n)))), f, fsys.Hit())
			}
			verify(t, d, f, fsys.Hit())
		})
		if runs < 50 {
			t.Errorf("only %d changes of the disk: the test is too small", runs)
		}
	}
}

// failed is what a run with a failing disk was told.
type failed struct {
	acked   Mark
	times   []int64 // of the first of each pair that was acknowledged, in order
	refused error
}

// failingRun appends pairs of entries; the first of each is even. The live
// state of its checkpoints is two more.
func failingRun(t *testing.T, fsys disk.FS) (f failed) {
	j, _, err := Open(fsys, dir, small, nil)
	if err != nil {
		f.refused = err
		return f
	}
	defer j.Close()
	told := func(err error, first int) {
		if f.refused = errors.Join(f.refused, err); err != nil {
			return
		}
		f.times = append(f.times, int64(first))
		f.acked.Seq, f.acked.Chain = j.Head()
	}
	for i := 0; i < 40; i += 2 {
		if i == 20 {
			seq, _ := j.Head()
			told(j.Checkpoint(t.Context(), seq, []Entry{fact(100), fact(101)}), 100)
			f.refused = errors.Join(f.refused, j.DropBefore(0))
		}
		_, err := j.Append(t.Context(), fact(i), fact(i+1))
		told(err, i)
	}
	if len(f.times) < 20 {
		t.Fatalf("after one failure only %d pairs were acknowledged: %v", len(f.times), f.refused)
	}
	return f
}

func verify(t *testing.T, fsys disk.FS, f failed, hint string) {
	t.Helper()
	opt := small
	opt.Expect = f.acked
	j, r, got, err := reopen(fsys, opt)
	if err != nil {
		t.Fatalf("after %q: acknowledged up to %d: %v", hint, f.acked.Seq, err)
	}
	defer j.Close()
	if r.Last%2 != 0 || len(got)%2 != 0 {
		t.Fatalf("after %q: half a batch is there: %+v", hint, r)
	}
	for i, e := range got {
		if want := got[i&^1].Time + int64(i&1); e.Time != want {
			t.Fatalf("after %q: entry %d is %d, want %d", hint, e.Seq, e.Time, want)
		}
		if i%2 == 0 && e.Seq <= f.acked.Seq && f.times != nil && !slices.Contains(f.times, e.Time) {
			t.Fatalf("after %q: %d was refused, is there as entry %d, and later ones were acknowledged", hint, e.Time, e.Seq)
		}
	}
	if last := add(t, j, fact(1), fact(2)); last != r.Last+2 {
		t.Fatalf("after %q: appended as %d after %d", hint, last, r.Last)
	}
}

func TestPowerCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for run := range 500 {
		fsys := disktest.Fail(disktest.NewDisk(), 1+rng.IntN(120), syscall.EIO)
		f := failingRun(t, fsys)
		verify(t, fsys.FS.(*disktest.Disk).Crash(rng), f, fmt.Sprintf("run %d, %s", run, fsys.Hit()))
	}
}

// TestPowerCutBetweenWriteAndSync cuts while an Append is under way: a disk
// whose sync never comes back stands for the moment.
func TestPowerCutBetweenWriteAndSync(t *testing.T) {
	d := disktest.NewDisk()
	j, _ := open(t, d, small)
	add(t, j, fact(0), fact(1))
	seq, chain := j.Head()
	frame, _ := encodeFrame(Mark{seq, chain}, []Entry{fact(2), fact(3)}, 0)
	j.file.WriteAt(frame, j.segments[0].Size)
	dropped := 0
	for seed := range uint64(300) {
		after := d.Crash(rand.New(rand.NewPCG(seed, 3)))
		_, r, _, err := reopen(after, small)
		if err != nil {
			t.Fatalf("cut %d: %v", seed, err)
		}
		if r.Dropped > 0 {
			dropped++
		}
		verify(t, after, failed{acked: Mark{seq, chain}}, fmt.Sprint("cut ", seed))
	}
	if dropped < 30 {
		t.Errorf("only %d of 300 cuts tore the frame", dropped)
	}
}

// TestKillThenPowerCut: a process is killed between write and fsync, and the
// next one replays what was written: from then on it counts.
func TestKillThenPowerCut(t *testing.T) {
	d := disktest.NewDisk()
	j, _ := open(t, d, small)
	add(t, j, fact(0), fact(1))
	seq, chain := j.Head()
	frame, _ := encodeFrame(Mark{seq, chain}, []Entry{fact(2), fact(3)}, 0)
	j.file.WriteAt(frame, j.segments[0].Size)
	j, got := open(t, d, small)
	if len(got) != 4 {
		t.Fatalf("%d entries replayed, want 4", len(got))
	}
	seq, chain = j.Head()
	for seed := range uint64(20) {
		verify(t, d.Crash(rand.New(rand.NewPCG(seed, 8))), failed{acked: Mark{seq, chain}}, "kill")
	}
}

// TestBroken: while writing fails nothing is acknowledged and reading works;
// afterwards the journal goes on by itself, without what it refused.
func TestBroken(t *testing.T) {
	for _, op := range []string{"write", "sync", "sync truncate", "folder"} {
		d := disktest.NewDisk()
		moody := &moodyDisk{FS: d}
		j, _ := open(t, moody, small)
		add(t, j, fact(0))
		full := fact(5)
		full.Body = make([]byte, 2000) // the next one begins a segment
		if op == "folder" {
			add(t, j, full)
		}
		before, _ := j.Head()
		moody.fails = op
		if _, err := j.Append(t.Context(), fact(1)); !errors.Is(err, syscall.EIO) {
			t.Errorf("the %s failed: %v", op, err)
		}
		moody.fails = "every"
		for range 2 {
			if _, err := j.Append(t.Context(), fact(2)); !errors.Is(err, ErrBroken) || !errors.Is(err, syscall.EIO) {
				t.Errorf("append afterwards: %v", err)
			}
		}
		if err := j.Checkpoint(t.Context(), 1, []Entry{fact(0)}); !errors.Is(err, ErrBroken) {
			t.Errorf("checkpoint afterwards: %v", err)
		}
		if err := j.Read(1, func(Entry) error { return nil }); err != nil {
			t.Errorf("reading afterwards: %v", err)
		}
		if seq, _ := j.Head(); seq != before {
			t.Errorf("head %d, want %d", seq, before)
		}
		moody.fails = ""
		if seq := add(t, j, fact(0)); seq != before+1 {
			t.Errorf("after the %s failed and works again: entry %d, want %d", op, seq, before+1)
		}
		want := []Entry{fact(0), fact(0)}
		if op == "folder" {
			want = []Entry{fact(0), full, fact(0)}
		}
		for seed := range uint64(10) {
			_, got := open(t, d.Crash(rand.New(rand.NewPCG(seed, 4))), small)
			if diff := same(want, got); diff != "" {
				t.Error(op, diff)
			}
		}
	}
}

// TestCheckpointInDoubt: a checkpoint that failed when all but its name was
// durable does not stand in the way of what is appended instead.
func TestCheckpointInDoubt(t *testing.T) {
	d := disktest.NewDisk()
	moody := &moodyDisk{FS: d}
	j, _ := open(t, moody, small)
	add(t, j, fact(0), fact(1))
	moody.fails = "folder"
	if err := j.Checkpoint(t.Context(), 2, []Entry{fact(100), fact(101)}); err == nil {
		t.Fatal("its name was not durable, and it was acknowledged")
	}
	moody.fails = ""
	add(t, j, fact(2), fact(3))
	f := failed{times: []int64{0, 2}}
	f.acked.Seq, f.acked.Chain = j.Head()
	for seed := range uint64(20) {
		verify(t, d.Crash(rand.New(rand.NewPCG(seed, 6))), f, fmt.Sprint("cut ", seed))
	}
}

// TestPowerCutAfterTakeBack cuts the power while a short batch is written where
// a long one was refused: what is left of the two must not pass for damage.
func TestPowerCutAfterTakeBack(t *testing.T) {
	d := disktest.NewDisk()
	moody := &moodyDisk{FS: d}
	j, _ := open(t, moody, small)
	add(t, j, fact(0), fact(1))
	f := failed{}
	f.acked.Seq, f.acked.Chain = j.Head()
	long := fact(4)
	long.Body = make([]byte, 1500)
	moody.fails = "sync"
	if _, err := j.Append(t.Context(), long, fact(5)); err == nil {
		t.Fatal("the sync failed, and it was acknowledged")
	}
	moody.spared = 1 // taking it back works, the next one does not
	if _, err := j.Append(t.Context(), fact(2), fact(3)); err == nil || errors.Is(err, ErrBroken) {
		t.Fatal(err)
	}
	for seed := range uint64(300) {
		verify(t, d.Crash(rand.New(rand.NewPCG(seed, 5))), f, fmt.Sprint("cut ", seed))
	}
}

// moodyDisk fails one kind of change, or every one, while told to.
type moodyDisk struct {
	disk.FS
	fails  string
	spared int // how often it still works
}

func (m *moodyDisk) fail(op string) error {
	switch {
	case !strings.Contains(m.fails, op) && m.fails != "every":
		return nil
	case m.spared > 0:
		m.spared--
		return nil
	}
	return fmt.Errorf("%s: %w", op, syscall.EIO)
}

func (m *moodyDisk) SyncDir(name string) error {
	return errors.Join(m.fail("folder"), m.FS.SyncDir(name))
}

func (m *moodyDisk) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := m.FS.OpenFile(name, flag, perm)
	return &moodyFile{f, m}, err
}

type moodyFile struct {
	disk.File
	disk *moodyDisk
}

func (f *moodyFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.disk.fail("write"); err != nil {
		n, _ := f.File.WriteAt(b[:len(b)/2], off)
		return n, err
	}
	return f.File.WriteAt(b, off)
}

func (f *moodyFile) Truncate(size int64) error {
	if err := f.disk.fail("truncate"); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *moodyFile) Sync() error {
	if err := f.disk.fail("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

// TestTakeBackLooks: a journal whose file has changed under it does not go on
// after a failure.
func TestTakeBackLooks(t *testing.T) {
	d := disktest.NewDisk()
	moody := &moodyDisk{FS: d}
	j, _ := open(t, moody, small)
	add(t, j, fact(0))
	moody.fails = "sync"
	j.Append(t.Context(), fact(1))
	moody.fails = ""
	disktest.Flip(t, d, segmentName(dir, 1), 8*(segmentHeader+frameHeader+40))
	if _, err := j.Append(t.Context(), fact(2)); !errors.Is(err, ErrBroken) {
		t.Errorf("appended to a damaged segment: %v", err)
	}
}

// TestTakeBackLooksForTheHead: nor when the file verifies and is another one.
func TestTakeBackLooksForTheHead(t *testing.T) {
	d, other := disktest.NewDisk(), disktest.NewDisk()
	moody := &moodyDisk{FS: d}
	j, _ := open(t, moody, small)
	add(t, j, fact(0))
	k, _ := open(t, other, small)
	e := fact(0)
	e.Time++
	add(t, k, e)
	moody.fails = "sync"
	j.Append(t.Context(), fact(1))
	moody.fails = ""
	data, err := disk.ReadFile(other, segmentName(dir, 1), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	file, err := d.OpenFile(segmentName(dir, 1), os.O_RDWR, 0)
	if err == nil {
		_, err = file.WriteAt(data, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), fact(2)); !errors.Is(err, ErrBroken) {
		t.Errorf("appended to another segment: %v", err)
	}
}

func TestReplayErrorAndReadErrorPassThrough(t *testing.T) {
	d := disktest.NewDisk()
	j, _ := open(t, d, small)
	add(t, j, fact(0))
	if err := j.Read(1, func(Entry) error { return io.EOF }); err != io.EOF {
		t.Errorf("read: %v", err)
	}
	j.Close()
	if _, _, err := Open(d, dir, small, func(Entry) error { return errUnfinished }); !errors.Is(err, errUnfinished) {
		t.Errorf("replay: %v", err)
	}
}

func TestManyGoroutines(t *testing.T) {
	d := disktest.NewDisk()
	j, _ := open(t, d, small)
	var wg sync.WaitGroup
	var mu sync.Mutex
	at := map[uint64]int64{}
	for g := range 16 {
		wg.Go(func() {
			for i := range 30 {
				e := fact(g*1000 + i)
				last, err := j.Append(t.Context(), e, e)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				at[last], at[last-1] = e.Time, e.Time
				mu.Unlock()
				if i%10 == 5 {
					if err := j.Read(last, func(Entry) error { return nil }); err != nil {
						t.Error(err)
					}
				}
				if g == 0 && i == 20 {
					seq, _ := j.Head()
					if err := j.Checkpoint(t.Context(), seq, []Entry{e}); err != nil && !errors.Is(err, ErrMoved) {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	n := 0
	err := j.Read(1, func(e Entry) error {
		if want, ok := at[e.Seq]; ok && want != e.Time {
			t.Errorf("place %d has entry %d, acknowledged %d", e.Seq, e.Time, want)
		}
		n++
		return nil
	})
	if err != nil || n < 960 {
		t.Errorf("%d entries, %v", n, err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestReadLiveOnce: what is live comes once, also while checkpoints land.
func TestReadLiveOnce(t *testing.T) {
	j, _ := open(t, disktest.NewDisk(), small)
	add(t, j, fact(0))
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for range 2000 {
			seq, _ := j.Head()
			if err := j.Checkpoint(t.Context(), seq, []Entry{fact(0)}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 4 {
		wg.Go(func() {
			for {
				n := 0
				if err := j.ReadLive(func(Entry) error { n++; return nil }); err != nil || n != 1 {
					t.Errorf("what is live was told %d times, want once: %v", n, err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	wg.Wait()
}
