// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// UndoRequest takes an operation on records back: an import, a correction.
type UndoRequest struct {
	Name   string `json:"name"`
	Number int    `json:"number,omitempty"` // as `show` lists it; 0: the last that can be taken back
}

// CorrectRequest corrects one row by hand, or takes it out.
type CorrectRequest struct {
	Name   string            `json:"name"`
	Row    string            `json:"row"`              // as a query with numbers shows it: r1042
	Values map[string]string `json:"values,omitempty"` // by field; an empty one takes the value away
	Delete bool              `json:"delete,omitempty"`
	Reason string            `json:"reason"`
}

// ChangedRecords says what became of a data set of records.
type ChangedRecords struct {
	Name      string          `json:"name"`
	Operation RecordOperation `json:"operation"`
	Rows      int             `json:"rows"` // that count now
	Before    int             `json:"before"`
}

// RecordOperation is one line of what was done to a data set of records.
type RecordOperation struct {
	Number    int       `json:"number"`
	Kind      string    `json:"kind"` // import, edit, delete, undo
	Time      time.Time `json:"time"`
	Files     []string  `json:"files,omitempty"`
	Format    string    `json:"format,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	New       int       `json:"new,omitempty"`
	Here      int       `json:"here,omitempty"`
	Corrected int       `json:"corrected,omitempty"`
	Rejected  int       `json:"rejected,omitempty"`
	Undoes    int       `json:"undoes,omitempty"`
	Undone    bool      `json:"undone,omitempty"`
}

func recordOperation(o record.Operation) RecordOperation {
	return RecordOperation{
		Number: o.Number, Kind: string(o.Kind), Time: time.Unix(o.When, 0), Files: o.Files, Format: o.Format, Reason: o.Reason,
		New: o.New, Here: o.Here, Corrected: o.Corrected, Rejected: o.Rejected, Undoes: o.Undoes, Undone: o.Undone,
	}
}

func (n *Node) undo(ctx context.Context, q UndoRequest, _ func(Progress)) (ChangedRecords, error) {
	return n.changeRecords(ctx, q.Name, func(set *record.Set, w *vault.Writer) (record.Change, error) {
		number := q.Number
		if number == 0 {
			number = lastOf(set)
		}
		if number == 0 {
			return record.Change{}, problem.New(problem.NotFound, "records.nothing-to-undo", "name", q.Name)
		}
		change, err := set.Undo(w, number, n.now().Unix())
		return change, aboutOperation(err, q.Name, number)
	})
}

// lastOf is the number of the last operation that can be taken back, or 0.
func lastOf(set *record.Set) int {
	all := set.Operations()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Kind != record.Undid && !all[i].Undone {
			return all[i].Number
		}
	}
	return 0
}

func aboutOperation(err error, name string, number int) error {
	switch {
	case errors.Is(err, record.ErrNoSuch):
		return problem.New(problem.NotFound, "records.no-operation", "name", name, "number", strconv.Itoa(number)).Because(err)
	case errors.Is(err, record.ErrUndone):
		return problem.New(problem.Usage, "records.undone", "name", name, "number", strconv.Itoa(number)).Because(err)
	case errors.Is(err, record.ErrNotUndone):
		return problem.New(problem.Usage, "records.not-undone", "name", name, "number", strconv.Itoa(number)).Because(err)
	}
	return err
}

func (n *Node) correct(ctx context.Context, q CorrectRequest, _ func(Progress)) (ChangedRecords, error) {
	number, err := record.ParseNumber(q.Row)
	if err != nil {
		return ChangedRecords{}, problem.New(problem.Usage, "records.bad-row", "row", q.Row).Because(err)
	}
	if len(q.Reason) > record.MaxReason || !utf8.ValidString(q.Reason) {
		return ChangedRecords{}, problem.New(problem.Usage, "records.bad-reason", "most", strconv.Itoa(record.MaxReason))
	}
	return n.changeRecords(ctx, q.Name, func(set *record.Set, w *vault.Writer) (record.Change, error) {
		now := n.now().Unix()
		if q.Delete {
			change, err := set.Delete(w, []record.Number{number}, q.Reason, now)
			return change, aboutRow(err, q)
		}
		row, err := set.Row(ctx, number)
		if err != nil {
			return record.Change{}, aboutRow(err, q)
		}
		for name, text := range q.Values {
			i, ok := set.Schema().Index(name)
			if !ok {
				return record.Change{}, problem.New(problem.NotFound, "records.no-field", "name", q.Name, "field", name)
			}
			if row[i], err = set.Schema().Fields[i].ParseText(text); err != nil {
				return record.Change{}, problem.New(problem.Usage, "records.bad-value-"+string(set.Schema().Fields[i].Type), "field", name, "value", text).Because(err)
			}
		}
		if err := set.Schema().Check(row); err != nil {
			return record.Change{}, problem.New(problem.Usage, "records.bad-rows", "name", q.Name, "why", err.Error()).Because(err)
		}
		if err := holdsRules(set.Schema(), row); err != nil {
			return record.Change{}, err
		}
		change, err := set.Edit(ctx, w, number, row, q.Reason, now)
		return change, aboutRow(err, q)
	})
}

func aboutRow(err error, q CorrectRequest) error {
	if errors.Is(err, record.ErrNoRow) || errors.Is(err, record.ErrNotCounted) {
		return problem.New(problem.NotFound, "records.no-row", "name", q.Name, "row", q.Row).Because(err)
	}
	return err
}

// changeRecords makes a change of a data set of records its next version.
func (n *Node) changeRecords(ctx context.Context, name string, do func(*record.Set, *vault.Writer) (record.Change, error)) (ChangedRecords, error) {
	d, err := n.ours(name)
	if err != nil {
		return ChangedRecords{}, err
	}
	if d.Kind != storage.KindRecords {
		return ChangedRecords{}, problem.New(problem.Usage, "records.not", "name", d.Name)
	}
	if err := n.raised(ctx, d.DID); err != nil {
		return ChangedRecords{}, about(err, "name", d.Name)
	}
	w, err := n.vault.Begin(ctx, vault.Target{Dataset: d.DID, Time: n.now()})
	if err != nil {
		return ChangedRecords{}, about(err, "name", d.Name)
	}
	defer w.Abort()
	if d, err = n.ours(string(d.DID)); err != nil { // what another has written meanwhile
		return ChangedRecords{}, err
	}
	set, err := n.records(ctx, d)
	if err != nil {
		return ChangedRecords{}, err
	}
	change, err := do(set, w)
	if err != nil {
		return ChangedRecords{}, err
	}
	r := ChangedRecords{Name: d.Name, Rows: change.Set.Len(), Before: set.Len()}
	if change.Operation != nil {
		r.Operation = recordOperation(*change.Operation)
	}
	if !change.Written {
		return r, nil
	}
	return r, about(n.commit(ctx, w, change), "name", d.Name)
}
