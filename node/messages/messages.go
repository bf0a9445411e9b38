// SPDX-License-Identifier: Apache-2.0

// Package messages is the catalogue of the sentences that people read, in
// French and in English, for the command line and for the page.
//
// It knows keys, templates and how each language writes numbers, sizes and
// dates. It does not know who asks, nor where the sentence goes: values are
// put in as they are, so whoever shows a sentence on a terminal or a page
// must first make the values harmless there.
//
// The sentences lie in en/*.txt and fr/*.txt, under the same keys. A
// translator needs only these rules:
//
//	[key]                   starts a message; it ends where the next one starts
//	{name}                  the value of that name
//	{name:size}             as a size: 12.4 MB, 12,4 Mo (also :number, :date, :time, :span)
//	{name?one|many}         one or the other wording, as the number asks
//
// The way in is [Choose], then [Lang.Text].
package messages

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// Lang is a language that the catalogue speaks.
type Lang string

// The languages.
const (
	English Lang = "en"
	French  Lang = "fr"
)

// Choose picks the language: wanted (from a flag) if it is not empty, else
// what the environment says: TRABOULE_LANG, LC_ALL, LC_MESSAGES, LANG, the
// first that is set. A locale that is neither French nor English reads
// English. Only a language that was asked for by name and is not spoken is an
// error; the language returned with it can be used all the same.
func Choose(wanted string, getenv func(string) string) (Lang, error) {
	own := cmp.Or(wanted, getenv("TRABOULE_LANG"))
	if own == "" {
		lang, _ := parse(cmp.Or(getenv("LC_ALL"), getenv("LC_MESSAGES"), getenv("LANG")))
		return lang, nil
	}
	lang, ok := parse(own)
	if !ok {
		fallback, _ := Choose("", func(name string) string {
			if name == "TRABOULE_LANG" {
				return ""
			}
			return getenv(name)
		})
		return fallback, fmt.Errorf("choose language %q: only fr and en are spoken", own)
	}
	return lang, nil
}

// parse reads "fr", "fr-FR" or "fr_FR.UTF-8".
func parse(locale string) (Lang, bool) {
	tongue, _, _ := strings.Cut(strings.ToLower(locale), "_")
	tongue, _, _ = strings.Cut(tongue, "-")
	tongue, _, _ = strings.Cut(tongue, ".")
	switch Lang(tongue) {
	case French:
		return French, true
	case English:
		return English, true
	}
	return English, false
}

// Text is the sentence under key with its values put in. A key that is not in
// the catalogue, which only a newer node at the other end of a socket can
// ask for, reads as the key and its values: better than nothing. Safe for
// concurrent use.
func (l Lang) Text(key string, args map[string]string) string {
	t, ok := catalogues()[l.orEnglish()][key]
	if !ok {
		return bare(key, args)
	}
	return t.fill(l.orEnglish(), args)
}

// Has says whether the catalogue knows the key.
func Has(key string) bool {
	_, ok := catalogues()[English][key]
	return ok
}

// Keys lists the keys of a language, sorted.
func (l Lang) Keys() []string {
	return slices.Sorted(maps.Keys(catalogues()[l.orEnglish()]))
}

func (l Lang) orEnglish() Lang {
	if l == French {
		return French
	}
	return English
}

func bare(key string, args map[string]string) string {
	var b strings.Builder
	b.WriteString(key)
	for _, name := range slices.Sorted(maps.Keys(args)) {
		fmt.Fprintf(&b, " %s=%q", name, args[name])
	}
	return b.String()
}

//go:embed en fr
var texts embed.FS

// catalogues are read at first use. They are part of the program: a fault in
// them is a fault of the program, and the tests read every one.
var catalogues = sync.OnceValue(func() map[Lang]map[string]template {
	all := map[Lang]map[string]template{}
	for _, lang := range []Lang{English, French} {
		c, err := readCatalogue(texts, string(lang))
		if err != nil {
			panic(err)
		}
		all[lang] = c
	}
	return all
})

func readCatalogue(fsys fs.FS, dir string) (map[string]template, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.txt"))
	if err != nil {
		return nil, fmt.Errorf("read catalogue %s: %w", dir, err)
	}
	catalogue := map[string]template{}
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read catalogue %s: %w", name, err)
		}
		if err := readFile(catalogue, string(data)); err != nil {
			return nil, fmt.Errorf("read catalogue %s: %w", name, err)
		}
	}
	return catalogue, nil
}

// readFile adds the messages of one file. What stands before the first key is
// a comment.
func readFile(into map[string]template, text string) error {
	key, body := "", []string(nil)
	add := func() error {
		if key == "" {
			return nil
		}
		if _, twice := into[key]; twice {
			return fmt.Errorf("%s stands twice", key)
		}
		t, err := parseTemplate(strings.Trim(strings.Join(body, "\n"), "\n"))
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		into[key] = t
		return nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if !isKey(line) {
			body = append(body, line)
			continue
		}
		if err := add(); err != nil {
			return err
		}
		key, body = line[1:len(line)-1], nil
	}
	return add()
}

func isKey(line string) bool {
	if len(line) < 3 || line[0] != '[' || line[len(line)-1] != ']' {
		return false
	}
	return strings.Trim(line[1:len(line)-1], "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}
