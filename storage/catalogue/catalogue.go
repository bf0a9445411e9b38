// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/traboule/traboule/storage/record"
)

//go:embed kinds/*.json
var kinds embed.FS

// all reads each description once, when the first is asked for.
var all = sync.OnceValue(func() map[string]*record.Schema {
	names, _ := fs.Glob(kinds, "kinds/*.json")
	m := make(map[string]*record.Schema, len(names))
	for _, name := range names {
		b, err := kinds.ReadFile(name)
		if err == nil {
			m[strings.TrimSuffix(path.Base(name), ".json")], err = record.ParseSchema(b)
		}
		if err != nil {
			panic(fmt.Sprintf("catalogue: %s: %v", name, err)) // a test reads them all
		}
	}
	return m
})

// Kind is the description of a kind, as "electricity-load-curve".
func Kind(name string) (*record.Schema, bool) {
	s, ok := all()[name]
	return s, ok
}

// Kinds lists the kinds by name.
func Kinds() []*record.Schema {
	var list []*record.Schema
	for _, s := range all() {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *record.Schema) int { return strings.Compare(a.Kind, b.Kind) })
	return list
}
