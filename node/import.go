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
// at all: one that is refused leaves nothing behind, and the others go on. What
// ends all of it is told beside what was taken in before.
func (n *Node) importFiles(ctx context.Context, q ImportRequest, progress func(Progress)) (ImportResult, error) {
	options, err := q.options(n.kindNamed, progress)
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
		if err != nil && len(r.Files) > 0 {
			r.Stopped = problem.Of(explain(aboutImport(err, path)))
			return r, nil
		}
		if err != nil {
			return r, aboutImport(err, path)
		}
	}
	return r, nil
}

// importFile takes in the rows of one file, of every kind, or none of them.
func (n *Node) importFile(ctx context.Context, s *importer.Source, into string) (ImportedFile, error) {
	only, err := n.kindInto(ctx, into)
	if err != nil {
		return ImportedFile{}, err
	}
	im := &importing{node: n, ctx: ctx, into: into, only: only}
	defer im.abort()
	report, err := importer.Read(ctx, s, &importer.Sink{Take: im.take})
	f := importedFile(report)
	if err != nil || report.Refused != nil {
		return f, err
	}
	if err := im.wanted(report); err != nil {
		return f, err
	}
	return f, im.finish(report, f.Kinds)
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

// importing is the rows of one file on their way into data sets.
type importing struct {
	node   *Node
	ctx    context.Context
	into   string
	only   string        // the kind of the data set that into names: what is of others goes where it belongs
	parts  []*part       // in the order in which their kinds came
	first  *vault.Writer // that of the first part; nil while there is none
	failed error         // why there is no place for rows of another kind
}

// part is the rows of one kind.
type part struct {
	kind *record.Schema
	name string         // of the data set
	rows *record.Import // nil where they cannot be taken, which is told in the end
}

// take takes a row into the data set for its kind.
func (im *importing) take(kind *record.Schema, row record.Row) error {
	i := slices.IndexFunc(im.parts, func(p *part) bool { return p.kind == kind })
	if i < 0 {
		if err := im.begin(kind); err != nil {
			return err
		}
		i = len(im.parts) - 1
	}
	if im.parts[i].rows == nil {
		return nil
	}
	return im.parts[i].rows.Add(row)
}

// begin opens the data set for rows of a kind: the one that was named, else
// the one of this kind, else a new one that is called as the kind.
func (im *importing) begin(kind *record.Schema) error {
	p := &part{kind: kind}
	im.parts = append(im.parts, p)
	if im.into != "" && im.only == "" && len(im.parts) > 1 {
		return nil
	}
	d, w, err := im.writerFor(kind)
	if err != nil {
		if why := problem.Of(err); im.only != "" && kind.Kind != im.only && (why.Kind == problem.Usage || why.Kind == problem.Exists) {
			im.failed, err = err, nil // the kind that is meant may come yet
		}
		return err
	}
	set, err := im.open(d, kind, w)
	if err == nil {
		p.name, p.rows = d.Name, set.Import(im.ctx, w)
	}
	return err
}

// wanted refuses a file whose rows cannot go where they were to.
func (im *importing) wanted(report *importer.Report) error {
	kinds := report.Kinds
	if im.only != "" && !slices.ContainsFunc(kinds, func(k importer.KindReport) bool { return k.Kind == im.only }) {
		return problem.New(problem.Usage, "records.other-kind", "name", im.into, "has", im.only, "kind", kinds[0].Kind)
	}
	if im.into != "" && im.only == "" && len(kinds) > 1 {
		return problem.New(problem.Usage, "records.two-kinds", "file", report.File, "one", kinds[0].Kind, "other", kinds[1].Kind)
	}
	return im.failed
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
		w, err := im.version(target)
		if !there && errors.Is(err, vault.ErrNameTaken) || there && errors.Is(err, vault.ErrNoDataset) {
			continue // somebody has made it meanwhile, or removed it
		}
		return d, w, about(err, "name", d.Name)
	}
}

// version begins a version, beside those of other kinds.
func (im *importing) version(to vault.Target) (w *vault.Writer, err error) {
	if im.first != nil {
		return im.first.Beside(to)
	}
	im.first, err = im.node.vault.Begin(im.ctx, to)
	return im.first, err
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
	if !set.Schema().SameFields(kind) {
		return nil, problem.New(problem.Usage, "records.other-fields", "name", d.Name, "kind", kind.Kind)
	}
	return set, nil
}

// dataset finds where rows of a kind go; there says whether it exists.
func (im *importing) dataset(kind *record.Schema) (d vault.Dataset, there bool, err error) {
	n := im.node
	if im.into != "" && (im.only == "" || im.only == kind.Kind) {
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
		if _, err := n.vault.Lookup(kind.Kind); err == nil {
			return vault.Dataset{}, false, problem.New(problem.Exists, "records.name-taken", "name", kind.Kind)
		}
		return vault.Dataset{Name: kind.Kind}, false, nil
	case 1:
		return of[0], true, nil
	}
	return vault.Dataset{}, false, problem.New(problem.Usage, "records.which", "kind", kind.Kind, "one", of[0].Name, "other", of[1].Name)
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
func (im *importing) finish(report *importer.Report, told []ImportedKind) error {
	changes, written := make([]record.Change, len(im.parts)), false
	for i, p := range im.parts {
		var err error
		changes[i], err = p.rows.Finish(record.Meta{
			When: im.node.now().Unix(), Files: []string{importer.KeptName(report.File)}, Format: report.Format, Rejected: report.RejectedRows,
		})
		if err != nil {
			return about(err, "name", p.name)
		}
		written = written || changes[i].Written
	}
	if written {
		if err := im.node.commit(im.ctx, im.first, changes...); err != nil {
			return about(err, "name", im.parts[0].name)
		}
	}
	for i, p := range im.parts {
		k := slices.IndexFunc(told, func(k ImportedKind) bool { return k.Kind == p.kind.Kind })
		told[k].Into, told[k].Alike = p.name, changes[i].Alike
		if o := changes[i].Operation; o != nil {
			told[k].Number, told[k].New, told[k].Here, told[k].Corrected = o.Number, o.New, o.Here, o.Corrected
		} else {
			told[k].Here = told[k].Rows
		}
	}
	return nil
}

// commit makes changes of data sets of records their next versions, all or none:
// that of the writer, and those of the writers that were begun beside it.
func (n *Node) commit(ctx context.Context, w *vault.Writer, changes ...record.Change) error {
	all := w.Together()
	for i, c := range changes {
		all[i].Drop(c.Drop...)
	}
	results, err := w.CommitAll(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(results, func(r vault.PutResult) bool { return r.New }) { // the vault recorded what birth signed
		if err := n.vault.LiveFacts(n.apply, factUpperLinks); err != nil {
			return err
		}
	}
	for i, r := range results {
		n.recordSets.remember(r.Head, changes[i].Set.Over(n.objectsOf(r.Head)))
	}
	return nil
}

// abort gives up what was not finished.
func (im *importing) abort() {
	if im.first != nil {
		im.first.Abort()
	}
}
