// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/storage/disk/disktest"
)

// lived is a closed vault that has seen most of what there is, and how long
// its journal was after each thing.
func lived(t *testing.T, seed uint64) (b *busy, lengths []map[string]int64, kit []byte, words string) {
	t.Helper()
	b = newBusy(t, seed, false)
	words, err := b.v.Keyring().NewWords(b.opt.withDefaults().Rand)
	if err != nil {
		t.Fatal(err)
	}
	for _, do := range []func(){b.record, func() { b.revoke("first") }, func() { b.add("first") }, b.receive, func() { b.grant("first") }, func() { b.revoke("first") }, b.record} {
		do()
		lengths = append(lengths, b.sizes(logDir))
	}
	var w bytes.Buffer
	if err := b.v.SaveKit(&w, 0, Digest{}); err != nil {
		t.Fatal(err)
	}
	if err := b.v.Close(); err != nil {
		t.Fatal(err)
	}
	return b, lengths, w.Bytes(), words
}

// flippable are the kinds of files, by what their names begin with.
var flippable = map[string]string{"pack": "packs/0", "locations": "packs/l", "journal": "journal/", "keyring": "keyring.", "mark": "mark."}

// TestFlipsOfEachKind flips one bit anywhere in a file of each kind: either
// all is right, or what is wrong is said, and what Repair leaves is suspended.
func TestFlipsOfEachKind(t *testing.T) {
	seed := disktest.Seed(t)
	b, _, _, _ := lived(t, seed)
	for _, kind := range slices.Sorted(maps.Keys(flippable)) {
		rng := rand.New(rand.NewPCG(seed, 5))
		files := b.files(flippable[kind])
		outcomes := map[string]int{}
		runs := disktest.Runs(t, 40, 1000)
		for i := range runs {
			d := b.disk.Crash(rng)
			name := files[rng.IntN(len(files))]
			size := disktest.Size(t, d, name)
			bit := rng.Int64N(size * 8)
			if kind == "journal" && i%4 == 0 { // the last entry, which looks most like a torn one
				name = files[len(files)-1]
				size = disktest.Size(t, d, name)
				bit = size*8 - 1 - rng.Int64N(min(size, 600)*8)
			}
			disktest.Flip(t, d, name, bit)
			outcomes[b.flipped(t, d)]++
			if t.Failed() {
				t.Fatalf("that was bit %d of %s, TRABOULE_SEED=%d", bit, name, seed)
			}
		}
		t.Logf("seed %d: %s: %d flips: %v", seed, kind, runs, outcomes)
	}
}

// files are those of the vault whose names begin so, in order.
func (b *busy) files(prefix string) (list []string) {
	b.t.Helper()
	dir, start := filepath.Split(filepath.Join(home, prefix))
	if strings.HasSuffix(prefix, "/") {
		dir, start = filepath.Join(home, prefix), ""
	}
	entries, err := b.disk.ReadDir(dir)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range entries {
		if name := filepath.Join(dir, e.Name()); strings.HasPrefix(e.Name(), start) && disktest.Size(b.t, b.disk, name) > 0 {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		b.t.Fatalf("no file begins with %s", prefix)
	}
	return list
}

// flipped opens a vault with a flipped bit, and says what became of it.
func (b *busy) flipped(t *testing.T, d *disktest.Disk) string {
	t.Helper()
	opt, secret := b.opt, crypto.Passphrase([]byte(b.pass))
	opt.FS = d
	v, r, err := Open(home, secret, opt)
	if err != nil {
		if !stated(err) {
			t.Errorf("it does not say why it does not open: %v", err)
		}
		found, err := Repair(bg, home, secret, opt)
		if err != nil || len(found.Damages) == 0 {
			t.Fatalf("the repair says %+v, %v", found, err)
		}
		if v, r, err = Open(home, secret, opt); err != nil || r.Suspended == "" {
			t.Fatalf("after the repair: %+v, %v", r, err)
		}
		v.Close()
		return "refused, repaired, suspended"
	}
	defer v.Close()
	if r.Suspended != "" {
		return "opened, suspended"
	}
	b.checkFacts(t, v)
	told := b.missing(t, v)
	bad, err := v.Check(bg, nil)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case told > 0 && !anyLost(bad):
		t.Errorf("%d versions cannot be read, and the check finds %+v", told, bad)
	case told > 0:
		return "content refused, the check tells"
	case len(bad) > 0 || len(r.Healed) > 0:
		return "all right, and told"
	}
	return "all right"
}

// missing counts the acknowledged versions that are refused; what is given is
// right, and no generation is lost.
func (b *busy) missing(t *testing.T, v *Vault) (refused int) {
	t.Helper()
	for name, s := range b.sets {
		d, err := v.find(s.did)
		if err != nil || d.generation != s.generation {
			t.Errorf("%q is lost in silence: %v", name, err)
			continue
		}
		for seq, want := range s.versions {
			h, err := v.version(s.did, seq)
			if err != nil {
				t.Errorf("%q version %d is lost in silence: %v", name, seq, err)
				continue
			}
			got, err := exported(v, s.did, h.Head)
			if err != nil {
				refused++
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%q version %d is wrong: %s", name, seq, diff)
			}
		}
	}
	return refused
}

// TestJournalCutBack cuts the journal to each of the lengths that it had: it
// verifies, and yet is noticed to be an old one.
func TestJournalCutBack(t *testing.T) {
	b, lengths, _, _ := lived(t, disktest.Seed(t))
	for i, before := range lengths[:len(lengths)-1] {
		d := b.disk.Crash(rand.New(rand.NewPCG(1, 1)))
		for _, name := range slices.Backward(b.files("journal/")) {
			if size, there := before[name]; there {
				disktest.Cut(t, d, name, size)
			} else if err := d.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		opt := b.opt
		opt.FS = d
		v, r, err := Open(home, crypto.Passphrase([]byte(b.pass)), opt)
		if err != nil || r.Suspended != OldJournal {
			t.Errorf("cut back to thing %d of %d: %+v, %v", i, len(lengths), r, err)
			continue
		}
		v.Close()
	}
}

// TestKitFlips: a kit with a flipped bit restores nothing.
func TestKitFlips(t *testing.T) {
	seed := disktest.Seed(t)
	b, _, kit, words := lived(t, seed)
	rng := rand.New(rand.NewPCG(seed, 6))
	runs := disktest.Runs(t, 40, 1000)
	for range runs {
		opt, harmed := b.opt, bytes.Clone(kit)
		opt.FS = disktest.NewDisk()
		bit := rng.IntN(len(kit) * 8)
		harmed[bit/8] ^= 1 << (bit % 8)
		if v, err := Restore(bytes.NewReader(harmed), words, home, []byte(passphrase), opt); err == nil {
			v.Close()
			t.Fatalf("a kit with bit %d flipped was restored", bit)
		}
	}
	t.Logf("seed %d: %d flips, all refused", seed, runs)
	opt := b.opt
	opt.FS, opt.Argon = disktest.NewDisk(), crypto.Argon{MemoryKiB: 1024, Time: 1, Threads: 1}
	v, err := Restore(bytes.NewReader(kit), words, home, []byte(passphrase), opt)
	if err != nil {
		t.Fatalf("the kit as it was: %v", err)
	}
	v.Close()
}

// TestIndexFlips flips bits of the index, takes it away, or puts an older one
// in its place. The library that reads it may end the process: the second
// start works, and no answer is ever wrong.
func TestIndexFlips(t *testing.T) {
	if dir := disktest.ChildDir(); dir != "" {
		addAndCompare(t, dir)
		return
	}
	seed := disktest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 7))
	base, outcomes := t.TempDir(), map[string]int{}
	indexed(t, base)
	runs := disktest.Runs(t, 8, 1000)
	for i := range runs {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		what := harmIndex(t, rng, dir, i)
		outcomes[startAgain(t, dir, what)]++
		os.RemoveAll(dir)
		if t.Failed() {
			t.Fatalf("that was %s, TRABOULE_SEED=%d", what, seed)
		}
	}
	// An index that nobody harmed is asked, and so is one that is only old.
	if outcomes["right at start 1, 1 files read"] == 0 || outcomes["right at start 1, 2 files read"] == 0 {
		t.Errorf("the index was of no use: %v", outcomes)
	}
	t.Logf("seed %d: %d indexes flipped, taken away or put back: %v", seed, runs, outcomes)
}

// indexed makes a vault with an index, and an older copy of that.
func indexed(t *testing.T, base string) {
	t.Helper()
	src := filepath.Join(base, "src")
	for i := range 30 {
		old(t, write(t, src, fmt.Sprint(i), strings.Repeat(fmt.Sprint(i), 100)), int64(i))
	}
	k, _ := newRing(t)
	v, err := Create(filepath.Join(base, "vault"), k, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		old(t, write(t, src, "0", fmt.Sprint("version ", i)), 100+int64(i))
		<-time.After(2 * fineSteps) // what has just changed is not noted
		if _, err := v.Add(bg, "x", src, AddOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := os.CopyFS(filepath.Join(base, "older"), os.DirFS(v.path(indexDir))); err != nil {
				t.Fatal(err)
			}
		}
		v, _ = mustOpen(t, v.dir, testOptions())
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	old(t, write(t, src, "1", "changed since"), 200)
}

// old gives a file a time of long ago: one that may still be changing is read
// in any case.
func old(t *testing.T, path string, seconds int64) {
	t.Helper()
	if err := os.Chtimes(path, time.Time{}, time.Unix(1e9+seconds, 0)); err != nil {
		t.Fatal(err)
	}
}

// harmIndex does one thing to the index.
func harmIndex(t *testing.T, rng *rand.Rand, dir string, i int) string {
	t.Helper()
	index := filepath.Join(dir, "vault", indexDir)
	if i == 2 {
		return "nothing"
	}
	if i < 2 {
		if err := os.RemoveAll(index); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			return "an index taken away"
		}
		if err := os.CopyFS(index, os.DirFS(filepath.Join(dir, "older"))); err != nil {
			t.Fatal(err)
		}
		return "an older index"
	}
	var files []string
	for name, n := range tree(t, index) {
		if n.Mode.IsRegular() && len(n.Content) > 0 {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	name := filepath.Join(index, files[rng.IntN(len(files))])
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(content, "\x00")) // of a file that was made large in advance
	bit := rng.IntN(max(1, used) * 8)
	content[bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("bit %d of %s", bit, filepath.Base(name))
}

// startAgain starts a process that works in dir, and once more when it ends
// before its time.
func startAgain(t *testing.T, dir, what string) string {
	t.Helper()
	var out []byte
	for start := 1; start <= 2; start++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestIndexFlips$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), "TRABOULE_TEST_CHILD="+dir)
		out, _ = cmd.CombinedOutput()
		switch {
		case bytes.Contains(out, []byte("wrong:")):
			t.Errorf("%s: %s", what, out)
			return "wrong"
		case bytes.Contains(out, []byte("right:")):
			read := 0
			fmt.Sscanf(string(out[bytes.Index(out, []byte("right:")):]), "right: %d", &read)
			return fmt.Sprintf("right at start %d, %d files read", start, read)
		}
	}
	t.Errorf("%s: a crash loop: %s", what, out)
	return "crash loop"
}

// addAndCompare adds the source again and compares what is exported with it.
func addAndCompare(t *testing.T, dir string) {
	v, _ := mustOpen(t, filepath.Join(dir, "vault"), testOptions())
	d, err := v.Lookup("x")
	if err != nil {
		fmt.Println("wrong:", err)
		return
	}
	src, to := d.Source, filepath.Join(dir, "to") // where it always was, so that the index is asked
	r, err := v.Add(bg, "x", src, AddOptions{})
	if err == nil {
		err = v.Export(bg, r.Dataset.DID, to, ExportOptions{})
	}
	if err != nil {
		fmt.Println("wrong:", err)
		return
	}
	if err := v.Close(); err != nil {
		fmt.Println("wrong:", err)
		return
	}
	want, got := tree(t, src), tree(t, to)
	if diff := cmp.Diff(want, got); diff != "" {
		fmt.Println("wrong:", diff)
		return
	}
	fmt.Println("right:", r.Read, "files had to be read")
}
