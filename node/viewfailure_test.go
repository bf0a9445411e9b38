// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/traboule/traboule/node/problem"
	"github.com/traboule/traboule/storage/disk/disktest"
	"github.com/traboule/traboule/storage/record"
	"github.com/traboule/traboule/storage/vault"
)

// days are the sums of each day, reckoned from the rows that count, one by one.
func (m meter) days() (list []string) {
	m.t.Helper()
	set, err := m.set()
	if err != nil {
		m.t.Fatal(err)
	}
	sums := map[time.Time]int64{}
	start, _ := m.schema.Index("start")
	energy, _ := m.schema.Index("energy")
	err = set.Rows(m.t.Context(), record.Query{}, func(_ record.Number, r record.Row) error {
		n, scale := r[energy].Unscaled()
		for ; scale < 3; scale++ {
			n *= 10
		}
		year, month, day := r[start].Time().In(m.schema.Location()).Date()
		sums[time.Date(year, month, day, 0, 0, 0, 0, m.schema.Location())] += n
		return nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
	for day, n := range sums {
		list = append(list, record.At(day).String()+" "+record.Dec(n, 3).String())
	}
	slices.Sort(list)
	return list
}

// withView has the giver give days of a meter, of which a month has been
// fetched and another is to come, with a correction of the first.
func (s *strained) withView() {
	s.t.Helper()
	s.meter = newMeter(s.alice)
	s.meter.morning(11, 20)
	s.meter.reads(s.meter.at(10, 31, 22), 1, 2, 3, 4, 5, 6)
	s.view = do(s.alice, Grant, GrantRequest{Name: "meter", To: "bob", View: daily}).Grant.ID
	do(s.bob, Fetch, FetchRequest{Grant: s.view})
	s.seen = s.bob.rows("meter")
	s.meter.reads(s.meter.at(11, 1, 0), 3, 50)
	s.meter.reads(s.meter.at(11, 19, 8), 7, 8, 9)
	s.meter.morning(11, 21)
}

// fetchView is a chore: the giver cuts what is new, the grantee takes it.
func (s *strained) fetchView() error {
	err := try(s.bob, Fetch, FetchRequest{Grant: s.view})
	if got := s.bob.rows("meter"); !slices.Equal(got, s.meter.days()) && (err == nil || !slices.Equal(got, s.seen)) {
		s.t.Errorf("after %v the grantee sees %q", err, got)
	}
	return err
}

// wantView fetches, and compares with what the giver is shown, and with the rows.
func (s *strained) wantView() {
	s.t.Helper()
	shown := do(s.alice, Grant, GrantRequest{Name: "meter", To: "bob", View: daily, Preview: true}).Preview
	got := do(s.bob, Fetch, FetchRequest{Grant: s.view})
	if diff := cmp.Diff(s.meter.days(), s.bob.rows("meter")); diff != "" || len(s.meter.days()) != 3 {
		s.t.Errorf("the grantee sees %s", diff)
	}
	if _, content, err := s.bob.tasteReceived(s.t.Context(), must(s.bob.vault.Lookup("meter")).Versions[0], grantedView(must(s.bob.receivedNamed(s.view)).grant)); err != nil || content != shown.Content {
		s.t.Errorf("the preview shows %+v, fetched %+v: %v", shown, got, err)
	}
}

// glimpse is what has been acknowledged of a meter and of the days of it that
// somebody else sees. What is on its way is known when it has arrived.
type glimpse struct {
	doing string
	rows  []string           // at the giver's
	grant string             // "" as long as there is none
	days  []string           // at the grantee's
	heads []vault.SignedHead // that the grantee has had
	then  *glimpse           // when what is on its way has arrived
}

// sight is two nodes of which one lets the other see days of a meter, to which
// readings come, late ones and corrections among them.
type sight struct {
	*deal
	meter
	now glimpse
}

func (s *sight) act(doing string, do func()) {
	s.t.Helper()
	s.now.doing, s.now.then = doing, &glimpse{}
	then := s.now.then
	s.mark()
	do()
	s.now.doing, s.now.then = "", nil
	*then = s.now
	s.mark()
}

func (s *sight) mark() {
	for _, rec := range s.recs {
		rec.Mark(s.now)
	}
}

func (s *sight) read(at time.Time, wattHours ...int) {
	s.t.Helper()
	s.act("read", func() {
		s.reads(at, wattHours...)
		s.now.rows = s.person.rows("meter")
	})
}

func (s *sight) fetch() {
	s.t.Helper()
	bob := s.sides[1]
	s.act("fetch", func() {
		do(bob, Fetch, FetchRequest{Grant: s.now.grant})
		s.now.days = bob.rows("meter")
		d, err := bob.vault.Lookup("meter")
		if err != nil {
			s.t.Fatal(err)
		}
		have, err := bob.vault.Versions(d.DID)
		if err != nil {
			s.t.Fatal(err)
		}
		s.now.heads = append(slices.Clone(s.now.heads), have...)
	})
}

func newSight(t *testing.T, seed uint64) *sight {
	t.Helper()
	d := newDealAt(t, seed, novemberClock())
	s := &sight{deal: d, meter: newMeter(d.sides[0])}
	some := func() []int { return []int{d.rng.IntN(100), d.rng.IntN(100), d.rng.IntN(100)} }
	s.morning(11, 20)
	s.mark()
	s.read(s.at(10, 31, 22), 1, 2, 3, 4, 5, 6)
	s.act("grant", func() {
		s.now.grant = do(d.sides[0], Grant, GrantRequest{Name: "meter", To: "bob", View: daily}).Grant.ID
	})
	s.fetch()
	for day := range 3 {
		s.read(s.at(11, 19+day, 1), some()...)
		s.read(s.at(11, 1, 0), some()...)
		s.morning(11, 21+day)
		s.fetch()
	}
	return s
}

// TestPowerCutsWithViews cuts the power of a giver and of a grantee of a view.
// No reading that was acknowledged is lost, the view is cut again into what the
// rows say, under a number that belongs to it alone, and what the grantee had
// is there as it was.
func TestPowerCutsWithViews(t *testing.T) {
	seed, images := disktest.Seed(t), 0
	for run := uint64(0); images < disktest.Runs(t, 60, 1000); run++ {
		s := newSight(t, seed+run)
		s.sides[0].leave()
		for side, share := range []int{20, 10} {
			disktest.Images(t, s.recs[side], share, seed+run, func(_ int, after *disktest.Disk, promises []any) {
				images++
				g, _ := promises[len(promises)-1].(glimpse) // before the first there is nothing
				left := s.left(side, after)
				defer left.close()
				if side == 0 {
					s.giver(left, g)
				} else {
					s.grantee(left, g)
				}
				left.sound()
			})
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("seed %d: %d images; 0 acknowledged lost, no head given twice", seed, images)
}

// giver is what must be left of the giver.
func (s *sight) giver(left *person, g glimpse) {
	t := s.t
	t.Helper()
	if _, err := left.vault.Lookup("meter"); err != nil && g.rows == nil {
		return
	}
	if got := left.readable("meter"); !slices.Equal(got, g.rows) && !(g.doing == "read" && slices.Equal(got, g.then.rows)) {
		t.Errorf("while at %q the meter has %d rows, and not the %d that were acknowledged", g.doing, len(got), len(g.rows))
	}
	if g.grant == "" {
		return
	}
	r, err := s.sides[1].receivedNamed(g.grant)
	if err != nil {
		t.Fatal(err)
	}
	given, known := left.book.givenBy(r.cid)
	d, err := left.vault.Lookup("meter")
	if err != nil || !known {
		t.Fatalf("the grant is known: %v; %v", known, err)
	}
	v, err := left.viewAsked(t.Context(), d, grantedView(given.grant))
	if err != nil {
		t.Fatal(err)
	}
	h, _, err := left.cutView(t.Context(), d.DID, v, given)
	if err != nil {
		t.Fatalf("while at %q: %v", g.doing, err)
	}
	for _, had := range g.heads {
		if contradicts(had, h.Head, h.Bytes) || h.Sequence < had.Sequence || had.Sequence == h.Sequence && had.Root != h.Root {
			t.Errorf("while at %q: number %x after %x, which the grantee has", g.doing, h.Sequence, had.Sequence)
		}
	}
	set, err := left.recordsAt(t.Context(), d, h.Head)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(newMeter(left).days(), left.rowsOf(set)); diff != "" {
		t.Errorf("while at %q the view says %s", g.doing, diff)
	}
}

// grantee is what must be left of the grantee.
func (s *sight) grantee(left *person, g glimpse) {
	t := s.t
	t.Helper()
	got := left.readable("meter")
	if !slices.Equal(got, g.days) && !(g.doing == "fetch" && slices.Equal(got, g.then.days)) {
		t.Errorf("while at %q the grantee sees %q, and has fetched %q", g.doing, got, g.days)
	}
}

// readable is what can be read of a data set, nothing if it is not there.
func (p *person) readable(name string) []string {
	p.t.Helper()
	if d, err := p.vault.Lookup(name); err != nil || len(d.Versions) == 0 {
		return nil
	}
	return p.rows(name)
}

// TestFullDiskWithViews: on a full disk what was imported and given stays as it
// is, what has no room is refused in a sentence, and goes on with room.
func TestFullDiskWithViews(t *testing.T) {
	t.Parallel()
	c, below := novemberClock(), disktest.NewDisk()
	alice, bob := newPersonOn(t, "alice", c, below), newPerson(t, "bob", c)
	meet(alice, bob)
	s := &strained{t: t, alice: alice, bob: bob}
	s.withView()
	var said bytes.Buffer
	alice.leave()
	alice.opt.Log = slog.New(slog.NewTextHandler(&said, nil))
	alice.start()
	refused := 0
	for _, room := range []int64{20 << 20, 4096, 0} {
		below.SetRoom(room)
		before := alice.rows("meter")
		fails(alice, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}}, "disk.full")
		if err := s.fetchView(); err != nil {
			if s.told = err; problem.Of(err).Kind == problem.Unexpected {
				t.Errorf("with room for %d the grantee reads %v", room, err)
			}
			refused++
		}
		if diff := cmp.Diff(before, alice.rows("meter")); diff != "" {
			t.Errorf("with room for %d the rows are others: %s", room, diff)
		}
		alice.sound()
	}
	below.SetRoom(200 << 20)
	s.wantView()
	do(alice, Import, ImportRequest{Paths: []string{statementAt(t, "a.ofx")}})
	alice.restart()
	s.wantView()
	alice.sound()
	if told := strings.Count(said.String(), "why=disk.full"); told != refused || refused == 0 {
		t.Errorf("%d times the giver had no room, and its log says %s", refused, said.String())
	}
}
