// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/traboule/traboule/crypto"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/importer"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// KindInfo is a kind of records that is described.
type KindInfo struct {
	Kind    string            `json:"kind"`
	Title   map[string]string `json:"title"`
	About   map[string]string `json:"about"`
	Holder  string            `json:"holder,omitempty"`
	Own     bool              `json:"own,omitempty"` // the owner has described it
	Columns []Column          `json:"columns"`

	// Description is the JSON Schema that all else was read from.
	Description json.RawMessage `json:"-"`
}

// KindsResult is the kinds that the owner has described, by name.
type KindsResult struct {
	Descriptions []json.RawMessage `json:"descriptions"`
}

// KindAddRequest describes a kind.
type KindAddRequest struct {
	Path        string `json:"path"`        // as people know it; told to them alone
	Description []byte `json:"description"` // JSON Schema
}

// KindAddResult says what became of it.
type KindAddResult struct {
	Kind      string            `json:"kind"`
	Title     map[string]string `json:"title"` // by language
	Fields    int               `json:"fields"`
	Replaced  bool              `json:"replaced,omitempty"`  // another description of the kind
	Unchanged bool              `json:"unchanged,omitempty"` // it was here already, to the byte
}

// KindRemoveResult says which kind is described no more.
type KindRemoveResult struct {
	Kind string `json:"kind"`
}

// MaxDescription is the longest description of a kind in bytes.
const MaxDescription = record.MaxSchema

// Limits of the kinds that an owner describes: they are in memory, in each
// recovery kit, and in one answer.
const (
	mostKinds     = 100
	mostKindBytes = 2 << 20
)

// ownKind is a kind that the owner describes: what it is from now on.
type ownKind struct {
	Kind        string `cbor:"kind"`
	Description []byte `cbor:"description"` // none: it is described no more
}

// applyOwnKind takes a description that was held against all rules when it was
// added: a later program may have a kind of the same name.
func (b *book) applyOwnKind(f ownKind, _ vault.Recorded) error {
	if len(f.Description) == 0 {
		delete(b.ownKinds, f.Kind)
		return nil
	}
	s, err := record.ParseSchema(f.Description)
	if err == nil {
		b.ownKinds[f.Kind] = s
	}
	return err
}

// ownKind finds a kind that the owner has described.
func (b *book) ownKind(name string) (*record.Schema, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.ownKinds[name]
	return s, ok
}

func (b *book) listKinds() []*record.Schema {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*record.Schema
	for _, name := range slices.Sorted(maps.Keys(b.ownKinds)) {
		list = append(list, b.ownKinds[name])
	}
	return list
}

// Kinds lists the kinds of the catalogue and, beside them, those that an owner
// has described.
func Kinds(own KindsResult) (list []KindInfo, err error) {
	for _, s := range catalogue.Kinds() {
		list = append(list, kindInfo(s))
	}
	for _, description := range own.Descriptions {
		s, err := record.ParseSchema(description)
		if err != nil {
			return nil, err
		}
		k := kindInfo(s)
		k.Own = true
		list = append(list, k)
	}
	return list, nil
}

func kindInfo(s *record.Schema) KindInfo {
	k := KindInfo{Kind: s.Kind, Title: titles(s.Words), About: map[string]string{}, Holder: s.Holder, Columns: columnsOf(s), Description: s.Document()}
	for lang, words := range s.Words {
		k.About[lang] = words.Description
	}
	return k
}

func (n *Node) kinds(context.Context, None, func(Progress)) (KindsResult, error) {
	r := KindsResult{Descriptions: []json.RawMessage{}}
	for _, s := range n.book.listKinds() {
		r.Descriptions = append(r.Descriptions, s.Document())
	}
	return r, nil
}

// kindAdd takes a description. One of a kind that a data set is of is not
// replaced: its rows would not be what it says.
func (n *Node) kindAdd(ctx context.Context, q KindAddRequest, _ func(Progress)) (KindAddResult, error) {
	s, err := catalogue.Load(q.Description)
	if err != nil {
		return KindAddResult{}, aboutDescription(err, q.Path)
	}
	if importer.Known(s.Kind) { // import --as would not know which is meant
		return KindAddResult{}, problem.New(problem.Exists, "description.taken-kind", "path", q.Path, "kind", s.Kind)
	}
	r := KindAddResult{Kind: s.Kind, Title: titles(s.Words), Fields: len(s.Fields)}
	before, there := n.book.ownKind(s.Kind)
	if r.Unchanged = there && bytes.Equal(before.Document(), q.Description); r.Unchanged {
		return r, nil
	}
	if r.Replaced = there; there {
		if err := n.kindUnused(ctx, s.Kind); err != nil {
			return KindAddResult{}, err
		}
	}
	if err := n.kindsFit(s); err != nil {
		return KindAddResult{}, err
	}
	return r, n.record(ctx, fact(factOwnKind, crypto.NodeScope, ownKind{Kind: s.Kind, Description: q.Description}))
}

// kindsFit refuses a kind when there are too many.
func (n *Node) kindsFit(more *record.Schema) error {
	count, size := 1, len(more.Document())
	for _, s := range n.book.listKinds() {
		if s.Kind != more.Kind {
			count++
			size += len(s.Document())
		}
	}
	if count > mostKinds || size > mostKindBytes {
		return problem.New(problem.Usage, "kinds.too-many", "most", strconv.Itoa(mostKinds), "bytes", strconv.Itoa(mostKindBytes))
	}
	return nil
}

func (n *Node) kindRemove(ctx context.Context, q NameRequest, _ func(Progress)) (KindRemoveResult, error) {
	if _, own := n.book.ownKind(q.Name); !own {
		if _, ours := catalogue.Kind(q.Name); ours {
			return KindRemoveResult{}, problem.New(problem.Usage, "kinds.not-own", "kind", q.Name)
		}
		return KindRemoveResult{}, problem.New(problem.NotFound, "records.no-kind", "kind", q.Name)
	}
	if err := n.kindUnused(ctx, q.Name); err != nil {
		return KindRemoveResult{}, err
	}
	return KindRemoveResult{q.Name}, n.record(ctx, fact(factOwnKind, crypto.NodeScope, ownKind{Kind: q.Name}))
}

// kindUnused refuses to touch a kind that a data set of ours is of. One that
// cannot be read now carries its description with it all the same.
func (n *Node) kindUnused(ctx context.Context, kind string) error {
	for _, d := range n.vault.Datasets() {
		if d.From != "" || d.Kind != storage.KindRecords || len(d.Versions) == 0 {
			continue
		}
		set, err := n.records(ctx, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && set.Schema().Kind == kind {
			return problem.New(problem.Usage, "kinds.used", "kind", kind, "name", d.Name)
		}
	}
	return nil
}

// kindNamed finds a kind, the owner's own first; nil for none.
func (n *Node) kindNamed(name string) (*record.Schema, error) {
	s, own := n.book.ownKind(name)
	if !own {
		s, _ = catalogue.Kind(name)
	}
	return s, nil
}

// aboutDescription says what is wrong with a description, where.
func aboutDescription(err error, path string) error {
	var w *catalogue.Wrong
	if !errors.As(err, &w) {
		return about(err, "path", path)
	}
	at := w.Pointer
	if at == "" {
		at = "/"
	}
	args := []string{"path", path, "at", at, "got", w.Got, "rule", w.Rule, "kind", w.Got, "line", w.Got, "most", w.Rule, "what", w.What}
	return problem.New(problem.Invalid, sentenceOf[w.Fault], args...).Because(err)
}

// sentenceOf is what people are told of each fault.
var sentenceOf = map[catalogue.Fault]string{
	catalogue.BrokenRule: "description.rule", catalogue.Missing: "description.missing", catalogue.Unknown: "description.unknown", catalogue.NoJSON: "description.no-json",
	catalogue.TooLong: "description.too-long", catalogue.NoSuchField: "description.no-field", catalogue.NoSuchZone: "description.no-zone",
	catalogue.NoSuchTerm: "description.no-term", catalogue.TakenKind: "description.taken-kind", catalogue.Unusable: "description.unusable",
}

// holdsRules refuses a row that breaks a rule of a kind of the owner's own.
func holdsRules(s *record.Schema, row record.Row) error {
	rules, err := catalogue.RulesOf(s)
	if err != nil {
		return err
	}
	if why := importer.Broken(rules, s.Kind, s.AppendJSON(nil, row)); why != nil {
		p := problem.New(problem.Usage, "import."+why.Code).Because(why)
		p.Args = why.Args
		return p
	}
	return nil
}
