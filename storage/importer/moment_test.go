// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"testing"
	"time"
)

func TestMoment(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"1742844232": "2025-03-24T19:23:52Z", "1742844302585": "2025-03-24T19:25:02.585Z", "1742844302585123": "2025-03-24T19:25:02.585123Z",
		"1742844302585123999": "2025-03-24T19:25:02.585123Z", "1718444200.5": "2024-06-15T09:36:40.5Z", "1718444200.1234567": "2024-06-15T09:36:40.123456Z",
		"2025-03-24 20:07:24 +0100": "2025-03-24T19:07:24Z", "2015-10-01T08:00:00-0700": "2015-10-01T15:00:00Z", "2023-08-27T15:48:56.000-05:00": "2023-08-27T20:48:56Z",
		"2024-11-03T16:30:11.331+07:00": "2024-11-03T09:30:11.331Z", "2024-06-15 10:30": "2024-06-15T08:30:00Z", "2024-01-15T10:30:00": "2024-01-15T09:30:00Z",
		"2024/06/15 10:30:00 UTC": "2024-06-15T10:30:00Z", "2016-02-29T00:00:00Z": "2016-02-29T00:00:00Z", "1901-12-13T20:45:52.2073437Z": "1901-12-13T20:45:52.207343Z",
		"2024-06-15T10:30:00+02": "2024-06-15T08:30:00Z", "2016-12-31T23:59:60Z": "2017-01-01T00:00:00Z", "2024-06-15T10:30:00,25Z": "2024-06-15T10:30:00.25Z",
	} {
		v, ok := Moment(in, paris)
		if !ok || v.String() != want {
			t.Errorf("%q is %v, %v; want %s", in, v, ok, want)
		}
		if b, ok := Moment([]byte(in), paris); !ok || b != v {
			t.Errorf("%q as bytes is %v", in, b)
		}
	}
	for _, in := range []string{"", "0", "-1", "2024", "20240615", "20240615103000", "99999999", "7258118400", "174284430258512399912", "1e12", "1742844232x", "1742844232.5.5",
		"2016-09-31T08:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z", "2024-01-00T00:00:00Z", "2024-06-15T24:00:00Z", "2024-06-15T10:60:00Z",
		"2024-06-15", "2024-06-15T10", "2024-06-15T10:30:00+19:00", "2024-06-15T10:30:00Zx", "2024-06-15T10:30:00+", "2024-06-15T10:30:00+1", "2024-06-15T10:30:00 CET", "yesterday"} {
		if v, ok := Moment(in, paris); ok {
			t.Errorf("%q is taken for %v", in, v)
		}
	}
}

// FuzzMoment holds the reader against package time: what RFC 3339 allows reads
// the same.
func FuzzMoment(f *testing.F) {
	f.Add("2025-03-24T19:23:52.585+01:00")
	f.Add("0000-01-01T00:00:00Z")
	f.Add("1742844302585")
	f.Add("0000-01-01T0:00:00+00:00")
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := Moment(s, time.UTC)
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil || len(s) > 64 || s[12] == ':' { // it allows an hour of one digit
			return
		}
		if _, offset := want.Zone(); offset < -18*3600-59*60 || offset > 18*3600+59*60 {
			return
		}
		if !ok || got.Micros() != want.UnixMicro() {
			t.Fatalf("%q is %v, %v; want %v", s, got, ok, want.UTC())
		}
	})
}
