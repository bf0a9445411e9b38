// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/traboule/traboule/node"
	"github.com/traboule/traboule/node/problem"
)

func (a *app) importCommand() *cobra.Command {
	var q node.ImportRequest
	var dry, guess bool
	var mapping, kind string
	c := a.command("import FILE…", "import", with(problem.NotFound, problem.Invalid, problem.DiskFull), func(cmd *cobra.Command, args []string) error {
		for _, arg := range args {
			path, err := absolute(arg)
			if err != nil {
				return err
			}
			q.Paths = append(q.Paths, path)
		}
		if guess {
			return a.guessMapping(cmd, q.Paths[0], kind)
		}
		if mapping != "" {
			var err error
			if q.Mapping, err = os.ReadFile(mapping); err != nil {
				return problem.New(problem.NotFound, "file.none", "path", mapping).Because(err)
			}
		}
		if dry {
			return a.previewImport(cmd, q)
		}
		r, err := ask(cmd.Context(), a, node.Import, q)
		if err != nil {
			return err
		}
		return a.showImports(r)
	})
	f := c.Flags()
	f.StringVar(&q.Into, "into", "", a.flag("import", "into"))
	f.BoolVar(&dry, "dry-run", false, a.flag("import", "dry-run"))
	f.StringVar(&q.As, "as", "", a.flag("import", "as"))
	f.StringVar(&q.Dates, "dates", "", a.flag("import", "dates"))
	f.StringVar(&q.Currency, "currency", "", a.flag("import", "currency"))
	f.StringVar(&q.Account, "account", "", a.flag("import", "account"))
	f.StringVar(&q.Zone, "zone", "", a.flag("import", "zone"))
	f.StringVar(&mapping, "map", "", a.flag("import", "map"))
	f.BoolVar(&guess, "guess-map", false, a.flag("import", "guess-map"))
	f.StringVar(&kind, "kind", "", a.flag("import", "kind"))
	return c
}

// guessMapping prints a first guess at how a table is read, to be completed
// and given back with --map.
func (a *app) guessMapping(cmd *cobra.Command, path, kind string) error {
	document, err := node.SuggestMapping(cmd.Context(), path, kind, a.ownKinds(cmd.Context()))
	if err != nil {
		return err
	}
	if _, err := a.out.Write(escape(append(bytes.TrimSpace(document), '\n'))); err != nil {
		return err
	}
	a.tell("mapping.next", "kind", cmp.Or(kind, "bank-operations"), "file", path)
	return nil
}

// previewImport looks into files without a vault.
func (a *app) previewImport(cmd *cobra.Command, q node.ImportRequest) error {
	p := a.newProgress()
	r, err := node.Preview(cmd.Context(), q, a.ownKinds(cmd.Context()), p.report)
	p.clear()
	if err != nil {
		return err
	}
	return a.showImports(r)
}

// showImports shows what became of files. A script learns from the exit code
// that one was refused, or that something put an end to it: what was not taken
// must not be thrown away.
func (a *app) showImports(r node.ImportResult) error {
	refused := 0
	for _, f := range r.Files {
		if f.Refused != nil {
			refused++
		}
	}
	err := a.show(r, func() {
		a.showImport(r)
		if len(r.Files) > 1 {
			a.say("imported.total", "files", strconv.Itoa(len(r.Files)), "refused", strconv.Itoa(refused))
		}
	})
	if err != nil || refused == 0 && r.Stopped == nil {
		return err
	}
	a.told = true
	if r.Stopped != nil {
		return r.Stopped
	}
	return problem.New(problem.Invalid, "imported.refused", "n", strconv.Itoa(refused))
}

func (a *app) showImport(r node.ImportResult) {
	for _, f := range r.Files {
		a.showImported(f, r.DryRun)
	}
}

// mostRejected is how many rejected rows are named to a person.
const mostRejected = 10

func (a *app) showImported(f node.ImportedFile, dry bool) {
	if f.Refused != nil {
		a.say("imported.file-refused", "file", f.File, "why", a.textOf(f.Refused.Key, f.Refused.Args))
	} else {
		a.say("imported.file", "file", f.File, "format", f.Format)
	}
	for _, k := range f.Kinds {
		if f.Refused != nil { // of what had been read nothing was taken
			break
		}
		a.showKind(k)
		for _, s := range k.Sums {
			a.say("imported.sum", "field", cmp.Or(a.title(s.Title), s.Field), "sum", strings.TrimSpace(a.lang.Decimal(s.Sum)+" "+a.unit(s.Unit)+s.Currency))
		}
		switch {
		case dry:
		case k.Number == 0:
			a.say("imported.nothing-new", "name", k.Into)
		default:
			a.say("imported.taken", "name", k.Into, "number", strconv.Itoa(k.Number), "new", strconv.Itoa(k.New), "here", strconv.Itoa(k.Here), "corrected", strconv.Itoa(k.Corrected))
		}
		if k.Alike > 0 {
			a.say("imported.alike", "n", strconv.Itoa(k.Alike), "name", k.Into)
		}
	}
	for _, w := range f.Warnings {
		a.say("imported.warning", "what", a.textOf(w.Key, w.Args))
	}
	if f.RejectedRows > 0 {
		a.say("imported.rejected", "n", strconv.Itoa(f.RejectedRows))
	}
	for i, row := range f.Rejected {
		if i == mostRejected {
			a.say("imported.rejected-more", "n", strconv.Itoa(f.RejectedRows-i))
			break
		}
		a.say("imported.rejected-row", "line", strconv.Itoa(row.Line), "why", a.textOf(row.Reason.Key, row.Reason.Args))
	}
}

// showKind says what of one kind was found.
func (a *app) showKind(k node.ImportedKind) {
	first, last := wall(k.First, k.Zone), wall(k.Last, k.Zone)
	switch {
	case first == "":
		a.say("imported.kind-undated", "title", a.title(k.Title), "kind", k.Kind, "rows", strconv.Itoa(k.Rows))
	case first == last:
		a.say("imported.kind-once", "title", a.title(k.Title), "kind", k.Kind, "rows", strconv.Itoa(k.Rows), "when", first)
	default:
		a.say("imported.kind", "title", a.title(k.Title), "kind", k.Kind, "rows", strconv.Itoa(k.Rows), "first", first, "last", last)
	}
}

// title is a text that the catalogue of kinds has in both languages.
func (a *app) title(words map[string]string) string {
	if text, ok := words[string(a.lang)]; ok {
		return clean(text)
	}
	return clean(words["en"])
}

// units are how people write the units of UN/CEFACT that the kinds use, and
// those that kinds of people's own may well use.
var units = map[string]string{
	"KWH": "kWh", "WHR": "Wh", "WTT": "W", "KWT": "kW", "MAW": "MW", "KVA": "kVA", "D46": "VA", "MTQ": "m³", "LTR": "L", "MLT": "mL", "MTK": "m²",
	"CEL": "°C", "MTR": "m", "KMT": "km", "CMT": "cm", "MMT": "mm", "MTS": "m/s", "KMH": "km/h", "DD": "°", "P1": "%", "HPA": "hPa",
	"KGM": "kg", "GRM": "g", "SEC": "s", "MIN": "min", "HUR": "h",
}

func (a *app) unit(code string) string {
	if text, ok := units[code]; ok {
		return text
	}
	return code
}
