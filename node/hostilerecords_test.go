// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/traboule/traboule/crypto/canonical"
	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// segment is the only one there is.
func (o objectsInMemory) segment() string {
	for path := range o {
		if strings.HasPrefix(path, "rows/") {
			return path
		}
	}
	return ""
}

// A hostile log: what the page on records says, without anything being right.
type (
	hostileHead struct {
		Version  int                `cbor:"v"`
		Next     uint64             `cbor:"next"`
		Older    []int              `cbor:"old,omitempty"`
		Segments []hostileSegment   `cbor:"rows,omitempty"`
		Tail     []hostileOperation `cbor:"tail,omitempty"`
	}
	hostileSegment struct {
		_       struct{} `cbor:",toarray"`
		Numbers []byte
		Least   int64
		Most    int64
		Dated   int
	}
	hostileOperation struct {
		Kind     string `cbor:"k"`
		When     int64  `cbor:"t"`
		Undoes   int    `cbor:"u,omitempty"`
		New      int    `cbor:"n,omitempty"`
		Covers   []byte `cbor:"o,omitempty"`
		Replaces []byte `cbor:"p,omitempty"`
		Removes  []byte `cbor:"d,omitempty"`
	}
)

// saying changes what the log says.
func saying(change func(h *hostileHead)) func(*testing.T, objectsInMemory) {
	return func(t *testing.T, o objectsInMemory) {
		var h hostileHead
		if err := canonical.Unmarshal(o["log"], &h); err != nil {
			t.Fatal(err)
		}
		change(&h)
		o["log"] = canonical.MustMarshal(h)
	}
}

// footer changes what the Parquet file says of itself.
func footer(change func(m *format.FileMetaData)) func(*testing.T, objectsInMemory) {
	return func(t *testing.T, o objectsInMemory) {
		b := o[o.segment()]
		end := len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:]))
		var m format.FileMetaData
		if err := thrift.Unmarshal(new(thrift.CompactProtocol), b[end:len(b)-8], &m); err != nil {
			t.Fatal(err)
		}
		change(&m)
		said, err := thrift.Marshal(new(thrift.CompactProtocol), &m)
		if err != nil {
			t.Fatal(err)
		}
		o[o.segment()] = append(binary.LittleEndian.AppendUint32(slices.Concat(b[:end], said), uint32(len(said))), "PAR1"...)
	}
}

// page puts another page in the place of a column's only one: it says so many
// bytes and unfolds to what it likes.
func page(says int, unfolded io.Reader) func(*testing.T, objectsInMemory) {
	return func(t *testing.T, o objectsInMemory) {
		var packed bytes.Buffer
		w, err := zstd.NewWriter(&packed)
		if err == nil {
			_, err = io.Copy(w, unfolded)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		body := packed.Bytes()
		path := o.segment()
		var header []byte
		footer(func(m *format.FileMetaData) {
			c := &m.RowGroups[0].Columns[0].MetaData
			var head format.PageHeader
			if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(bytes.NewReader(o[path][c.DataPageOffset:]))).Decode(&head); err != nil {
				t.Fatal(err)
			}
			head.UncompressedPageSize, head.CompressedPageSize = int32(says), int32(len(body))
			if header, err = thrift.Marshal(new(thrift.CompactProtocol), &head); err != nil {
				t.Fatal(err)
			}
			c.DictionaryPageOffset, c.TotalUncompressedSize = 0, int64(says)
			c.DataPageOffset = 4
		})(t, o)
		b := o[path]
		end := len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:]))
		o[path] = slices.Concat([]byte("PAR1"), header, body, b[end:]) // the other columns are nowhere
	}
}

type zero struct{}

func (zero) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

func uvarints(n ...uint64) (b []byte) {
	for _, v := range n {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// hostile are ways to spoil a data set of records with one segment.
var hostile = map[string]func(*testing.T, objectsInMemory){
	"a footer of a gigabyte": func(_ *testing.T, o objectsInMemory) {
		b := bytes.Clone(o[o.segment()])
		binary.LittleEndian.PutUint32(b[len(b)-8:], 1<<30)
		o[o.segment()] = b
	},
	"a footer of lists": func(_ *testing.T, o objectsInMemory) {
		said := bytes.Repeat([]byte{0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f}, 1<<16)
		o[o.segment()] = append(binary.LittleEndian.AppendUint32(append([]byte("PAR1"), said...), uint32(len(said))), "PAR1"...)
	},
	"a file cut off":     func(_ *testing.T, o objectsInMemory) { o[o.segment()] = o[o.segment()][:len(o[o.segment()])/2] },
	"no file":            func(_ *testing.T, o objectsInMemory) { o[o.segment()] = []byte("PAR1") },
	"more rows than fit": footer(func(m *format.FileMetaData) { m.NumRows, m.RowGroups[0].NumRows = 1<<40, 1<<40 }),
	"more rows than there are": footer(func(m *format.FileMetaData) {
		m.NumRows, m.RowGroups[0].NumRows = 100_000, 100_000
		for i := range m.RowGroups[0].Columns {
			m.RowGroups[0].Columns[i].MetaData.NumValues = 100_000
		}
	}),
	"two row groups":     footer(func(m *format.FileMetaData) { m.RowGroups = append(m.RowGroups, m.RowGroups[0]) }),
	"no columns":         footer(func(m *format.FileMetaData) { m.Schema, m.RowGroups[0].Columns = m.Schema[:1], nil }),
	"a column of 2^62":   footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.TotalUncompressedSize = 1 << 62 }),
	"a page beyond":      footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.DataPageOffset = 1 << 40 }),
	"a page before":      footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.DataPageOffset = -7 }),
	"a page in the page": footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.DataPageOffset++ }),
	"another type":       footer(func(m *format.FileMetaData) { m.Schema[1].Type = thrift.New(format.Float) }),
	"a dictionary that is none": footer(func(m *format.FileMetaData) {
		m.RowGroups[0].Columns[0].MetaData.DictionaryPageOffset = m.RowGroups[0].Columns[0].MetaData.DataPageOffset
	}),
	"a bomb":              page(100, zeros(300<<20)),
	"a bomb that says so": page(300<<20, zeros(300<<20)),
	"a bomb that fits":    page(60<<20, zeros(60<<20)),
	"a page too short":    page(1000, zeros(1)),

	"no log":           func(_ *testing.T, o objectsInMemory) { delete(o, "log") },
	"no schema":        func(_ *testing.T, o objectsInMemory) { delete(o, "schema.json") },
	"a log of nothing": func(_ *testing.T, o objectsInMemory) { o["log"] = nil },
	"a log cut off":    func(_ *testing.T, o objectsInMemory) { o["log"] = o["log"][:len(o["log"])-1] },
	"a log and more":   func(_ *testing.T, o objectsInMemory) { o["log"] = append(bytes.Clone(o["log"]), 0) },
	"a log of 17 MiB": func(_ *testing.T, o objectsInMemory) {
		o["log"] = append(bytes.Clone(o["log"]), make([]byte, 17<<20)...)
	},
	"a segment that is not":   func(_ *testing.T, o objectsInMemory) { delete(o, o.segment()) },
	"an old part that is not": saying(func(h *hostileHead) { h.Older = []int{1} }),
	"numbers beyond all":      saying(func(h *hostileHead) { h.Next = math.MaxUint64 }),
	"numbers twice":           saying(func(h *hostileHead) { h.Segments = append(h.Segments, h.Segments[0]) }),
	"no numbers":              saying(func(h *hostileHead) { h.Segments[0].Numbers = nil }),
	"more numbers than rows":  saying(func(h *hostileHead) { h.Next++; h.Segments[0].Numbers = uvarints(0, h.Next) }),
	"a segment of 2^48":       saying(func(h *hostileHead) { h.Next = 1<<48 - 1; h.Segments[0].Numbers = uvarints(0, h.Next) }),
	"an hour that is not":     saying(func(h *hostileHead) { h.Segments[0].Least -= 3600e6 }),
	"no hours":                saying(func(h *hostileHead) { h.Segments[0] = hostileSegment{Numbers: h.Segments[0].Numbers} }),
	"ranges that touch":       saying(func(h *hostileHead) { h.Tail[0].Covers = uvarints(0, 1, 0, 1) }),
	"ranges without end": saying(func(h *hostileHead) {
		h.Next = 1 << 40
		h.Tail[0].Covers = bytes.Repeat([]byte{1, 1}, 8<<20-1000)
	}),
	"pairs without end": saying(func(h *hostileHead) {
		h.Next = 1 << 40
		h.Tail[0].Replaces = bytes.Repeat([]byte{1, 4, 1}, 5<<20)
	}),
	"an undoing of itself":    saying(func(h *hostileHead) { h.Tail = append(h.Tail, hostileOperation{Kind: "undo", Undoes: 2}) }),
	"an undoing of the next":  saying(func(h *hostileHead) { h.Tail = append(h.Tail, hostileOperation{Kind: "undo", Undoes: 3}) }),
	"an operation of no kind": saying(func(h *hostileHead) { h.Tail[0].Kind = "grow" }),
	"rows below 0":            saying(func(h *hostileHead) { h.Tail[0].New = -1 }),
	"a schema of 1 MiB": func(_ *testing.T, o objectsInMemory) {
		o["schema.json"] = bytes.Replace(o["schema.json"], []byte("{"), append([]byte("{"), bytes.Repeat([]byte(" "), 1<<20)...), 1)
	},
	"a schema of braces": func(_ *testing.T, o objectsInMemory) {
		o["schema.json"] = bytes.Repeat([]byte(`{"properties":`), 10_000)
	},
}

// harmless are those that say something odd, and can be read all the same.
var harmless = map[string]func(*testing.T, objectsInMemory){
	"nulls that are none": footer(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.Statistics.NullCount = 3 }),
	"pairs in a circle": saying(func(h *hostileHead) {
		h.Tail[0].Replaces = uvarints(0, 2, 1, 0, 3, 1) // 0 by 1, and 1, which is 2 behind the next, by 0
	}),
	"objects of nobody": func(_ *testing.T, o objectsInMemory) { o["rows/7000-1"], o["x/y"] = []byte("x"), nil },
}

// TestHostileRecordsAreNotTakenOver: whatever a giver sends in the place of a
// view, with its own good signature, the grantee is told, keeps what it had and
// goes on.
func TestHostileRecordsAreNotTakenOver(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.reads(m.at(11, 18, 0), 1, 2, 3, 4, 5, 6)
	ask := QueryRequest{Columns: []string{"start", "energy/sum"}, By: "hour", From: "2026-11-18", To: "2026-11-18"}
	id := do(m.person, Grant, GrantRequest{Name: "meter", To: "bob", View: ask}).Grant.ID
	do(bob, Fetch, FetchRequest{Grant: id})
	before := bob.rows("meter")
	good, name := m.served(bob, id)
	spoil := maps.Clone(hostile)
	maps.Copy(spoil, map[string]func(*testing.T, objectsInMemory){
		"another column": func(_ *testing.T, o objectsInMemory) {
			o["schema.json"] = bytes.ReplaceAll(o["schema.json"], []byte(`"energySum"`), []byte(`"energyMax"`))
		},
		"a column more": func(_ *testing.T, o objectsInMemory) {
			o["schema.json"] = bytes.Replace(o["schema.json"], []byte(`"properties":{`), []byte(`"properties":{"label":{"type":"string","title":"L"},`), 1)
		},
		"rows of the day before": func(_ *testing.T, o objectsInMemory) {
			clear(o)
			maps.Copy(o, m.cut(QueryRequest{Columns: ask.Columns, By: ask.By}))
		},
	})
	m.reads(m.at(11, 17, 0), 1, 2)
	for _, what := range slices.Sorted(maps.Keys(spoil)) {
		o := maps.Clone(good)
		spoil[what](t, o)
		truth := m.lie(&forger{view: m.serve(name, o)})
		began := time.Now()
		fails(bob, Fetch, FetchRequest{Grant: id}, "fetch.lied")
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: told after %v", what, took)
		}
		if got := bob.rows("meter"); !slices.Equal(got, before) {
			t.Fatalf("%s: the grantee sees %q", what, got)
		}
		truth()
	}
	bob.sound()
	for _, what := range slices.Sorted(maps.Keys(harmless)) {
		o := maps.Clone(good)
		harmless[what](t, o)
		truth := m.lie(&forger{view: m.serve(name, o)})
		do(bob, Fetch, FetchRequest{Grant: id})
		bob.rows("meter")
		bob.sound()
		truth()
	}
}

// served is what was last cut of a view under a grant, and the view's name.
func (m meter) served(to *person, id string) (objectsInMemory, string) {
	m.t.Helper()
	r, err := to.receivedNamed(id)
	if err != nil {
		m.t.Fatal(err)
	}
	name, o := viewName(grantedView(r.grant), r.grant.Audience), objectsInMemory{}
	last, ok := m.vault.LastView(r.Dataset, name)
	if !ok {
		m.t.Fatal("nothing was served")
	}
	list, err := m.vault.ObjectsAt(m.t.Context(), last.Head)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, info := range list {
		if o[info.Path], err = m.vault.ObjectAt(m.t.Context(), last.Head, info.Path); err != nil {
			m.t.Fatal(err)
		}
	}
	return o, name
}

// serve gives objects out as if they were a view.
func (m meter) serve(name string, o objectsInMemory) func(context.Context) (vault.SignedHead, error) {
	m.t.Helper()
	d, err := m.vault.Lookup(m.name)
	if err != nil {
		m.t.Fatal(err)
	}
	return func(ctx context.Context) (vault.SignedHead, error) {
		w, err := m.vault.BeginView(ctx, d.DID, name)
		if err != nil {
			return vault.SignedHead{}, err
		}
		defer w.Abort()
		for path, content := range o {
			if err := w.Write(path, content); err != nil {
				return vault.SignedHead{}, err
			}
		}
		return w.Commit(ctx, m.now())
	}
}

// cut is another view of the meter.
func (m meter) cut(q QueryRequest) objectsInMemory {
	m.t.Helper()
	set, err := m.set()
	if err != nil {
		m.t.Fatal(err)
	}
	spec, err := q.spec(set)
	if err != nil {
		m.t.Fatal(err)
	}
	v, err := view.Parse(set.Schema(), spec)
	if err != nil {
		m.t.Fatal(err)
	}
	o, src := objectsInMemory{}, allOf(set)
	if _, _, err := writeView(m.t.Context(), v, src, o, record.NewSnapshot(v.Schema()), v.Parts(src, m.now()), nil); err != nil {
		m.t.Fatal(err)
	}
	return o
}

// TestOtherHeadsOfAView: a giver who goes back to an older state of a view,
// signs two with one number or sends another view than the grant says is told
// of, and the grantee keeps what it had.
func TestOtherHeadsOfAView(t *testing.T) {
	t.Parallel()
	m, bob := viewers(t)
	m.reads(m.at(11, 17, 0), 1, 2)
	g := do(m.person, Grant, GrantRequest{Name: "meter", To: "bob", View: daily}).Grant
	do(bob, Fetch, FetchRequest{Grant: g.ID})
	old, name := m.served(bob, g.ID)
	first, _ := m.vault.LastView(must(m.vault.Lookup("meter")).DID, name)
	m.reads(m.at(11, 18, 0), 3, 4)
	m.morning(11, 21)
	do(bob, Fetch, FetchRequest{Grant: g.ID})
	before := bob.rows("meter")
	last, _ := m.vault.LastView(first.Dataset, name)
	as := func(h vault.SignedHead) *forger {
		return &forger{view: func(context.Context) (vault.SignedHead, error) { return h, nil }}
	}
	wider := storage.RowsView([]byte("another"))
	for _, c := range []struct {
		what, key string
		lie       *forger
	}{
		{"the head before", "fetch.old-head", as(first)},
		{"an older number", "fetch.old-head", &forger{view: m.serve(name, old), head: func(h *storage.Head) { h.Sequence = first.Sequence - 1 }}},
		{"another state of this number", "fetch.equivocated", &forger{view: m.serve(name, old), head: func(h *storage.Head) { h.Sequence = last.Sequence }}},
		{"another time of this number", "fetch.equivocated", &forger{view: as(last).view, head: func(h *storage.Head) { h.Time++ }}},
		{"the whole data set", "fetch.lied", &forger{}},
		{"the whole data set by the view's name", "fetch.lied", &forger{head: func(h *storage.Head) { h.View, h.Sequence = name, last.Sequence+1 }}},
		{"another view", "fetch.lied", &forger{view: m.serve(wider, m.cut(QueryRequest{By: "hour"})), head: func(h *storage.Head) { h.Sequence = last.Sequence + 1 }}},
		{"a finer view by this one's name", "fetch.lied", &forger{view: m.serve(name, m.cut(QueryRequest{}))}},
		{"paths", "fetch.lied", &forger{head: func(h *storage.Head) { h.View = must(storage.ParsePaths([]string{"log"})).View() }}},
	} {
		truth := m.lie(c.lie)
		for range 2 {
			p := fails(bob, Fetch, FetchRequest{Grant: g.ID}, c.key)
			if p.Kind != problem.Misbehaviour || p.Args["contact"] != "alice" {
				t.Errorf("%s: bob reads %+v", c.what, p)
			}
		}
		if got := bob.rows("meter"); !slices.Equal(got, before) {
			t.Errorf("%s: bob sees %q", c.what, got)
		}
		truth()
	}
	if lines := bob.events("equivocated"); len(lines) != 2 {
		t.Errorf("the evidence is %+v", lines)
	}
	m.reads(m.at(11, 19, 0), 5)
	m.morning(11, 22)
	do(bob, Fetch, FetchRequest{Grant: g.ID})
	if diff := cmp.Diff(m.days(), bob.rows("meter")); diff != "" {
		t.Error(diff)
	}
	bob.restart()
	bob.sound()
}
