// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// ExportRequest asks for data as plain files, readable without this program.
type ExportRequest struct {
	Name string `json:"name,omitempty"` // empty: all data sets
	To   string `json:"to"`             // absolute; a folder
	Note string `json:"note,omitempty"` // what README.txt says in it
}

// ExportResult says what was written.
type ExportResult struct {
	To       string            `json:"to"`
	Datasets []ExportedDataset `json:"datasets"`
}

// ExportedDataset is a data set that lies as plain files now.
type ExportedDataset struct {
	Name   string `json:"name"`
	Folder string `json:"folder"` // below To
	Rows   int    `json:"rows,omitempty"`
	Files  uint64 `json:"files,omitempty"`
	Kind   string `json:"kind"`            // files, records
	There  bool   `json:"there,omitempty"` // an earlier export had written it whole
}

// doneMark lies in a folder that was exported whole: the version it is of.
const doneMark = "exported.json"

// export writes data sets as plain files: records as CSV, JSON lines and
// Parquet, with their description and the story of their imports; files as they
// are. What an interrupted export wrote whole is not written again.
func (n *Node) export(ctx context.Context, q ExportRequest, progress func(Progress)) (ExportResult, error) {
	r := ExportResult{To: q.To, Datasets: []ExportedDataset{}}
	list := n.vault.Datasets()
	if q.Name != "" {
		d, err := n.lookup(q.Name)
		if err != nil {
			return r, err
		}
		list = []vault.Dataset{d}
	}
	if err := os.MkdirAll(q.To, 0o700); err != nil {
		return r, about(err, "path", q.To)
	}
	if err := writeNote(filepath.Join(q.To, noteName), q.Note); err != nil {
		return r, about(err, "path", q.To)
	}
	folders := folderNames(n.vault.Datasets())
	var failed error // of the first that could not be written; the others are, all the same
	for i, d := range list {
		progress(Progress{Step: "write", Files: int64(i), FileTotal: int64(len(list))})
		head, ok := d.Latest()
		if !ok {
			continue
		}
		e, err := n.exportDataset(ctx, d, head, q.To, folders[d.DID])
		switch {
		case ctx.Err() != nil:
			return r, ctx.Err()
		case err == nil:
			r.Datasets = append(r.Datasets, e)
		case failed == nil:
			failed = about(err, "name", d.Name, "path", filepath.Join(q.To, e.Folder))
		}
	}
	return r, failed
}

// noteName is the file that says what the folder holds.
const noteName = "README.txt"

// writeNote writes the note, unless something else is there.
func writeNote(path, note string) error {
	before, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.WriteFile(path, []byte(note), 0o600)
	case err == nil && string(before) != note:
		return problem.New(problem.Exists, "file.exists", "path", path)
	}
	return err
}

// exportMark says which version a folder holds.
type exportMark struct {
	Dataset  string `json:"dataset"`
	Sequence uint64 `json:"sequence"`
	View     string `json:"view,omitempty"`
	Begun    bool   `json:"begun,omitempty"` // and not whole yet
}

// claim makes the folder ours to write into, unless it holds what no export
// has put there; there says that it holds the version whole.
func (m exportMark) claim(folder string) (there bool, err error) {
	begun := m
	begun.Begun = true
	b, err := os.ReadFile(filepath.Join(folder, doneMark))
	if err == nil {
		var before exportMark
		if json.Unmarshal(b, &before) != nil || before != m && before != begun {
			return false, problem.New(problem.Exists, "file.exists", "path", folder)
		}
		return before == m, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if list, err := os.ReadDir(folder); err == nil && len(list) > 0 {
		return false, problem.New(problem.Exists, "file.exists", "path", folder)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return false, err
	}
	return false, begun.write(folder)
}

func (m exportMark) write(folder string) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, doneMark), append(b, '\n'), 0o600)
}

func (n *Node) exportDataset(ctx context.Context, d vault.Dataset, head storage.Head, to, name string) (e ExportedDataset, err error) {
	e = ExportedDataset{Name: d.Name, Folder: name, Kind: d.Kind}
	folder := filepath.Join(to, e.Folder)
	mark := exportMark{Dataset: string(d.DID), Sequence: head.Sequence, View: head.View}
	if e.There, err = mark.claim(folder); err != nil {
		return e, err
	}
	if d.Kind == storage.KindRecords {
		e.Rows, err = n.exportRecords(ctx, d, folder, e.There)
	} else if e.Files = head.Counts.Files; !e.There {
		err = n.vault.Export(ctx, d.DID, filepath.Join(folder, "files"), vault.ExportOptions{Overwrite: true})
	}
	if err != nil || e.There {
		return e, err
	}
	return e, mark.write(folder)
}

// folderNames gives each data set a folder of its own, also those whose names
// differ in what a folder cannot be called, or only in case.
func folderNames(all []vault.Dataset) map[crypto.DID]string {
	taken, names := map[string]int{strings.ToLower(noteName): 1}, map[crypto.DID]string{}
	for _, d := range all {
		names[d.DID] = folderName(d)
		taken[strings.ToLower(names[d.DID])]++
	}
	for did, name := range names {
		if taken[strings.ToLower(name)] > 1 {
			text := string(did)
			names[did] = name + "_" + text[len(text)-12:]
		}
	}
	return names
}

// folderName is a data set's name as a folder may be called.
func folderName(d vault.Dataset) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, d.Name)
	if strings.Trim(name, ". ") == "" || d.From != "" && strings.HasPrefix(name, ".") {
		name = "_" + name
	}
	return name
}

// exportRecords writes the rows that count in three forms, their description
// and what was done to them.
func (n *Node) exportRecords(ctx context.Context, d vault.Dataset, folder string, there bool) (int, error) {
	set, err := n.records(ctx, d)
	if err != nil || there {
		if err != nil {
			return 0, err
		}
		return set.Len(), nil
	}
	operations := []RecordOperation{}
	for _, o := range set.Operations() {
		operations = append(operations, recordOperation(o))
	}
	story, err := json.MarshalIndent(operations, "", "  ")
	if err != nil {
		return 0, err
	}
	for name, content := range map[string][]byte{"schema.json": set.Schema().Document(), "imports.json": append(story, '\n')} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return 0, err
		}
	}
	if err := writeTo(filepath.Join(folder, "rows.csv"), func(w io.Writer) error { return writeCSV(ctx, set, w) }); err != nil {
		return 0, err
	}
	if err := writeTo(filepath.Join(folder, "rows.jsonl"), func(w io.Writer) error { return writeLines(ctx, set, w) }); err != nil {
		return 0, err
	}
	return set.Len(), writeTo(filepath.Join(folder, "rows.parquet"), func(w io.Writer) error {
		return record.WriteParquet(w, set.Schema(), func(fn func(*record.Batch) error) error { return set.Scan(ctx, record.Query{}, fn) })
	})
}

// writeTo writes a private file, in place of one of an interrupted export.
func writeTo(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<18)
	err = errors.Join(write(w), w.Flush(), f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, ignoreMissing(os.Remove(path)))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func writeCSV(ctx context.Context, set *record.Set, to io.Writer) error {
	w := csv.NewWriter(to)
	var line []string
	for _, f := range set.Schema().Fields {
		line = append(line, f.Name)
	}
	if err := w.Write(line); err != nil {
		return err
	}
	err := set.Rows(ctx, record.Query{}, func(_ record.Number, row record.Row) error {
		for i, v := range row {
			line[i] = v.String()
		}
		return w.Write(line)
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

func writeLines(ctx context.Context, set *record.Set, to io.Writer) error {
	var line []byte
	return set.Rows(ctx, record.Query{}, func(_ record.Number, row record.Row) error {
		line = append(set.Schema().AppendJSON(line[:0], row), '\n')
		_, err := to.Write(line)
		return err
	})
}
