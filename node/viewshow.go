// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/protocol/grant"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// ViewPreview is what would leave under a grant on records, if it were given
// and used now.
type ViewPreview struct {
	Columns []Column   `json:"columns"`
	Zone    string     `json:"zone"`             // as in [QueryResult]
	Begins  string     `json:"begins,omitempty"` // as in [QueryResult]
	By      string     `json:"by,omitempty"`
	Rows    int        `json:"rows"`
	First   time.Time  `json:"first,omitzero"` // when the first row begins
	Last    time.Time  `json:"last,omitzero"`
	Bytes   uint64     `json:"bytes"`
	Content string     `json:"content"`          // SHA-256 of what would be received, as [FetchResult] says it
	Sample  [][]string `json:"sample"`           // the first rows and the last
	Longer  int        `json:"longer,omitempty"` // rows that are longer than the buckets, and stay here
	Notices []Notice   `json:"notices"`
}

// sampleRows is how many rows a preview shows of the beginning, and of the end.
const sampleRows = 4

// grantedSpec is the view that a request for a grant on records names. Without
// columns it has all that are not about other people.
func (n *Node) grantedSpec(ctx context.Context, q GrantRequest, d vault.Dataset) (*record.Set, *view.View, error) {
	if len(q.Paths) > 0 {
		return nil, nil, problem.New(problem.Usage, "grant.paths-of-records", "name", d.Name)
	}
	set, err := n.records(ctx, d)
	if err != nil {
		return nil, nil, err
	}
	spec, err := q.View.spec(set)
	if err != nil {
		return nil, nil, err
	}
	if len(q.View.Columns) == 0 {
		spec.Columns = view.Default(set.Schema(), spec.Period, spec.Grid)
	}
	v, err := view.Parse(set.Schema(), spec)
	return set, v, about(err, "name", d.Name)
}

// isAsked says whether anything of a view is named.
func (q QueryRequest) isAsked() bool {
	return len(q.Columns)+len(q.Where) > 0 || q.From+q.To+q.By+q.Grid != ""
}

// onRecords makes a grant on records one of the view that was asked for.
func (n *Node) onRecords(ctx context.Context, q GrantRequest, d vault.Dataset, g grant.Grant) (grant.Grant, int, error) {
	if d.Kind != storage.KindRecords {
		if q.View.isAsked() {
			return g, 0, problem.New(problem.Usage, "grant.columns-of-files", "name", d.Name)
		}
		return g, 0, nil
	}
	set, v, err := n.grantedSpec(ctx, q, d)
	if err != nil {
		return g, 0, err
	}
	return grantView(g, v.Spec()), len(set.Operations()), nil
}

// tellZone says in which zone the days of a view are, if the data set is here.
func (n *Node) tellZone(ctx context.Context, line GrantLine) {
	if line.View == nil {
		return
	}
	if d, err := n.vault.Lookup(line.Dataset); err == nil {
		if set, err := n.records(ctx, d); err == nil {
			line.View.Zone = set.Schema().Zone
		}
	}
}

// previewGrant shows what a grant would give, cut and written as it would be.
func (n *Node) previewGrant(ctx context.Context, q GrantRequest, d vault.Dataset) (*ViewPreview, error) {
	if d.Kind != storage.KindRecords {
		return nil, problem.New(problem.Usage, "grant.preview-of-files", "name", d.Name)
	}
	set, v, err := n.grantedSpec(ctx, q, d)
	if err != nil {
		return nil, err
	}
	out := &tasting{}
	src := allOf(set)
	made, longer, err := writeView(ctx, v, src, out, record.NewSnapshot(v.Schema()), v.Parts(src, n.now()), out.see)
	if err != nil {
		return nil, about(err, "name", d.Name)
	}
	p := &ViewPreview{
		Columns: columnsOf(v.Schema()), Zone: v.Schema().Zone, Begins: v.Schema().Time, By: q.View.By, Rows: made.Len(), Bytes: out.bytes, Content: contentOf(out.objects), Longer: longer,
		Sample: append(texts(out.first), texts(out.last)...), Notices: []Notice{},
	}
	if first, last, ok := made.Span(); ok {
		p.First, p.Last = time.UnixMicro(first).UTC(), time.UnixMicro(last).UTC()
	}
	p.Notices = append(p.Notices, notesOn(v, longer)...)
	return p, nil
}

// notesOn is what the owner should know of a view that rows do not show.
func notesOn(v *view.View, longer int) (list []Notice) {
	if period := v.Spec().Period; period == view.Raw {
		list = append(list, Notice{Key: "preview.as-they-come"})
	} else {
		list = append(list, Notice{Key: "preview.closed", Args: map[string]string{"period": period.String()}})
	}
	if n := len(v.Spec().Rows); n > 1 {
		list = append(list, Notice{Key: "preview.conditions", Args: map[string]string{"n": fmt.Sprint(n)}})
	}
	if longer > 0 {
		list = append(list, Notice{Key: "preview.longer", Args: map[string]string{"n": fmt.Sprint(longer)}})
	}
	return list
}

// tasting takes what would be sealed and sent, and keeps what tells of it.
type tasting struct {
	objects     []objectSum
	bytes       uint64
	first, last []record.Row
}

type objectSum struct {
	path string
	sum  [32]byte
}

// Write counts an object.
func (t *tasting) Write(path string, content []byte) error {
	t.objects = append(t.objects, objectSum{path, sha256.Sum256(content)})
	t.bytes += uint64(len(content))
	return nil
}

// see keeps the first rows and the last.
func (t *tasting) see(rows []record.Row) {
	for _, r := range rows {
		if len(t.first) < sampleRows {
			t.first = append(t.first, r)
			continue
		}
		if t.last = append(t.last, r); len(t.last) > sampleRows {
			t.last = t.last[1:]
		}
	}
}

func texts(rows []record.Row) [][]string {
	list := [][]string{}
	for _, r := range rows {
		line := make([]string, len(r))
		for i, v := range r {
			line[i] = v.String()
		}
		list = append(list, line)
	}
	return list
}

// contentOf is one digest of the paths and contents of objects.
func contentOf(objects []objectSum) string {
	slices.SortFunc(objects, func(a, b objectSum) int { return cmp.Compare(a.path, b.path) })
	h := sha256.New()
	for _, o := range objects {
		fmt.Fprintf(h, "%d:%s%x", len(o.path), o.path, o.sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}
