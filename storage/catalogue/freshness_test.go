// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"testing"
	"time"

	"github.com/traboule/traboule/storage/record"
)

// promising is a kind that promises something new so often, so late.
func promising(t *testing.T, every, delay string) *record.Schema {
	t.Helper()
	s, err := record.ParseSchema([]byte(`{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:traboule:kind:promise", "title": "P", "type": "object",
		"traboule": {"zone": "Europe/Paris", "time": "day", "updateFrequency": "` + every + `", "updateLatency": "` + delay + `"},
		"properties": {"day": {"type": "string", "format": "date"}, "until": {"type": "string", "format": "date-time"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStale(t *testing.T) {
	tests := []struct{ name, every, delay, newest, since string }{
		{"a day and two", "P1D", "P2D", "2026-05-04T22:00:00Z", "2026-05-07T22:00:00Z"},
		{"over the night of 23 hours: by the calendar, not by hours", "P1D", "P1D", "2026-03-28T23:00:00Z", "2026-03-30T22:00:00Z"},
		{"over the night of 25 hours", "P1D", "P1D", "2026-10-24T22:00:00Z", "2026-10-26T23:00:00Z"},
		{"an hour is an hour then", "PT1H", "PT1H", "2026-03-29T00:30:00Z", "2026-03-29T02:30:00Z"},
		{"a month from the 31st ends with February", "P1M", "PT0S", "2026-01-31T11:00:00Z", "2026-02-28T11:00:00Z"},
		{"in a leap year on the 29th", "P1M", "P1D", "2028-01-31T11:00:00Z", "2028-03-01T11:00:00Z"},
		{"a year from 29 February", "P1Y", "P1D", "2028-02-29T11:00:00Z", "2029-03-01T11:00:00Z"},
		{"six months over the change of the clock", "P6M", "P1D", "2026-01-15T11:00:00Z", "2026-07-16T10:00:00Z"},
		{"over the end of the year", "P2M", "P15D", "2026-11-30T23:00:00Z", "2027-02-15T23:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := promising(t, tt.every, tt.delay)
			newest, _ := time.Parse(time.RFC3339, tt.newest)
			want, _ := time.Parse(time.RFC3339, tt.since)
			if since, stale := Stale(s, newest, want); stale {
				t.Errorf("stale at the last moment of the promise, since %s", since)
			}
			since, stale := Stale(s, newest, want.Add(time.Second))
			if !stale || !since.Equal(want) {
				t.Errorf("a second later: stale %v since %s, want %s", stale, since.UTC(), want)
			}
		})
	}
	if _, stale := Stale(promising(t, "", ""), time.Time{}, time.Unix(1e10, 0)); stale {
		t.Error("stale without a promise")
	}
}

func TestUntil(t *testing.T) {
	s := promising(t, "P1D", "P1D")
	for _, tt := range []struct {
		row  record.Row
		want string
	}{
		{record.Row{record.On(2026, 3, 29), record.Null}, "2026-03-29T22:00:00Z"},
		{record.Row{record.On(2026, 10, 25), record.Null}, "2026-10-25T23:00:00Z"},
		{record.Row{record.Null, record.Null}, ""},
	} {
		end, ok := Until(s, tt.row)
		if got := end.UTC().Format(time.RFC3339); ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%v ends %s, want %s", tt.row, got, tt.want)
		}
	}
	curve, _ := Kind("electricity-load-curve")
	row := make(record.Row, len(curve.Fields))
	for name, at := range map[string]int64{"start": 0, "end": 1_800_000_000} {
		i, _ := curve.Index(name)
		row[i] = record.Micros(at)
	}
	if end, ok := Until(curve, row); !ok || end.Unix() != 1800 {
		t.Errorf("an interval ends %s", end)
	}
}
