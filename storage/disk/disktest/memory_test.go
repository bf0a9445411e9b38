// SPDX-License-Identifier: Apache-2.0

package disktest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/traboule/traboule/storage/disk"
)

// outcomes does something to a new disk, cuts the power many times, and
// returns each way in which the disk was found, once.
func outcomes(t *testing.T, do func(d *Disk)) []string {
	t.Helper()
	d := NewDisk()
	do(d)
	seen := map[string]bool{}
	for seed := range uint64(300) {
		seen[listing(d.Crash(rand.New(rand.NewPCG(seed, 1))), "/")] = true
	}
	var all []string
	for s := range seen {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func listing(d *Disk, dir string) string {
	var parts []string
	list, _ := d.ReadDir(dir)
	for _, e := range list {
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			parts = append(parts, e.Name()+"{"+listing(d, name)+"}")
		} else {
			b, _ := disk.ReadFile(d, name, 1<<20)
			parts = append(parts, e.Name()+"="+strings.ReplaceAll(string(b), "\x00", "0"))
		}
	}
	return strings.Join(parts, " ")
}

func put(d *Disk, name, content string, sync bool) {
	f, _ := d.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0)
	f.Write([]byte(content))
	if sync {
		f.Sync()
	}
}

// TestWhatAPowerCutLeaves says, for each way of forgetting a sync, all that
// may be found afterwards.
func TestWhatAPowerCutLeaves(t *testing.T) {
	cases := []struct {
		name string
		do   func(d *Disk)
		want []string
	}{
		{"a file and its name synced", func(d *Disk) { put(d, "/f", "x", true); d.SyncDir("/") }, []string{"f=x"}},
		{"the name not", func(d *Disk) { put(d, "/f", "x", true) }, []string{"", "f=x"}},
		{"the content not", func(d *Disk) { put(d, "/f", "x", false); d.SyncDir("/") }, []string{"f=", "f=0", "f=x"}},
		{"a folder's names synced, not its own", func(d *Disk) {
			d.MkdirAll("/a", 0)
			put(d, "/a/f", "x", true)
			d.SyncDir("/a")
		}, []string{"", "a{f=x}"}},
		{"a folder synced, not the names in it", func(d *Disk) {
			d.MkdirAll("/a/b", 0)
			d.SyncDir("/")
		}, []string{"a{b{}}", "a{}"}},
		{"two removed, in no order", func(d *Disk) {
			put(d, "/f", "", true)
			put(d, "/g", "", true)
			d.SyncDir("/")
			d.Remove("/f")
			d.Remove("/g")
		}, []string{"", "f=", "f= g=", "g="}},
		{"renamed over, not synced", func(d *Disk) {
			put(d, "/f", "x", true)
			put(d, "/g", "y", true)
			d.SyncDir("/")
			d.Rename("/g", "/f")
		}, []string{"f=x g=y", "f=y"}},
		{"renamed before its content was synced", func(d *Disk) {
			put(d, "/g", "y", false)
			d.Rename("/g", "/f")
			d.SyncDir("/")
		}, []string{"f=", "f=0", "f=y"}},
	}
	for _, c := range cases {
		if got := outcomes(t, c.do); !slices.Equal(got, c.want) {
			t.Errorf("%s: found %q, want %q", c.name, got, c.want)
		}
	}
}

// TestRecordedImages compares the images of a recording with the run itself,
// in an order that goes back too.
func TestRecordedImages(t *testing.T) {
	d := NewDisk()
	put(d, "/before", "0", true)
	d.SyncDir("/")
	rec := d.Record()
	want := map[int]string{}
	for i, b := range []byte("123456789") {
		f, _ := d.OpenFile("/before", os.O_WRONLY|os.O_APPEND, 0)
		f.Write([]byte{b})
		f.Sync()
		if i%3 == 0 {
			d.Rename("/before", "/then")
			d.Rename("/then", "/before")
			d.SyncDir("/")
		}
		rec.Mark(i)
		want[rec.Len()] = listing(d, "/")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, back := range []bool{false, true} {
		for i := range rec.Len() + 1 {
			n := i
			if back {
				n = rec.Len() - i
			}
			after, promises := rec.Image(n, rng)
			if want[n] != "" && listing(after, "/") != want[n] {
				t.Errorf("after %d changes %q, want %q", n, listing(after, "/"), want[n])
			}
			kept := 0
			for at := range want {
				if at <= n {
					kept++
				}
			}
			if len(promises) != kept {
				t.Errorf("%d promises after %d changes, want %d", len(promises), n, kept)
			}
			put(after, "/mine", "another's", true) // an image is its own disk
		}
	}
	if got := listing(d, "/"); got != "before=0123456789" {
		t.Errorf("the disk itself has changed: %q", got)
	}
}

func TestRoom(t *testing.T) {
	d := NewDisk()
	d.SetRoom(10)
	f, _ := d.OpenFile("/f", os.O_CREATE|os.O_RDWR, 0)
	if n, err := f.Write(make([]byte, 12)); n != 10 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("12 bytes where 10 fit: %d, %v", n, err)
	}
	if n, err := f.WriteAt(make([]byte, 4), 3); n != 4 || err != nil {
		t.Errorf("over what is there: %d, %v", n, err)
	}
	f.Truncate(6)
	if free, _ := d.FreeBytes("/"); free != 4 {
		t.Errorf("%d bytes free after a cut, want 4", free)
	}
	d.Remove("/f")
	if free, _ := d.FreeBytes("/"); free != 10 {
		t.Errorf("%d bytes free after removal, want 10", free)
	}
}

func TestFailing(t *testing.T) {
	try := func(f *Faulty) (failed string) {
		for range 4 {
			file, err := f.OpenFile("/f", os.O_CREATE|os.O_RDWR, 0)
			if err != nil {
				failed += "c"
				continue
			}
			if n, err := file.Write([]byte("ab")); err != nil {
				failed += string("w0w1w2"[2*n : 2*n+2])
			}
			if file.Sync() != nil {
				failed += "s"
			}
			failed += "."
		}
		return failed
	}
	for _, c := range []struct {
		f    *Faulty
		want string
	}{
		{Fail(NewDisk(), 0, syscall.EIO), "...."},
		{Fail(NewDisk(), 5, syscall.EIO), ".w1..."},
		{Fail(NewDisk(), 6, syscall.EINTR), ".s..."},
		{Fail(NewDisk(), 2, io.ErrShortWrite), ".w1..."},
		{FailFrom(NewDisk(), 6, syscall.ENOSPC), ".s.cc"},
	} {
		if got := try(c.f); got != c.want {
			t.Errorf("%s: %s, want %s", c.f.Hit(), got, c.want)
		}
		c.f.Mend()
		if got := try(c.f); got != "...." {
			t.Errorf("%s: mended, and yet %s", c.f.Hit(), got)
		}
	}
}

// TestTornWrites: a write that was not synced is found whole, short, with
// zeros at its end, or not at all; what was durable around it is untouched.
func TestTornWrites(t *testing.T) {
	d := NewDisk()
	put(d, "/f", strings.Repeat("a", 3*page), true)
	d.SyncDir("/")
	f, _ := d.OpenFile("/f", os.O_RDWR, 0)
	f.WriteAt(bytes.Repeat([]byte("b"), page), page)
	for seed := range uint64(200) {
		b := Read(t, d.Crash(rand.New(rand.NewPCG(seed, 1))), "/f")
		middle := bytes.Trim(b[page:2*page], "a\x00")
		if len(b) != 3*page || strings.Trim(string(b[:page])+string(b[2*page:]), "a") != "" || bytes.Trim(middle, "b") != nil && len(bytes.Trim(middle, "b")) != 0 {
			t.Fatalf("seed %d: found %q", seed, b)
		}
	}
}
