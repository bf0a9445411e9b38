// SPDX-License-Identifier: Apache-2.0

package importer

import (
	"strings"
	"testing"
	"time"
)

func TestNumber(t *testing.T) {
	for in, want := range map[string]string{
		"1 234,56": "1234.56", "1\u202f234,56 €": "1234.56", "1.234,56": "1234.56", "1,234.56": "1234.56", "-1,533.50": "-1533.5", "12-": "-12", "(1,5)": "-1.5",
		"+3": "3", "−4,2": "-4.2", "1.234.567": "1234567", "1'234.50": "1234.5", "0,5": "0.5", ",5": "0.5", "": "", "1,234,567.8": "1234567.8", "4774.8611135902484": "4774.8611135902484",
	} {
		if v, err := Number(in, 0); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v", in, v, err)
		}
	}
	if v, err := Number("1,533", '.'); err != nil || v.String() != "1533" {
		t.Errorf("1,533 with points: %v, %v", v, err)
	}
	for _, in := range []string{"a", "1,2,3", "1.2,3.4", "--1", "1 a", "=1+1", "1,23.456"} {
		if v, err := Number(in, 0); err == nil {
			t.Errorf("%q is taken for %v", in, v)
		}
	}
	for in, want := range map[string]byte{"1,5 2": ',', "1.5 2,000.00": '.', "1,533 1,200.5": '.', "1,533 2,000": 0, "1 2": 0, "-3,20- 1.000": ','} {
		if got := DecimalMark(strings.Fields(in)); got != want {
			t.Errorf("%q have %q", in, got)
		}
	}
}

func TestDate(t *testing.T) {
	for in, want := range map[string]string{
		"2009-11-04": "2009-11-04", "20091104": "2009-11-04", "04/11/2009": "2009-11-04", "4.11.09": "2009-11-04", "04 Nov 2009": "2009-11-04", "1er décembre 2020": "2020-12-01",
		"4 août 2021": "2021-08-04", "November 4, 2009": "2009-11-04", "mer. 4 nov. 2009": "2009-11-04", "04-févr.-21": "2021-02-04", "2020-01-02T03:04:05Z": "2020-01-02",
		"28 juin 2020": "2020-06-28", "28 juil. 2020": "2020-07-28", "01/02/69 10:00": "2069-02-01", "01/02/1970": "1970-02-01",
	} {
		if v, err := Date(in, ""); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v", in, v, err)
		}
	}
	if v, err := Date("06/17/97", "mdy"); err != nil || v.String() != "1997-06-17" {
		t.Error(v, err)
	}
	for in, code := range map[string]string{"31/09/2016": "no-such-day", "2016-09-31": "no-such-day", "2016-03-033T00:00:00.000Z": "date", "06/17/97": "no-such-day", "": "date", "4 foo 2009": "date", "29/02/2023": "no-such-day"} {
		if v, err := Date(in, ""); reason(err) != code {
			t.Errorf("%q: %v, %v", in, v, err)
		}
	}
}

// Times that a clock in Paris showed at the ends of half-hours, and when that
// was.
func TestClock(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ shown, want string }{
		"autumn, strict":         {"01:30 02:00 02:30 02:00 02:30 03:00 03:30", "23:30 00:00 00:30 01:00 01:30 02:00 02:30"},
		"autumn, ends named so":  {"01:30 02:00 02:30 03:00 02:30 03:00 03:30", "23:30 00:00 00:30 01:00 01:30 02:00 02:30"},
		"autumn, hour not again": {"01:30 02:00 02:30 03:00 03:30", "23:30 00:00 00:30 02:00 02:30"},
		"autumn, alone":          {"02:30", "00:30"},
	} {
		if got := ends(paris, "2022-10-30 ", tt.shown); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
	for name, tt := range map[string]struct{ shown, want string }{
		"spring":                  {"01:30 02:00 03:30", "00:30 01:00 01:30"},
		"spring, end named later": {"01:30 03:00 03:30", "00:30 01:00 01:30"},
		"never shown":             {"02:30", "never"},
	} {
		if got := ends(paris, "2022-03-27 ", tt.shown); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func ends(zone *time.Location, day, shown string) string {
	c := &Clock{Zone: zone}
	var walls []time.Time
	for _, s := range strings.Fields(shown) {
		w, err := Wall(day+s, "")
		if err != nil {
			return err.Error()
		}
		walls = append(walls, w)
	}
	walls = append(walls, time.Time{})
	var got []string
	for i, w := range walls[:len(walls)-1] {
		end, ok := c.End(w, 30*time.Minute, walls[i+1])
		if !ok {
			got = append(got, "never")
			continue
		}
		got = append(got, end.Format("15:04"))
	}
	return strings.Join(got, " ")
}

func FuzzNumberAndDate(f *testing.F) {
	f.Add("1 234,56 €", "dmy")
	f.Add("04 Nov 2009 10:00", "")
	f.Fuzz(func(t *testing.T, s, order string) {
		if v, err := Number(s, 0); err == nil && !v.IsNull() {
			if again, err := Number(v.String(), '.'); err != nil || again != v {
				t.Fatalf("%q is %v, and again %v, %v", s, v, again, err)
			}
		}
		if v, err := Date(s, order); err == nil {
			if again, err := Date(v.String(), order); err != nil || again != v {
				t.Fatalf("%q is %v, and again %v, %v", s, v, again, err)
			}
		}
		_, _ = Wall(s, order)
	})
}
