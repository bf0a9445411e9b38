// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node"
)

// unpacked is what the JavaScript libraries find in a file.
type unpacked struct {
	Version  int
	Roots    []string
	Type     string
	Files    []exported
	Sections []struct {
		CID   string
		Codec int
		Hash  string // of the bytes
		Named string // by the CID
	}
}

type exported struct {
	Name   string
	CID    string
	Size   int64
	Hash   string
	Leaves []leaf
}

type leaf struct {
	Hash string
	Size int
}

// TestJavaScriptReadsOurCAR: the IPFS libraries find in the file of a real data
// set the sealed blocks, byte for byte, under their own names.
func TestJavaScriptReadsOurCAR(t *testing.T) {
	need(t, javascript)
	k := keep(t)
	out := t.TempDir()
	got := askJS[unpacked](t, "foreign.mjs", "unpack", map[string]string{"path": k.car, "out": out})
	if diff := cmp.Diff([]string{k.made.Root}, got.Roots); diff != "" || got.Type != "directory" || got.Version != 1 {
		t.Errorf("version %d, a %s, roots: %s", got.Version, got.Type, diff)
	}
	if len(got.Files) != 2 || got.Files[0].Name != "blocks" || got.Files[1].Name != "head" {
		t.Fatalf("%+v", got.Files)
	}
	var want []leaf
	var all bytes.Buffer
	for _, name := range k.list {
		want = append(want, leaf{hex.EncodeToString(name[:]), len(k.raw[name])})
		all.Write(k.raw[name])
	}
	if diff := cmp.Diff(want, got.Files[0].Leaves); diff != "" {
		t.Errorf("the leaves are not our blocks:\n%s", diff)
	}
	exported, err := os.ReadFile(filepath.Join(out, "blocks"))
	must(t, err)
	if !bytes.Equal(exported, all.Bytes()) || got.Files[0].Size != int64(all.Len()) {
		t.Errorf("%d bytes came back, %d were stored", len(exported), all.Len())
	}
	sealed, err := os.ReadFile(filepath.Join(out, "head"))
	must(t, err)
	if bytes.Contains(sealed, k.head.Bytes[10:60]) || len(sealed) <= len(k.head.Bytes) {
		t.Error("the head lies open")
	}
	raw := 0
	for _, s := range got.Sections {
		if s.Hash != s.Named {
			t.Errorf("%s is not what it is called", s.CID)
		}
		if s.Codec == 0x55 {
			raw++
		}
	}
	if raw != len(k.list)+1 || len(k.list) != k.made.Blocks || len(k.list) < 100 {
		t.Errorf("%d raw sections for %d blocks and a head; the node said %d", raw, len(k.list), k.made.Blocks)
	}
	t.Logf("%d blocks, %d bytes, %d sections", len(k.list), all.Len(), len(got.Sections))
}

// TestGivenBackFromJavaScript: a file that the JavaScript libraries wrote of
// the same blocks, another tree in another order, gives a node that was made
// from its kit and words its content back.
func TestGivenBackFromJavaScript(t *testing.T) {
	need(t, javascript)
	k := keep(t)
	theirs := filepath.Join(t.TempDir(), "theirs.car")
	made := askJS[struct {
		Root                string
		Raw, Lost, Sections int
	}](t, "foreign.mjs", "repack", map[string]string{"from": k.car, "to": theirs})
	if made.Root == k.made.Root || made.Lost != 0 || made.Raw != len(k.list)+1 {
		t.Fatalf("%+v", made)
	}
	kit, err := os.ReadFile(k.kit)
	must(t, err)
	home := filepath.Join(t.TempDir(), "new")
	_, err = node.Restore(t.Context(), node.RestoreOptions{
		CreateOptions: node.CreateOptions{Home: home, Passphrase: passphrase, Weak: true}, Kit: kit, Words: k.words})
	must(t, err)
	n := openNode(t, home)
	defer n.Close()
	r := do(t, node.RefillFrom, n, node.RefillRequest{From: theirs})
	if r.Blocks != len(k.list) || r.Passed != 1 /* the sealed head, which is not told from others here */ || len(r.Datasets) != 1 || r.Datasets[0].Missing != 0 {
		t.Errorf("%+v", r)
	}
	to := t.TempDir()
	do(t, node.Open, n, node.OpenRequest{Name: "x", To: to})
	if files := sameFiles(t, k.src, to); files != 154 {
		t.Errorf("compared %d files", files)
	}
	if c := do(t, node.Check, n, node.None{}); len(c.Damages) != 0 {
		t.Errorf("%+v", c.Damages)
	}
}

// TestPythonOpensOurCAR: the second reader opens the whole version out of the
// file, given the opened head.
func TestPythonOpensOurCAR(t *testing.T) {
	need(t, python)
	k := keep(t)
	to := t.TempDir()
	got := askPython[struct {
		Signer, Dataset, Name                  string
		Sequence, Files, Folders, Bytes, Pages uint64
		Blocks                                 int
		Listed                                 []string
		Sealed                                 string
	}](t, "open", k.car, hex.EncodeToString(k.head.Bytes), to)
	if got.Dataset != k.made.Dataset || got.Name != "x" || got.Sequence != k.head.Sequence || got.Files != 154 || got.Folders != k.head.Counts.Folders || got.Bytes != k.head.Counts.Bytes {
		t.Errorf("%+v", got)
	}
	if got.Pages < 3 || got.Blocks != int(k.head.Counts.Blocks) {
		t.Errorf("read %d pages and %d blocks", got.Pages, got.Blocks)
	}
	var want []string
	for _, name := range k.list {
		want = append(want, hex.EncodeToString(name[:]))
	}
	if diff := cmp.Diff(want, got.Listed); diff != "" {
		t.Error(diff)
	}
	if files := sameFiles(t, k.src, to); files != 154 {
		t.Errorf("compared %d files", files)
	}
	t.Logf("%d files, %d pages, %d blocks", got.Files, got.Pages, got.Blocks)
}
