// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/traboule/traboule/node/view"
	"github.com/traboule/traboule/storage/disk/disktest"
)

func load(t testing.TB, zone string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestBucketsAgainstTheWall: bucket follows bucket as the clock on the wall
// shows, looked at minute by minute for three years.
func TestBucketsAgainstTheWall(t *testing.T) {
	for _, name := range zones {
		zone := load(t, name)
		for p := view.HalfHour; p <= view.Year; p++ {
			want := edges(zone, p)
			begin, end := p.Bucket(want[0])
			for i := 0; i+1 < len(want); i++ {
				if !begin.Equal(want[i]) || !end.Equal(want[i+1]) {
					t.Fatalf("%s, %s: a bucket from %s to %s, want %s to %s", name, p, begin, end, want[i], want[i+1])
				}
				if b, e := p.Bucket(end.Add(-time.Microsecond)); !b.Equal(begin) || !e.Equal(end) {
					t.Fatalf("%s, %s: the last of the bucket from %s to %s lies from %s to %s", name, p, begin, end, b, e)
				}
				begin, end = p.Bucket(end)
			}
		}
	}
}

// TestLadderNests: an edge of one rank is one of all below, whenever and
// wherever.
func TestLadderNests(t *testing.T) {
	r := rand.New(rand.NewPCG(disktest.Seed(t), 1))
	all := append(slices.Clone(zones), "America/New_York", "Africa/Casablanca", "Asia/Gaza", "Asia/Pyongyang", "Antarctica/Troll", "Europe/Dublin")
	for range disktest.Runs(t, 3000, 100_000) {
		zone := load(t, all[r.IntN(len(all))])
		when := time.Unix(r.Int64N(200*365*86400)-100*365*86400, r.Int64N(1e9)).In(zone)
		for p := view.HalfHour; p <= view.Year; p++ {
			begin, end := p.Bucket(when)
			if begin.After(when) || !end.After(when) {
				t.Fatalf("%s: %s lies in the %s from %s to %s", zone, when, p, begin, end)
			}
			for q := view.Raw; q <= p; q++ {
				if !q.IsEdge(begin) || !q.IsEdge(end) {
					t.Fatalf("%s: the %s from %s to %s does not lie on edges of %s", zone, p, begin, end, q)
				}
			}
		}
	}
}

// TestDaysOfParis: the lengths that everybody knows.
func TestDaysOfParis(t *testing.T) {
	zone := load(t, "Europe/Paris")
	for _, tt := range []struct {
		in   string
		p    view.Period
		want time.Duration
	}{
		{"2026-03-29 12:00", view.Day, 23 * time.Hour},
		{"2026-10-25 12:00", view.Day, 25 * time.Hour},
		{"2026-10-26 00:00", view.Day, 24 * time.Hour},
		{"2026-03-01 00:00", view.Month, 31*24*time.Hour - time.Hour},
		{"2026-10-31 23:59", view.Month, 31*24*time.Hour + time.Hour},
		{"2024-02-29 00:00", view.Month, 29 * 24 * time.Hour},
		{"2026-07-14 00:00", view.Year, 365 * 24 * time.Hour},
		{"2026-03-29 03:15", view.Hour, time.Hour},
		{"2026-03-29 03:15", view.HalfHour, 30 * time.Minute},
	} {
		if begin, end := tt.p.Bucket(at(t, zone, tt.in)); end.Sub(begin) != tt.want {
			t.Errorf("the %s of %s is %s long, want %s", tt.p, tt.in, end.Sub(begin), tt.want)
		}
	}
	night := at(t, zone, "2026-10-25 00:00").Add(2 * time.Hour) // 2:00, for the first time
	first, then := view.Hour.IsEdge(night), view.Hour.IsEdge(night.Add(time.Hour))
	if !first || !then || night.Add(time.Hour).Hour() != 2 {
		t.Error("where clocks go back there are not two hours that begin at 2")
	}
}
