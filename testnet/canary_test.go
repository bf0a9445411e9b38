// SPDX-License-Identifier: Apache-2.0

package testnet

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/control"
)

// canaries are what an owner writes, and nobody else may read: by what it is.
// Each is long enough that chance does not write it.
var canaries = map[string]string{
	"the name of a data set":        "Kanarie-Dataset-Vy4Qs8",
	"the name of a folder":          "kanarie-folder-Xq7Lm2",
	"the name of a file":            "kanarie-file-Rb9Tz3.csv",
	"what a file holds":             "kanarie content Wd5Hc6, account FR76 3000 6000",
	"what a large file ends with":   "kanarie tail Jk1Np8 of a large file",
	"the name of a contact":         "Kanarie Camille Uf2Ye7",
	"the name that a contact has":   "Kanarie Alice Ga6Od4",
	"a purpose":                     "https://kanarie.example/purpose/Zi3Sx5",
	"the passphrase of the giver":   "kanarie passphrase Mh8Bv1 of the giver",
	"the passphrase of the taker":   "kanarie passphrase Ce4Kw9 of the taker",
	"the folder that is added":      "kanarie-source-Pt7Fj2",
	"a file in a granted path":      "kanarie-granted-Do5Ug8.txt",
	"what a granted file holds":     "kanarie granted content El9Ra1, 42 kWh",
	"the new passphrase":            "kanarie passphrase Sy6Iv3 of the giver, a new one",
	"a contact name of the taker's": "kanarie-my-name-for-alice-Nb2",
}

// spellings are the ways in which a text may stand in a file.
func spellings(text string) map[string][]byte {
	raw := []byte(text)
	list := map[string][]byte{"raw": raw, "lower hex": []byte(hex.EncodeToString(raw)), "upper hex": []byte(strings.ToUpper(hex.EncodeToString(raw)))}
	var little, big []byte
	for _, u := range utf16.Encode([]rune(text)) {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	list["UTF-16LE"], list["UTF-16BE"] = little, big
	for shift := range 3 {
		// The first and the last characters depend on what stands around.
		padded := append(make([]byte, shift), raw...)
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			whole := encoding.EncodeToString(padded)
			from, to := (shift*8+5)/6, len(padded)*8/6
			list[fmt.Sprintf("%s, shifted by %d", name, shift)] = []byte(whole[from:to])
		}
	}
	return list
}

// find looks for canaries in bytes; it says which, and how they are spelled.
func find(data []byte) []string {
	var found []string
	for what, text := range canaries {
		for how, spelled := range spellings(text) {
			if bytes.Contains(data, spelled) {
				found = append(found, what+" as "+how)
			}
		}
	}
	return found
}

// search reads all below a folder, the names of files too.
func search(t *testing.T, root string) (found []string, size int64) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, f := range find([]byte(name)) {
			found = append(found, fmt.Sprintf("the path %q: %s", name, f))
		}
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		size += int64(len(data))
		for _, f := range find(data) {
			found = append(found, fmt.Sprintf("%s: %s", name, f))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, size
}

// logbook takes what is logged, by many goroutines.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.text.Bytes())
}

// Nothing that an owner writes is on a disk or in a log in a form that can be
// read: neither in the vaults of both nodes, after all that they do, nor where
// libraries put what is temporary, nor in what is logged at the most talkative
// level.
func TestCanaries(t *testing.T) {
	bin := build(t)      // the compiler writes where it likes
	world := t.TempDir() // where nothing of it may be
	for variable, folder := range map[string]string{"HOME": "home", "TMPDIR": "tmp", "XDG_STATE_HOME": "home/.local/state", "XDG_CACHE_HOME": "home/.cache", "XDG_CONFIG_HOME": "home/.config"} {
		if err := os.MkdirAll(filepath.Join(world, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv(variable, filepath.Join(world, folder))
	}
	s := newSecretStory(t, world)
	s.tell(t, bin)
	if found, size := search(t, world); len(found) > 0 {
		t.Errorf("in %d bytes on disk: %s", size, strings.Join(found, "; "))
	} else {
		t.Logf("%d canaries, %d spellings of each, not found in %d bytes on disk", len(canaries), len(spellings("x")), size)
	}
	logged := s.log.bytes()
	if len(logged) == 0 {
		t.Error("nothing was logged: nothing was shown of logs")
	}
	if found := find(logged); len(found) > 0 {
		t.Errorf("logged: %s\n%s", strings.Join(found, "; "), logged)
	}
	for what, text := range canaries {
		// A passphrase is never shown, and Alice's own name stands in her card
		// alone: the taker has another for her.
		if strings.Contains(what, "passphrase") || what == "the name that a contact has" {
			continue
		}
		if !strings.Contains(s.told.String(), text) {
			t.Errorf("%s never came to the owners' eyes: that it is not found shows nothing", what)
		}
	}
}

// A canary that is there is found, in every spelling, in a file, in a file's
// name, and in a log.
func TestCanariesAreFoundWherePlanted(t *testing.T) {
	for what, text := range canaries {
		for how, spelled := range spellings(text) {
			root := t.TempDir()
			data := append(append(bytes.Repeat([]byte{0x5a}, 4099), spelled...), 0x5a, 0x5a)
			if err := os.WriteFile(filepath.Join(root, "planted"), data, 0o600); err != nil {
				t.Fatal(err)
			}
			if found, _ := search(t, root); len(found) == 0 {
				t.Errorf("%s, planted as %s, is not found", what, how)
			}
		}
		for _, around := range []string{"", "x", "xy"} { // all alignments, as they come
			encoded := base64.StdEncoding.EncodeToString([]byte(around + text + "z"))
			if len(find([]byte(encoded))) == 0 {
				t.Errorf("%s, in base64 after %d bytes, is not found", what, len(around))
			}
		}
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, canaries["the name of a data set"]), 0o700); err != nil {
		t.Fatal(err)
	}
	if found, _ := search(t, root); len(found) != 1 {
		t.Errorf("planted as a folder's name: %v", found)
	}
}

// secretStory is two nodes that do all that nodes do with canaries.
type secretStory struct {
	log          *logbook
	giver, taker string // folders
	source       string
	out          string
	told         strings.Builder // what the owners see
}

func newSecretStory(t *testing.T, world string) *secretStory {
	t.Helper()
	s := &secretStory{log: &logbook{}, giver: filepath.Join(world, "giver"), taker: filepath.Join(world, "taker"), out: t.TempDir()}
	s.source = filepath.Join(s.out, canaries["the folder that is added"])
	content := strings.Repeat(canaries["what a file holds"]+"\n", 40)
	large := make([]byte, 3<<20)
	seeded(11).Read(large)
	for path, data := range map[string][]byte{
		filepath.Join(canaries["the name of a folder"], canaries["the name of a file"]): []byte(content),
		filepath.Join("given", canaries["a file in a granted path"]):                    []byte(canaries["what a granted file holds"]),
		"given/large": append(large, canaries["what a large file ends with"]...),
	} {
		path = filepath.Join(s.source, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.create(t, s.giver, "the passphrase of the giver")
	s.create(t, s.taker, "the passphrase of the taker")
	return s
}

func (s *secretStory) create(t *testing.T, dir, passphrase string) {
	t.Helper()
	_, err := node.Create(t.Context(), node.CreateOptions{Home: dir, Passphrase: []byte(canaries[passphrase]), Weak: true})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *secretStory) open(t *testing.T, dir, passphrase string) *home {
	t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	return openWith(t, node.Options{Home: dir, Secret: node.Secret{Passphrase: []byte(canaries[passphrase])}, Log: log})
}

// show keeps what an owner is shown.
func (s *secretStory) show(t *testing.T, result any) {
	t.Helper()
	shown := json.NewEncoder(&s.told)
	if err := shown.Encode(result); err != nil {
		t.Fatal(err)
	}
}

// tell is the story: add, grant, fetch, a receiver that is killed, a
// revocation of a fetch under way, and all that the owners may ask.
func (s *secretStory) tell(t *testing.T, bin string) {
	name := canaries["the name of a data set"]
	giver, taker := s.open(t, s.giver, "the passphrase of the giver"), s.open(t, s.taker, "the passphrase of the taker")
	do(t, taker, node.Card, node.CardRequest{Name: canaries["the name of a contact"]})
	link := do(t, giver, node.Card, node.CardRequest{Name: canaries["the name that a contact has"]}).Link
	do(t, taker, node.ContactAdd, node.ContactAddRequest{Link: link, Name: canaries["a contact name of the taker's"]})
	do(t, giver, node.ContactConfirm, node.NameRequest{Name: canaries["the name of a contact"]})
	s.show(t, do(t, giver, node.Add, node.AddRequest{Path: s.source, Name: name}))
	part := s.grant(t, giver, "given/")
	do(t, taker, node.Fetch, node.FetchRequest{Grant: part.ID})
	s.openAndShow(t, taker, name)
	write(t, s.source, seeded(12), map[string]int{"later": 8 << 20})
	s.show(t, do(t, giver, node.Add, node.AddRequest{Path: s.source, Name: name}))
	whole := s.grant(t, giver)
	taker.stop()

	s.killTaker(t, bin, whole.ID)
	taker = s.open(t, s.taker, "the passphrase of the taker")
	s.revokeUnderWay(t, giver, taker, whole.ID)
	again := s.grant(t, giver)
	do(t, taker, node.Fetch, node.FetchRequest{Grant: again.ID})
	s.openAndShow(t, taker, name)
	s.ask(t, giver)
	s.ask(t, taker)
	do(t, giver, node.Kit, node.KitRequest{To: filepath.Join(filepath.Dir(s.giver), "kit")})
	do(t, giver, node.Passphrase, node.PassphraseRequest{
		Current: canaries["the passphrase of the giver"], New: canaries["the new passphrase"],
	})
	do(t, taker, node.Remove, node.NameRequest{Name: name})
	taker.stop()
	giver.stop()
	s.open(t, s.giver, "the new passphrase").stop()
}

func (s *secretStory) grant(t *testing.T, giver *home, paths ...string) node.GrantLine {
	t.Helper()
	r := do(t, giver, node.Grant, node.GrantRequest{
		Name: canaries["the name of a data set"], To: canaries["the name of a contact"], Paths: paths, Purpose: canaries["a purpose"],
	})
	if !r.Delivered {
		t.Fatal("the grant did not arrive")
	}
	s.show(t, r.Grant)
	return r.Grant
}

// killTaker lets the taker fetch as a process of its own, and kills it.
func (s *secretStory) killTaker(t *testing.T, bin, id string) {
	t.Helper()
	p := startProcessAs(t, bin, s.taker, canaries["the passphrase of the taker"])
	caller, err := control.Dial(t.Context(), s.taker)
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	fetch := startFetch(t, caller, id)
	fetch.wait(t)
	p.kill(t)
	if within(t, "the fetch ends", fetch.ended) == nil {
		t.Fatal("the fetch ended before the kill")
	}
	_, _ = s.log.Write(p.stderr.Bytes())
}

func (s *secretStory) revokeUnderWay(t *testing.T, giver, taker *home, id string) {
	t.Helper()
	fetch := startFetch(t, taker, id)
	fetch.wait(t)
	if r := do(t, giver, node.Revoke, node.NameRequest{Name: id}); r.Stopped != 1 {
		t.Fatalf("%d transfers were stopped, want 1", r.Stopped)
	}
	if within(t, "the fetch ends", fetch.ended) == nil {
		t.Fatal("the fetch ended before the revocation")
	}
	if _, err := node.Fetch.Do(t.Context(), taker, node.FetchRequest{Grant: id}, nil); err == nil {
		t.Fatal("fetched under a revoked grant")
	}
}

// slowFetch is a fetch that does not end by itself for a while.
type slowFetch struct {
	under chan struct{} // closed when blocks come
	ended chan error
}

func startFetch(t *testing.T, c node.Caller, id string) *slowFetch {
	f := &slowFetch{under: make(chan struct{}), ended: make(chan error, 1)}
	begun := sync.OnceFunc(func() { close(f.under) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	go func() {
		defer cancel()
		_, err := node.Fetch.Do(ctx, c, node.FetchRequest{Grant: id, LimitRate: 2 << 20}, func(p node.Progress) {
			if p.Step == "blocks" {
				begun()
			}
		})
		f.ended <- err
	}()
	return f
}

// wait returns when blocks have come and the fetch goes on.
func (f *slowFetch) wait(t *testing.T) {
	t.Helper()
	select {
	case <-f.under:
	case err := <-f.ended:
		t.Fatalf("the fetch ended early: %v", err)
	}
}

// openAndShow opens what was received where the owner wants it.
func (s *secretStory) openAndShow(t *testing.T, c node.Caller, name string) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "opened")
	do(t, c, node.Open, node.OpenRequest{Name: name, To: to})
	tree, err := listing(to)
	if err != nil {
		t.Fatal(err)
	}
	for path, e := range tree {
		s.told.WriteString(path + "\n" + e.Content + "\n")
	}
}

// ask is all that an owner may ask.
func (s *secretStory) ask(t *testing.T, c node.Caller) {
	t.Helper()
	s.show(t, do(t, c, node.Status, node.None{}))
	s.show(t, do(t, c, node.List, node.None{}))
	s.show(t, do(t, c, node.Show, node.ShowRequest{Name: canaries["the name of a data set"]}))
	s.show(t, do(t, c, node.ContactList, node.None{}))
	s.show(t, do(t, c, node.Grants, node.None{}))
	s.show(t, do(t, c, node.Log, node.LogRequest{}))
	if damages := do(t, c, node.Check, node.None{}).Damages; len(damages) > 0 {
		t.Errorf("check finds %v", damages)
	}
}
