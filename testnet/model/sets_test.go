// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node"
)

// content is a tree that a move's seed draws; now and then one with a file of
// some size.
func content(seed uint64, large bool) tree {
	rng := rand.New(rand.NewPCG(seed, 1))
	t := tree{}
	for _, path := range []string{"a/x", "a/y", "b/x", "top"} {
		if rng.IntN(3) > 0 {
			t[path] = text(rng, 10+rng.IntN(2000))
		}
	}
	if large || len(t) == 0 {
		t["a/x"] = text(rng, 600_000)
	}
	return t
}

func text(rng *rand.Rand, size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

func setName(number int) string { return fmt.Sprintf("set %d", number) }

func (c *city) add(m move) error {
	if !c.truth.up[m.who] {
		return nil
	}
	c.truth.owners[m.number] = m.who
	return c.store(m.who, m.number, content(m.seed, false))
}

func (c *city) change(m move) error {
	before, here := c.truth.books[m.who].sets[m.of]
	if !c.truth.up[m.who] || !here || c.truth.owners[m.of] != m.who {
		return nil
	}
	next := content(m.seed, m.large)
	if maps.Equal(before.tree, next) {
		return nil
	}
	return c.store(m.who, m.of, next)
}

// store makes the next version of a data set.
func (c *city) store(who, set int, t tree) error {
	h, book := c.homes[who], &c.truth.books[who]
	from := filepath.Join(c.t.TempDir(), "source")
	for path, content := range t {
		whole := filepath.Join(from, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(whole), 0o755), os.WriteFile(whole, []byte(content), 0o644)); err != nil {
			return err
		}
	}
	r, err := call(h, node.Add, node.AddRequest{Path: from, Name: setName(set), Replace: true})
	if err != nil {
		return err
	}
	before, here := book.sets[set]
	next := version{life: book.life, number: before.number + 1, raised: before.raised, tree: t}
	if !here {
		book.links[set] = h.now()
	}
	book.sets[set] = next
	c.dids[set] = crypto.DID(r.Dataset)
	if r.Version != uint64(next.number) || r.Unchanged {
		return fmt.Errorf("version %d was made (unchanged: %v), the truth says %d", r.Version, r.Unchanged, next.number)
	}
	return nil
}

func (c *city) remove(m move) error {
	book := &c.truth.books[m.who]
	owner, made := c.truth.owners[m.of]
	if !made || !c.truth.up[m.who] {
		return nil
	}
	_, _, held := book.opens(m.of)
	if _, own := book.sets[m.of]; !own && !held {
		return nil
	}
	var live []int
	if owner == m.who {
		live = c.live(m.who, func(g granted) bool { return g.set == m.of })
	}
	r, err := call(c.homes[m.who], node.Remove, node.NameRequest{Name: string(c.dids[m.of])})
	if err != nil {
		return err
	}
	for _, number := range live {
		c.truth.end(number)
	}
	if r.Revoked != len(live) {
		return fmt.Errorf("removing ended %d grants, the truth says %d", r.Revoked, len(live))
	}
	c.truth.removes(m.who, m.of)
	return nil
}

// reads compares the plaintext of a received data set with the truth.
func (c *city) reads(who, set int) error {
	v, view, ok := c.truth.books[who].opens(set)
	if !ok {
		return nil
	}
	to := filepath.Join(c.t.TempDir(), "opened")
	if _, err := call(c.homes[who], node.Open, node.OpenRequest{Name: string(c.dids[set]), To: to}); err != nil {
		return err
	}
	return c.sameTree(to, v, view)
}

func (c *city) sameTree(dir string, want version, view string) error {
	got := tree{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		got[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !maps.Equal(got, want.tree) {
		return fmt.Errorf("what is opened holds %s, the truth says %s (view %q of version %d of life %d)",
			sizes(got), sizes(want.tree), view, want.number, want.life)
	}
	return nil
}

func sizes(t tree) string {
	var list []string
	for path, content := range t {
		list = append(list, fmt.Sprintf("%s (%d bytes)", path, len(content)))
	}
	return "[" + strings.Join(list, ", ") + "]"
}
