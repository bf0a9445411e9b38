// SPDX-License-Identifier: Apache-2.0

package vault

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/traboule/traboule/crypto"
)

// A vault under random operations holds what a plain map of trees holds.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		opt := testOptions()
		opt.Keep = 3
		v := newVault(t, opt)
		defer func() { v.Close() }()
		src := t.TempDir()
		var did crypto.DID
		var versions []map[string]node
		generation := uint64(0)
		names := []string{"a", "b", "dir/c", "dir/d", "dir/deep/e", "z"}
		clock := int64(1e9)
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				name := rapid.SampledFrom(names).Draw(rt, "name")
				size := rapid.SampledFrom([]int{0, 1, 1000, crypto.BlockData, crypto.BlockData + 1}).Draw(rt, "size")
				letter := rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "letter")
				path := write(t, src, name, strings.Repeat(letter, size))
				clock++
				os.Chtimes(path, time.Time{}, time.Unix(clock, clock%1000))
			},
			"remove": func(rt *rapid.T) {
				os.RemoveAll(filepath.Join(src, rapid.SampledFrom(append(names, "dir")).Draw(rt, "name")))
			},
			"chmod": func(rt *rapid.T) {
				os.Chmod(filepath.Join(src, rapid.SampledFrom(names).Draw(rt, "name")), 0o640)
			},
			"add": func(rt *rapid.T) {
				want := tree(t, src)
				r, err := v.Add(bg, "x", src, AddOptions{})
				if err != nil {
					rt.Fatal(err)
				}
				did = r.Dataset.DID
				same := len(versions) > 0 && cmp.Equal(versions[len(versions)-1], want)
				if same != r.Unchanged {
					rt.Fatalf("unchanged: %v, want %v", r.Unchanged, same)
				}
				if !same {
					versions = append(versions, want)
				}
				if len(versions) > 3 {
					versions = versions[1:]
				}
			},
			"bump": func(rt *rapid.T) {
				if did == "" {
					return
				}
				g, err := v.BumpGeneration(bg, did)
				if err != nil || g != generation+1 {
					rt.Fatalf("generation %d, %v", g, err)
				}
				generation = g
			},
			"view": func(rt *rapid.T) {
				if did == "" {
					return
				}
				h, err := v.ViewHead(bg, did, View{Paths: []string{"dir/", "a"}})
				if err != nil || h.Generation != generation {
					rt.Fatalf("%+v, %v", h.Head, err)
				}
				want := 0
				for name := range versions[len(versions)-1] {
					if name == "a" || name == "dir" || strings.HasPrefix(name, "dir/") {
						want++
					}
				}
				if got := h.Counts.Files + h.Counts.Folders; got != uint64(want) {
					rt.Fatalf("the view has %d entries, want %d", got, want)
				}
			},
			"sweep": func(rt *rapid.T) {
				if r, err := v.Sweep(bg, 0); err != nil || r.Dead != r.Waste {
					rt.Fatalf("%+v, %v", r, err)
				}
			},
			"reopen": func(rt *rapid.T) { v, _ = reopen(t, v) },
			"": func(rt *rapid.T) {
				if did == "" {
					return
				}
				heads, err := v.Versions(did)
				if err != nil || len(heads) != len(versions) {
					rt.Fatalf("%d versions, want %d, %v", len(heads), len(versions), err)
				}
				i := rapid.IntRange(0, len(heads)-1).Draw(rt, "version")
				to := t.TempDir()
				if err := v.Export(bg, did, to, ExportOptions{Version: heads[i].Sequence}); err != nil {
					rt.Fatal(err)
				}
				if d := cmp.Diff(versions[i], tree(t, to)); d != "" {
					rt.Fatal(fmt.Sprintf("version %d of %d: ", i, len(versions)), d)
				}
				os.RemoveAll(to)
			},
		})
	})
}
