// SPDX-License-Identifier: Apache-2.0

package node

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage"
	"github.com/traboule/traboule/storage/catalogue"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// trail is a node with five years of positions, up to its present moment.
type trail struct {
	*Node
	b      *testing.B
	clock  *clock
	schema *record.Schema
}

const steps = 2_000_000

// newTrail lets a phone have said where it is every 80 seconds, which one
// import brought.
func newTrail(b *testing.B) *trail {
	b.Helper()
	schema, ok := catalogue.Kind("positions")
	if !ok {
		b.Fatal("no such kind")
	}
	home := filepath.Join(b.TempDir(), "home")
	if _, err := Create(b.Context(), CreateOptions{Home: home, Passphrase: []byte(passphrase), Weak: true}); err != nil {
		b.Fatal(err)
	}
	t := &trail{b: b, clock: newClock(), schema: schema}
	n, err := OpenHome(b.Context(), Options{Home: home, Secret: Secret{Passphrase: []byte(passphrase)}, Now: t.clock.now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := n.Close(); err != nil {
			b.Error(err)
		}
	})
	t.Node = n
	r := rand.New(rand.NewPCG(1, 2))
	t.clock.at = time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	lat, lon := 457500000.0, 48300000.0
	t.takeIn(vault.Target{Name: "trail", Kind: storage.KindRecords}, func(add func(time.Time, int64, int64)) {
		for range steps {
			t.clock.advance(time.Minute + time.Duration(r.Int64N(40e3))*time.Millisecond)
			lat, lon = lat+r.NormFloat64()*3000, lon+r.NormFloat64()*4000
			add(t.clock.at, int64(lat), int64(lon))
		}
	})
	t.clock.advance(time.Hour)
	return t
}

// takeIn makes a version with more positions.
func (t *trail) takeIn(to vault.Target, each func(add func(at time.Time, lat, lon int64))) {
	t.b.Helper()
	ctx := t.b.Context()
	if to.Time = t.now(); to.Name == "" {
		to.Dataset = t.dataset().DID
	}
	w, err := t.vault.Begin(ctx, to)
	if err != nil {
		t.b.Fatal(err)
	}
	defer w.Abort()
	set, err := record.Create(t.schema, w)
	if to.Name == "" {
		set, err = t.records(ctx, t.dataset())
	}
	if err != nil {
		t.b.Fatal(err)
	}
	im, row := set.Import(ctx, w), make(record.Row, len(t.schema.Fields))
	put := func(field string, v record.Value) {
		i, _ := t.schema.Index(field)
		row[i] = v
	}
	put("source", record.Str("gps"))
	put("device", record.Str("-1042357901"))
	each(func(at time.Time, lat, lon int64) {
		place, err := record.E7(lat, lon)
		if err != nil {
			t.b.Fatal(err)
		}
		put("time", record.At(at))
		put("place", place)
		put("accuracy", record.Dec(at.UnixMilli()%60, 0))
		if err := im.Add(row); err != nil {
			t.b.Fatal(err)
		}
	})
	change, err := im.Finish(record.Meta{When: t.now().Unix(), Format: "test"})
	if err == nil {
		err = t.commit(ctx, w, change)
	}
	if err != nil {
		t.b.Fatal(err)
	}
}

func (t *trail) dataset() vault.Dataset {
	t.b.Helper()
	d, err := t.vault.Lookup("trail")
	if err != nil {
		t.b.Fatal(err)
	}
	return d
}

// cut brings a view up to date, as whoever was granted it has it cut.
func (t *trail) cut(spec view.Spec) (rows int, took time.Duration) {
	t.b.Helper()
	began := time.Now()
	d := t.dataset()
	v, err := t.viewAsked(t.b.Context(), d, spec)
	if err != nil {
		t.b.Fatal(err)
	}
	_, rows, err = t.cutView(t.b.Context(), d.DID, v, given{givenFact: givenFact{Dataset: d.DID, Audience: t.keys.Owner().DID()}})
	if err != nil {
		t.b.Fatal(err)
	}
	return rows, time.Since(began)
}

// BenchmarkRecordsView has views over 2,000,000 positions follow a row more: one
// of now, in the month that grows, and one of years ago that comes late.
func BenchmarkRecordsView(b *testing.B) {
	t := newTrail(b)
	for _, c := range []struct {
		name string
		spec view.Spec
	}{
		{"hours", view.Spec{Columns: []string{"time", "place/1km", "accuracy/max"}, Period: view.Hour, Grid: view.Kilometre}},
		{"days", view.Spec{Columns: []string{"time", "place/10km"}, Period: view.Day, Grid: view.TenKilometres}},
		{"raw", view.Spec{Columns: []string{"time", "place", "accuracy"}}},
	} {
		c.spec.Rows, c.spec.From, c.spec.To = []string{view.AllRows}, view.Earliest, view.Latest
		b.Run(c.name, func(b *testing.B) {
			t.b = b
			_, first := t.cut(c.spec)
			var now, late []time.Duration
			var used time.Duration
			for b.Loop() {
				for range 15 {
					took, cost := t.follows(c.spec, 0)
					now, used = append(now, took), used+cost
					took, cost = t.follows(c.spec, -3)
					late, used = append(late, took), used+cost
				}
			}
			b.ReportMetric(float64(used)/1e6/float64(len(now)+len(late)), "cpu-ms")
			b.ReportMetric(first.Seconds()*1e3, "first-ms")
			b.ReportMetric(middle(now), "ms")
			b.ReportMetric(middle(late), "late-ms")
		})
	}
}

// follows is how long a view is cut after a position more, when what was said
// of it may be seen, and what this process uses of the processors meanwhile.
func (t *trail) follows(spec view.Spec, years int) (took, used time.Duration) {
	t.b.Helper()
	before, _ := t.cut(spec)
	t.takeIn(vault.Target{}, func(add func(time.Time, int64, int64)) { add(t.now().AddDate(years, 0, 0), 457578137, 0) })
	t.clock.advance(24 * time.Hour)
	used = processorTime(t.b)
	rows, took := t.cut(spec)
	used = processorTime(t.b) - used
	if rows != before+1 {
		t.b.Fatalf("%d rows after %d", rows, before)
	}
	return took, used
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func middle(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)/2]) / 1e6
}
