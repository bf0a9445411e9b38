// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"slices"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/importer"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// importFiles takes the records of files into data sets, each file whole or not
// at all: one that is refused leaves nothing behind, and the others go on.
func (n *Node) importFiles(ctx context.Context, q ImportRequest, progress func(Progress)) (ImportResult, error) {
	options, err := q.options(progress)
	if err != nil {
		return ImportResult{}, err
	}
	if q.Into != "" {
		if d, err := n.vault.Lookup(q.Into); err == nil {
			if _, err := n.oursOfRecords(d); err != nil {
				return ImportResult{}, err
			}
		}
	}
	r := ImportResult{Files: []ImportedFile{}}
	for _, path := range q.Paths {
		err := importer.Files(ctx, path, options, func(s *importer.Source) error {
			f, err := n.importFile(ctx, s, q.Into)
			if err == nil {
				r.Files = append(r.Files, f)
			}
			return err
		})
		if err != nil {
			return r, aboutImport(err, path)
		}
	}
	return r, nil
}

// importFile takes in one file. The vault makes one version at a time: a file
// with rows of several kinds is read once for each.
func (n *Node) importFile(ctx context.Context, s *importer.Source, into string) (f ImportedFile, err error) {
	only, err := n.kindInto(ctx, into)
	if err != nil {
		return f, err
	}
	var done []*record.Schema
	for {
		im := &importing{node: n, ctx: ctx, into: into, only: only, done: done}
		if only != "" && done != nil { // the rows of the kind that was meant are in
			im.into, im.only = "", ""
		}
		report, err := importer.Read(ctx, s, &importer.Sink{Take: im.take})
		if err != nil || report.Refused != nil {
			im.abort()
			return importedFile(report), err
		}
		if done == nil {
			f = importedFile(report)
		}
		if im.kind == nil && im.only != "" && len(report.Kinds) > 0 {
			return f, problem.New(problem.Usage, "records.other-kind", "name", into, "has", only, "kind", report.Kinds[0].Kind)
		}
		if im.kind == nil {
			return f, nil
		}
		if into != "" && only == "" && len(report.Kinds) > 1 {
			im.abort()
			return f, problem.New(problem.Usage, "records.two-kinds", "file", report.File, "one", report.Kinds[0].Kind, "other", report.Kinds[1].Kind)
		}
		if err := im.roomForAll(report); err != nil {
			im.abort()
			return f, err
		}
		i := slices.IndexFunc(report.Kinds, func(k importer.KindReport) bool { return k.Schema == im.kind })
		if err := im.finish(report, &f.Kinds[i]); err != nil {
			return f, err
		}
		done = append(done, im.kind)
	}
}

// kindInto is the kind of a data set of ours; "" where it has no rows yet.
func (n *Node) kindInto(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	d, err := n.vault.Lookup(name)
	if err != nil || d.From != "" || len(d.Versions) == 0 { // to be made, or refused where it is opened
		return "", nil
	}
	set, err := n.records(ctx, d)
	if err != nil {
		return "", err
	}
	return set.Schema().Kind, nil
}

// importing is the rows of one kind in a file, on their way into a data set.
type importing struct {
	node *Node
	ctx  context.Context
	into string
	only string           // the kind of the data set that into names: what is of others goes where it belongs
	done []*record.Schema // kinds that were taken in before

	kind   *record.Schema // nil while there was no row
	name   string         // of the data set
	writer *vault.Writer
	rows   *record.Import
}

// take takes rows of the first kind that was not taken in before.
func (im *importing) take(kind *record.Schema, row record.Row) error {
	if im.kind == nil && (im.only == "" || im.only == kind.Kind) && !slices.Contains(im.done, kind) {
		if err := im.begin(kind); err != nil {
			return err
		}
	}
	if kind != im.kind {
		return nil
	}
	return im.rows.Add(row)
}

// begin opens the data set for rows of a kind: the one that was named, else
// the one of this kind, else a new one that is called as the kind.
func (im *importing) begin(kind *record.Schema) error {
	d, w, err := im.writerFor(kind)
	if err != nil {
		return err
	}
	set, err := im.open(d, kind, w)
	if err != nil {
		w.Abort()
		return err
	}
	im.kind, im.name, im.writer, im.rows = kind, d.Name, w, set.Import(im.ctx, w)
	return nil
}

// writerFor begins a version of the data set for rows of a kind.
func (im *importing) writerFor(kind *record.Schema) (d vault.Dataset, w *vault.Writer, err error) {
	n := im.node
	for {
		d, there, err := im.dataset(kind)
		if err != nil {
			return d, nil, err
		}
		target := vault.Target{Name: d.Name, Kind: storage.KindRecords, Time: n.now()}
		if there {
			if err := n.raised(im.ctx, d.DID); err != nil {
				return d, nil, about(err, "name", d.Name)
			}
			target.Dataset, target.Name = d.DID, ""
		}
		w, err := n.vault.Begin(im.ctx, target)
		if !there && errors.Is(err, vault.ErrNameTaken) {
			continue // another import has made it meanwhile
		}
		return d, w, about(err, "name", d.Name)
	}
}

// open is the set to import into, which is made if it is new.
func (im *importing) open(d vault.Dataset, kind *record.Schema, w *vault.Writer) (*record.Set, error) {
	now, err := im.node.vault.Lookup(string(w.Dataset()))
	if err != nil || len(now.Versions) == 0 {
		return record.Create(kind, w)
	}
	set, err := im.node.records(im.ctx, now)
	if err != nil {
		return nil, err
	}
	if set.Schema().Kind != kind.Kind {
		return nil, problem.New(problem.Usage, "records.other-kind", "name", d.Name, "has", set.Schema().Kind, "kind", kind.Kind)
	}
	return set, nil
}

// dataset finds where rows of a kind go; there says whether it exists.
func (im *importing) dataset(kind *record.Schema) (d vault.Dataset, there bool, err error) {
	n := im.node
	if im.into != "" {
		d, err := n.vault.Lookup(im.into)
		if errors.Is(err, vault.ErrNoDataset) {
			return vault.Dataset{Name: im.into}, false, nil
		}
		if err != nil {
			return d, false, about(err, "name", im.into)
		}
		_, err = n.oursOfRecords(d)
		return d, true, err
	}
	var of []vault.Dataset
	for _, d := range n.vault.Datasets() {
		if d.From != "" || d.Kind != storage.KindRecords || len(d.Versions) == 0 {
			continue
		}
		set, err := n.records(im.ctx, d)
		if im.ctx.Err() != nil {
			return d, false, im.ctx.Err()
		}
		if err == nil && set.Schema().Kind == kind.Kind { // of one that cannot be read check tells
			of = append(of, d)
		}
	}
	switch len(of) {
	case 0:
		d, err := n.vault.Lookup(kind.Kind)
		if err == nil && d.From == "" && d.Kind == storage.KindRecords && len(d.Versions) == 0 { // an import that was cut off made it
			return d, true, nil
		}
		if err == nil {
			return vault.Dataset{}, false, problem.New(problem.Exists, "records.name-taken", "name", kind.Kind)
		}
		return vault.Dataset{Name: kind.Kind}, false, nil
	case 1:
		return of[0], true, nil
	}
	return vault.Dataset{}, false, problem.New(problem.Usage, "records.which", "kind", kind.Kind, "one", of[0].Name, "other", of[1].Name)
}

// roomForAll says before anything of a file is kept whether there is a place
// for its rows of every kind.
func (im *importing) roomForAll(report *importer.Report) error {
	others := *im
	if im.only != "" {
		others.into = ""
	}
	for _, k := range report.Kinds {
		if k.Schema == im.kind || slices.Contains(im.done, k.Schema) {
			continue
		}
		if _, _, err := others.dataset(k.Schema); err != nil {
			return err
		}
	}
	return nil
}

// oursOfRecords refuses a data set that rows cannot be put into.
func (n *Node) oursOfRecords(d vault.Dataset) (vault.Dataset, error) {
	if d.From != "" {
		return d, problem.New(problem.Usage, "dataset.not-ours", "name", d.Name, "from", n.book.nameOf(d.From)).Because(errNotOurs)
	}
	if d.Kind != storage.KindRecords {
		return d, problem.New(problem.Usage, "records.not", "name", d.Name)
	}
	return d, nil
}

// finish makes what came durable, unless nothing of it was new.
func (im *importing) finish(report *importer.Report, told *ImportedKind) error {
	defer im.abort()
	told.Into = im.name
	change, err := im.rows.Finish(record.Meta{
		When: im.node.now().Unix(), Files: []string{importer.KeptName(report.File)}, Format: report.Format, Rejected: report.RejectedRows,
	})
	if err != nil {
		return about(err, "name", im.name)
	}
	if !change.Written {
		told.Here = told.Rows
		return nil
	}
	if err := im.node.commit(im.ctx, im.writer, change); err != nil {
		return about(err, "name", im.name)
	}
	o := change.Operation
	told.Number, told.New, told.Here, told.Corrected = o.Number, o.New, o.Here, o.Corrected
	return nil
}

// commit makes a change of a data set of records its next version.
func (n *Node) commit(ctx context.Context, w *vault.Writer, change record.Change) error {
	r, err := w.Commit(ctx, change.Drop...)
	if err != nil {
		return err
	}
	if r.New { // the vault recorded what birth signed
		if err := n.vault.LiveFacts(n.apply, factUpperLinks); err != nil {
			return err
		}
	}
	n.recordSets.remember(r.Head, change.Set.Over(n.objectsOf(r.Head)))
	return nil
}

// abort gives up what was not finished.
func (im *importing) abort() {
	if im.writer != nil {
		im.writer.Abort()
	}
}
