// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"slices"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/importer"
	"github.com/traboule/traboule/storage/record"
)

// ImportRequest asks for records out of files.
type ImportRequest struct {
	Paths    []string `json:"paths"`              // files, folders, zips; absolute
	Into     string   `json:"into,omitempty"`     // the data set; empty: the one of each kind
	As       string   `json:"as,omitempty"`       // the format, if it is not to be recognised, or the kind of a table whose headings name its fields
	Dates    string   `json:"dates,omitempty"`    // dmy, mdy or ymd, where the file leaves it open
	Currency string   `json:"currency,omitempty"` // ISO 4217, where the file names none
	Account  string   `json:"account,omitempty"`  // where the file names none
	Zone     string   `json:"zone,omitempty"`     // IANA, of times without an offset
	Mapping  []byte   `json:"mapping,omitempty"`  // which column is what, as JSON
}

// ImportResult says what was found in each file and, unless it was a dry run,
// what became of it.
type ImportResult struct {
	DryRun  bool             `json:"dry_run,omitempty"`
	Files   []ImportedFile   `json:"files"`
	Stopped *problem.Problem `json:"stopped,omitempty"` // why no more files were taken in than these
}

// ImportedFile is what was found in one file.
type ImportedFile struct {
	File         string         `json:"file"`
	Format       string         `json:"format,omitempty"`
	Refused      *Notice        `json:"refused,omitempty"` // nothing of it was taken
	Kinds        []ImportedKind `json:"kinds"`
	Rejected     []RejectedRow  `json:"rejected,omitempty"` // the first thousand
	RejectedRows int            `json:"rejected_rows"`
	Warnings     []Notice       `json:"warnings,omitempty"`
}

// ImportedKind is what of one kind was found in a file.
type ImportedKind struct {
	Kind  string            `json:"kind"`
	Title map[string]string `json:"title"` // by language
	Rows  int               `json:"rows"`
	First string            `json:"first,omitempty"`
	Last  string            `json:"last,omitempty"`
	Zone  string            `json:"zone"` // of the data set; instants are UTC all the same
	Sums  []Sum             `json:"sums,omitempty"`

	// What became of it; nothing in a dry run.
	Into      string `json:"into,omitempty"`
	Number    int    `json:"number,omitempty"` // of the import, for undo; 0 when nothing changed
	New       int    `json:"new,omitempty"`
	Here      int    `json:"here,omitempty"`      // that were here already
	Corrected int    `json:"corrected,omitempty"` // that were here with other values
	Alike     int    `json:"alike,omitempty"`     // new ones like some that are here and are not in the file: perhaps numbered anew
}

// Sum is what the values of a field add up to.
type Sum struct {
	Field    string            `json:"field"`
	Title    map[string]string `json:"title"` // by language
	Unit     string            `json:"unit,omitempty"`
	Currency string            `json:"currency,omitempty"`
	Sum      string            `json:"sum"` // exact
}

// RejectedRow is a row that was left out.
type RejectedRow struct {
	Line   int    `json:"line"`
	Reason Notice `json:"reason"`
}

// OwnKindsOf asks for the kinds that the owner has described, when they are
// needed.
type OwnKindsOf func() (KindsResult, error)

// named finds a kind; nil for none. Of one that the catalogue has nobody is
// asked.
func (own OwnKindsOf) named(name string) (*record.Schema, error) {
	if s, ok := catalogue.Kind(name); ok {
		return s, nil
	}
	r, err := own()
	if err != nil {
		return nil, err
	}
	for _, description := range r.Descriptions {
		if s, err := record.ParseSchema(description); err == nil && s.Kind == name {
			return s, nil
		}
	}
	return nil, nil
}

// Preview says what is in files: what an import would find. It needs no vault,
// unless a kind is named that the catalogue does not have.
func Preview(ctx context.Context, q ImportRequest, own OwnKindsOf, progress func(Progress)) (ImportResult, error) {
	options, err := q.options(own.named, progress)
	if err != nil {
		return ImportResult{}, err
	}
	r := ImportResult{DryRun: true, Files: []ImportedFile{}}
	for _, path := range q.Paths {
		err := importer.Files(ctx, path, options, func(s *importer.Source) error {
			report, err := importer.Read(ctx, s, &importer.Sink{})
			if err != nil {
				return err
			}
			r.Files = append(r.Files, importedFile(report))
			return nil
		})
		if err != nil {
			return r, explain(aboutImport(err, path))
		}
	}
	return r, nil
}

// kindFinder finds a kind by its name; nil for none.
type kindFinder func(name string) (*record.Schema, error)

// options are what the request says about files that leave something open.
func (q ImportRequest) options(kind kindFinder, progress func(Progress)) (importer.Options, error) {
	o := importer.Options{Dates: q.Dates, Currency: q.Currency, Account: q.Account, Zone: q.Zone, As: q.As}
	if progress != nil {
		const every = 1 << 20 // bytes
		told := int64(-every)
		o.Progress = func(_ string, read, total int64) {
			if read < told || read >= told+every { // another file, or further on
				told = read
				progress(Progress{Step: "read", Done: read, Total: max(total, 0)})
			}
		}
	}
	if !slices.Contains([]string{"", "dmy", "mdy", "ymd"}, q.Dates) {
		return o, problem.New(problem.Usage, "usage.dates", "value", q.Dates)
	}
	if _, err := o.Location(); err != nil {
		return o, explain(aboutImport(err, "--zone"))
	}
	var err error
	if q.As != "" && !importer.Known(q.As) {
		o.As = ""
		if o.Kind, err = kind(q.As); err == nil && o.Kind == nil {
			err = problem.New(problem.Usage, "usage.as", "as", q.As)
		}
	}
	if err == nil && len(q.Mapping) > 0 {
		o.Map, err = q.mapping(kind)
	}
	return o, err
}

// mapping is the mapping of the request, with the description of its kind where
// that is the owner's own.
func (q ImportRequest) mapping(kind kindFinder) (*importer.Mapping, error) {
	m, err := importer.ParseMapping(q.Mapping)
	if err != nil {
		return nil, explain(aboutImport(err, "--map"))
	}
	if !slices.ContainsFunc(m.Columns, func(c importer.Column) bool { return c.Field != "" }) {
		return nil, problem.New(problem.Invalid, "mapping.empty", "kind", m.Kind)
	}
	s, err := kind(m.Kind)
	if ours, ok := catalogue.Kind(m.Kind); !ok || ours != s {
		m.Schema = s
	}
	return m, err
}

func aboutImport(err error, path string) error {
	var why *importer.Reason
	if !errors.As(err, &why) {
		return about(err, "path", path)
	}
	p := problem.New(problem.Invalid, "import."+why.Code).Because(err)
	p.Args = why.Args
	return p
}

func importedFile(report *importer.Report) ImportedFile {
	f := ImportedFile{File: report.File, Format: report.Format, Kinds: []ImportedKind{}, RejectedRows: report.RejectedRows}
	if report.Refused != nil {
		n := reasonNotice(report.Refused)
		f.Refused = &n
	}
	for _, k := range report.Kinds {
		f.Kinds = append(f.Kinds, importedKind(k))
	}
	for _, row := range report.Rejected {
		f.Rejected = append(f.Rejected, RejectedRow{Line: row.Line, Reason: reasonNotice(row.Reason)})
	}
	for _, w := range report.Warnings {
		f.Warnings = append(f.Warnings, reasonNotice(w.Reason))
	}
	return f
}

func importedKind(k importer.KindReport) ImportedKind {
	r := ImportedKind{Kind: k.Kind, Title: titles(k.Schema.Words), Rows: k.Rows, First: k.First.String(), Last: k.Last.String(), Zone: k.Schema.Zone}
	for _, s := range k.Sums {
		f, _ := k.Schema.Field(s.Field)
		r.Sums = append(r.Sums, Sum{Field: s.Field, Title: titles(f.Words), Unit: s.Unit, Currency: s.Currency, Sum: s.Sum})
	}
	return r
}

// reasonNotice is the sentence for a reason of the importers'.
func reasonNotice(why *importer.Reason) Notice {
	return Notice{Key: "import." + why.Code, Args: why.Args}
}

// SuggestMapping makes a first guess at how a table is read, as the JSON that
// an import takes for its mapping. kind is what the rows are; empty: bank
// operations.
func SuggestMapping(ctx context.Context, path, kind string, own OwnKindsOf) ([]byte, error) {
	var schema *record.Schema
	if kind != "" {
		s, err := own.named(kind)
		if err != nil {
			return nil, err
		}
		if schema = s; s == nil {
			return nil, problem.New(problem.NotFound, "records.no-kind", "kind", kind)
		}
	}
	m, err := importer.Suggest(ctx, importer.File(path, importer.Options{}), schema)
	if err != nil {
		return nil, explain(aboutImport(err, path))
	}
	return m.Document(), nil
}
