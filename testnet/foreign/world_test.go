// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/storage/vault"
)

var passphrase = []byte("for a test")

// create makes a node's folder and returns its words.
func create(t *testing.T, home string) string {
	t.Helper()
	made, err := node.Create(t.Context(), node.CreateOptions{Home: home, Passphrase: passphrase, Weak: true})
	must(t, err)
	return made.Words
}

// openNode opens a node that is closed at the end of the test.
func openNode(t *testing.T, home string) *node.Node {
	t.Helper()
	n, err := node.OpenHome(t.Context(), node.Options{
		Home: home, Secret: node.Secret{Passphrase: passphrase}, Listen: []string{"/ip4/127.0.0.1/tcp/0"},
	})
	must(t, err)
	return n
}

// online puts a new node on the network until the end of the test.
func online(t *testing.T) *node.Node {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	create(t, home)
	n := openNode(t, home)
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- n.Run(ctx, func(node.RunInfo) { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
		must(t, n.Close())
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return n
}

// do carries out an operation that must succeed.
func do[Q, R any](t *testing.T, o node.Operation[Q, R], n *node.Node, request Q) R {
	t.Helper()
	r, err := o.Do(t.Context(), n, request, nil)
	must(t, err)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folder fills a folder: files of more than two blocks, one that ends with a
// block, an empty one, many small ones, and odd names.
func folder(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	random := rand.NewChaCha8([32]byte{1})
	file := func(name string, size int) {
		data := make([]byte, size)
		random.Read(data)
		must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(root, name), data, 0o644))
	}
	file("large/more than two blocks", 2*crypto.BlockData+12345)
	file("large/two blocks", 2*crypto.BlockData)
	file("empty", 0)
	file("été/décomposé\u0301", 100)
	must(t, os.MkdirAll(filepath.Join(root, "empty folder"), 0o755))
	for i := range 150 {
		var size [8]byte
		random.Read(size[:])
		file(fmt.Sprintf("many/%s/%s/%03d", strings.Repeat("names that fill ", 15), strings.Repeat("more than a page ", 14), i), int(binary.BigEndian.Uint64(size[:])%5000))
	}
	return root
}

// kept is a data set in a vault that is closed, in a file, and its head open.
type kept struct {
	src   string // the folder that it mirrors
	car   string // the file
	words string
	kit   string
	made  node.CarResult
	head  vault.SignedHead
	list  []crypto.BlockName // the blocks, in the order of the file
	raw   map[crypto.BlockName][]byte
}

func keep(t *testing.T) kept {
	t.Helper()
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	k := kept{src: folder(t), car: filepath.Join(dir, "x.car"), kit: filepath.Join(dir, "kit"), words: create(t, home)}
	n := openNode(t, home)
	do(t, node.Add, n, node.AddRequest{Path: k.src, Name: "x"})
	k.made = do(t, node.Car, n, node.CarRequest{Name: "x", To: k.car})
	do(t, node.Kit, n, node.KitRequest{To: k.kit})
	must(t, n.Close())

	v, _, err := vault.Open(home, crypto.Passphrase(passphrase), vault.Options{})
	must(t, err)
	defer v.Close()
	content, err := v.Content(t.Context(), v.Datasets()[0].DID, 0)
	must(t, err)
	k.head, k.list, k.raw = content.SignedHead, content.Blocks, map[crypto.BlockName][]byte{}
	for _, name := range k.list {
		if k.raw[name], err = v.Blocks().Get(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// sameFiles compares the content of all files of two folders.
func sameFiles(t *testing.T, want, got string) (files int) {
	t.Helper()
	err := filepath.WalkDir(want, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		name, err := filepath.Rel(want, path)
		must(t, err)
		before, err := os.ReadFile(path)
		must(t, err)
		after, err := os.ReadFile(filepath.Join(got, name))
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("%q: %d bytes, %d bytes, %v", name, len(before), len(after), err)
		}
		return nil
	})
	must(t, err)
	return files
}
