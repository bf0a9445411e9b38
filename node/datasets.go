// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/disk"
	"github.com/traboule/traboule/storage/vault"
)

func (n *Node) add(ctx context.Context, q AddRequest, progress func(Progress)) (AddResult, error) {
	name := q.Name
	if name == "" {
		name = filepath.Base(q.Path)
	}
	if d, err := n.vault.Lookup(name); err == nil && !q.DryRun {
		if err := n.raised(ctx, d.DID); err != nil {
			return AddResult{}, about(err, "name", name, "path", q.Path)
		}
	}
	made, err := n.vault.Add(ctx, name, q.Path, vault.AddOptions{
		DryRun: q.DryRun, Replace: q.Replace, Keep: q.Keep, Progress: report("store", progress),
	})
	if disk.IsFull(err) {
		return AddResult{}, n.tooMuch(ctx, name, q, err)
	}
	if err != nil {
		return AddResult{}, about(err, "name", name, "path", troubled(err, q.Path))
	}
	if made.New && !q.DryRun { // the vault recorded what birth signed
		if err := n.vault.LiveFacts(n.apply, factUpperLinks); err != nil {
			return AddResult{}, err
		}
	}
	return addResult(name, q.DryRun, made), nil
}

// tooMuch says how much room an add wants at most, and how much of it is not
// there.
func (n *Node) tooMuch(ctx context.Context, name string, q AddRequest, full error) error {
	forecast, err := n.vault.Add(ctx, name, q.Path, vault.AddOptions{DryRun: true, Replace: q.Replace})
	free, unknown := n.files().FreeBytes(n.opt.Home)
	room := max(0, int64(free)-n.vault.Blocks().Reserve())
	if err != nil || unknown != nil || forecast.NewBytes <= room {
		return about(full, "name", name, "path", q.Path)
	}
	return problem.New(problem.DiskFull, "disk.full-add", "path", q.Path,
		"wanted", strconv.FormatInt(forecast.NewBytes, 10), "missing", strconv.FormatInt(forecast.NewBytes-room, 10)).Because(full)
}

// troubled is the file that kept changing while path was added, else path.
func troubled(err error, path string) string {
	var at *fs.PathError
	if errors.Is(err, vault.ErrChanging) && errors.As(err, &at) {
		return at.Path
	}
	return path
}

func addResult(name string, dry bool, made vault.AddResult) AddResult {
	r := AddResult{
		Name: name, Dataset: string(made.Dataset.DID), Version: versionNumber(made.Head.Sequence),
		Unchanged: made.Unchanged, DryRun: dry,
		Files: made.Head.Counts.Files, Folders: made.Head.Counts.Folders, Bytes: made.Head.Counts.Bytes,
		Added: made.Added, Changed: made.Changed, Removed: made.Removed, NewBytes: uint64(made.NewBytes),
	}
	for _, skip := range made.Skipped {
		r.Skipped = append(r.Skipped, Skip{Path: skip.Path, Reason: string(skip.Why)})
	}
	return r
}

// report passes the vault's progress on as a step of an operation.
func report(step string, progress func(Progress)) func(vault.Progress) {
	return func(p vault.Progress) {
		progress(Progress{Step: step, Done: p.Bytes, Total: p.TotalBytes, Files: int64(p.Files), FileTotal: int64(p.TotalFiles)})
	}
}

func (n *Node) list(ctx context.Context, _ None, _ func(Progress)) (ListResult, error) {
	r := ListResult{Datasets: []Dataset{}}
	for _, d := range n.vault.Datasets() {
		line := n.describe(d)
		line.Records = n.describeRecords(ctx, d, false)
		r.Datasets = append(r.Datasets, line)
	}
	return r, nil
}

func (n *Node) describe(d vault.Dataset) Dataset {
	line := Dataset{
		Name: d.Name, Dataset: string(d.DID), Versions: len(d.Versions), Source: d.Source, Changed: d.Created,
		Grants: n.book.liveOn(d.DID, n.now()),
	}
	if d.From != "" {
		line.From = n.book.nameOf(d.From)
	}
	if head, ok := d.Latest(); ok {
		line.Version, line.Changed = versionNumber(head.Sequence), time.Unix(head.Time, 0)
		line.Files, line.Folders, line.Bytes = head.Counts.Files, head.Counts.Folders, head.Counts.Bytes
		line.Missing = !n.vault.Blocks().Has(head.Root.Name)
	}
	return line
}

func (n *Node) show(ctx context.Context, q ShowRequest, _ func(Progress)) (ShowResult, error) {
	d, err := n.lookup(q.Name)
	if err != nil {
		return ShowResult{}, err
	}
	r := ShowResult{Dataset: n.describe(d), Versions: []Version{}, Entries: []File{}}
	r.Dataset.Records = n.describeRecords(ctx, d, true)
	for _, head := range d.Versions {
		r.Versions = append(r.Versions, Version{
			Version: versionNumber(head.Sequence), Time: time.Unix(head.Time, 0),
			Files: head.Counts.Files, Folders: head.Counts.Folders, Bytes: head.Counts.Bytes,
		})
	}
	if len(d.Versions) == 0 {
		return r, nil
	}
	sequence, err := sequenceOf(d, q.Version)
	if err != nil {
		return ShowResult{}, err
	}
	err = n.vault.Walk(ctx, d.DID, sequence, func(e storage.Entry) error {
		if within(string(e.Path), q.Path) {
			r.Entries = appendEntry(r.Entries, e)
		}
		return nil
	})
	if err != nil {
		return ShowResult{}, about(err, "name", d.Name)
	}
	if q.Path != "" && len(r.Entries) == 0 {
		return ShowResult{}, problem.New(problem.NotFound, "no-such-path", "path", q.Path, "name", d.Name)
	}
	return r, nil
}

// within says whether path is under, or is, the path asked for.
func within(path, asked string) bool {
	asked = strings.TrimSuffix(asked, "/")
	return asked == "" || path == asked || strings.HasPrefix(path, asked+"/")
}

// appendEntry adds e, whose blocks may come in several parts of one file.
func appendEntry(files []File, e storage.Entry) []File {
	path := spell(e.Path)
	if last := len(files) - 1; last >= 0 && files[last].Path == path {
		return files
	}
	return append(files, File{
		Path: path, Folder: e.Kind == storage.Folder, Mode: e.Mode, Bytes: e.Size, Changed: time.Unix(0, e.ModTime),
	})
}

// spell is a path as text: itself where it is UTF-8, with \x escapes elsewhere.
func spell(path []byte) string {
	if utf8.Valid(path) {
		return string(path)
	}
	var b strings.Builder
	for len(path) > 0 {
		r, size := utf8.DecodeRune(path)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, path[0])
		} else {
			b.WriteRune(r)
		}
		path = path[size:]
	}
	return b.String()
}

func (n *Node) open(ctx context.Context, q OpenRequest, progress func(Progress)) (OpenResult, error) {
	d, err := n.lookup(q.Name)
	if err != nil {
		return OpenResult{}, err
	}
	if d.Kind == storage.KindRecords {
		return OpenResult{}, problem.New(problem.Usage, "open.records", "name", d.Name)
	}
	r := OpenResult{To: q.To}
	last := func(p vault.Progress) {
		r.Files, r.Bytes = uint64(p.Files), uint64(p.Bytes)
		report("write", progress)(p)
	}
	sequence, err := sequenceOf(d, q.Version)
	if err != nil {
		return OpenResult{}, err
	}
	r.Version = versionNumber(sequence)
	err = n.vault.Export(ctx, d.DID, q.To, vault.ExportOptions{Path: q.Path, Version: sequence, Progress: last})
	if err != nil {
		return OpenResult{}, about(err, "name", d.Name, "path", q.To)
	}
	return r, nil
}

// sequenceOf finds the newest version that people call by this number; 0 is
// the newest of all.
func sequenceOf(d vault.Dataset, number uint64) (uint64, error) {
	for i := len(d.Versions) - 1; i >= 0; i-- {
		if sequence := d.Versions[i].Sequence; number == 0 || versionNumber(sequence) == number {
			return sequence, nil
		}
	}
	return 0, about(vault.ErrNoVersion, "name", d.Name, "version", strconv.FormatUint(number, 10))
}

func (n *Node) lookup(name string) (vault.Dataset, error) {
	d, err := n.vault.Lookup(name)
	if err != nil {
		return vault.Dataset{}, about(err, "name", name)
	}
	return d, nil
}

// remove forgets a data set: grants on it end first, with a record each, so
// that no order of events leaves a passage open to what is gone.
func (n *Node) remove(ctx context.Context, q NameRequest, _ func(Progress)) (RemoveResult, error) {
	d, err := n.lookup(q.Name)
	if err != nil {
		return RemoveResult{}, err
	}
	r := RemoveResult{Name: d.Name, Dataset: string(d.DID), Received: d.From != ""}
	for _, g := range n.book.givenOn(d.DID) {
		if g.ended(n.now()) {
			continue
		}
		if _, err := n.end(ctx, g); err != nil {
			return r, err
		}
		r.Revoked++
	}
	if err := n.tellRemoved(ctx, d.DID); err != nil {
		return r, err
	}
	if err := n.withRoom(func() error { return n.vault.Remove(ctx, d.DID) }); err != nil {
		return r, about(err, "name", d.Name)
	}
	n.book.forgetDataset(d.DID)
	r.Notices = append([]Notice{{Key: "removed-flash"}}, n.eraseFromKits(ctx)...)
	return r, nil
}

// tellRemoved tells the grantees of a data set that is about to go that their
// grants are over, and keeps what they could not be told now.
func (n *Node) tellRemoved(ctx context.Context, dataset crypto.DID) error {
	n.tellNow(ctx, n.book.givenOn(dataset))
	var owed []vault.Fact
	for _, g := range n.book.givenOn(dataset) {
		if _, known := n.book.contactOf(g.Audience); known && g.revoked && !g.told {
			owed = append(owed, fact(factOwed, crypto.ContactScope(g.Audience), owedRecord{Owner: g.Audience, Record: g.record}))
		}
	}
	if len(owed) == 0 {
		return nil
	}
	return n.withRoom(func() error { return n.record(ctx, owed...) })
}

// tellNow tries once to tell grantees that their grants are over.
func (n *Node) tellNow(ctx context.Context, grants []given) {
	l, err := n.online()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pushPatience)
	defer cancel()
	for _, g := range grants {
		if g.revoked && !g.told {
			l.quietly(ctx, func(ctx context.Context) error { return l.pushRevocation(ctx, g) })
		}
	}
}

var errNotOurs = errors.New("the data set is somebody else's")

// ours finds a data set of this owner's, by name.
func (n *Node) ours(name string) (vault.Dataset, error) {
	d, err := n.lookup(name)
	if err != nil {
		return d, err
	}
	if d.From != "" {
		return d, problem.New(problem.Usage, "dataset.not-ours", "name", d.Name, "from", n.book.nameOf(d.From)).Because(errNotOurs)
	}
	return d, nil
}
